"""Writing a generation beside the published one, and publishing it by one rename."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from indexer import collection, database
from indexer.errors import CollectionBusyError
from indexer.index_building import build_index
from indexer.index_settings import IndexNote, IndexSettings
from indexer.manifest import FILENAME, Manifest, describe_file
from indexer.maps_file import MapsFile
from indexer.readers_lock import unread
from indexer.records import IndexedImage, SkippedImage
from indexer.reduction import Floats, Reduction

KEPT = 2  # generations, beside those that are open to readers


class GenerationWriter:
    """Fills a folder; what an earlier writer left there unpublished is thrown away first.

    Attributes:
        indexes: file -> what is told of the index in it, of those written so far, for the manifest.
    """

    def __init__(self, path: Path, building: Path) -> None:
        self._path = path
        self._folder = building / "generation"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self.indexes: dict[str, IndexNote] = {}

    def write_vectors(self, vectors: Floats, reduction: Reduction, settings: IndexSettings) -> None:
        """Store (N, d) float32 unit rows, indexed as asked for, and the reduction they went through."""
        self._write_index(collection.INDEX_FILE, vectors, settings)
        reduction.save(self._folder / collection.REDUCTION_FILE)

    def write_objects(self, vectors: Floats, settings: IndexSettings) -> None:
        """Store the vectors of the objects, (number of objects, d) float32 unit rows, indexed as asked for."""
        self._write_index(collection.OBJECT_INDEX_FILE, vectors, settings)

    @contextmanager
    def create_maps(self, count: int, shapes: Mapping[str, tuple[int, int, int]]) -> Iterator[dict[str, MapsFile]]:
        """Stage -> a file of so many maps of its shape, to be filled by the caller."""
        with ExitStack() as files:
            yield {
                stage: files.enter_context(
                    MapsFile.create(self._folder / collection.maps_file(stage), count, shape)
                )
                for stage, shape in shapes.items()
            }

    def write_records(self, images: Sequence[IndexedImage], skipped: Sequence[SkippedImage]) -> None:
        """Store what is known of the pictures."""
        database.write(self._folder / collection.DATABASE_FILE, images, skipped)

    def describe_files(self) -> dict[str, dict[str, object]]:
        """Name -> {"bytes", "sha256"} of what was written so far, for the manifest."""
        return {path.name: describe_file(path) for path in sorted(self._folder.iterdir())}

    def publish(self, manifest: Manifest) -> None:
        """Write the manifest, bring all bytes to the disk, move the folder in, and delete old generations."""
        manifest.save(self._folder)
        for path in self._folder.iterdir():
            sync(path)
        sync(self._folder)
        published = self._path / "generations" / f"{manifest.generation:06d}"
        published.parent.mkdir(exist_ok=True)
        self._folder.rename(published)
        sync(published.parent)
        prune(self._path)

    def _write_index(self, name: str, vectors: Floats, settings: IndexSettings) -> None:
        index = build_index(vectors, settings)
        index.save(self._folder / name)
        self.indexes[name] = index.note


@contextmanager
def only_builder(path: Path) -> Iterator[None]:
    """Hold the collection's lock; the system gives it back even if this process is killed.

    Raises:
        CollectionBusyError: another process holds it.
    """
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / "build.lock", blocking=False)
    try:
        with lock:
            yield
    except Timeout:
        raise CollectionBusyError(f"another build is running on {path}; wait for it, or stop it first") from None


def prune(path: Path) -> None:
    """Delete all generations of a collection but the last `KEPT` and those that are open to readers.

    The manifest goes first, so that none looks whole.
    """
    for folder in collection.generations(path)[:-KEPT]:
        with unread(folder) as may_go:
            if may_go:
                (folder / FILENAME).unlink(missing_ok=True)
                shutil.rmtree(folder)


def settle(part: Path, path: Path) -> None:
    """Bring a finished file's bytes to the disk, then give it its name: it is there whole, or not at all."""
    sync(part)
    part.replace(path)


def sync(path: Path) -> None:
    """Have the system bring a file's or folder's bytes to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

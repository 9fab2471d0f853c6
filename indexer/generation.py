"""Writing a generation beside the published one, and publishing it by one rename."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from indexer import collection, database
from indexer.durable import make_folder, settle_folder
from indexer.generations import generations
from indexer.index_building import build_index
from indexer.index_settings import IndexNote, IndexSettings
from indexer.manifest import Manifest, describe_file
from indexer.maps_file import MapsFile
from indexer.readers_lock import unread
from indexer.records import IndexedImage, SkippedImage
from indexer.reduction import Floats, Reduction
from indexer.row_checksums import ROWS_FILE, Checksums, RowChecksums, checksums, object_keys

_GONE = "gone-"
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
        make_folder(self._folder)
        self.indexes: dict[str, IndexNote] = {}
        self._vectors = self._object_vectors = checksums(np.empty((0, 0), dtype=np.float32))
        self._maps: dict[str, Checksums] = {}

    def write_vectors(self, vectors: Floats, reduction: Reduction, settings: IndexSettings) -> None:
        """Store (N, d) float32 unit rows, indexed as asked for, and the reduction they went through."""
        self._write_index(collection.INDEX_FILE, vectors, settings)
        self._vectors = checksums(vectors)
        reduction.save(self._folder / collection.REDUCTION_FILE)

    def write_objects(self, vectors: Floats, settings: IndexSettings) -> None:
        """Store the vectors of the objects, (number of objects, d) float32 unit rows, indexed as asked for."""
        self._write_index(collection.OBJECT_INDEX_FILE, vectors, settings)
        self._object_vectors = checksums(vectors)

    @contextmanager
    def create_maps(self, count: int, shapes: Mapping[str, tuple[int, int, int]]) -> Iterator[dict[str, MapsFile]]:
        """Stage -> a file of so many maps of its shape, to be filled by the caller."""
        with ExitStack() as files:
            maps = {
                stage: files.enter_context(
                    MapsFile.create(self._folder / collection.maps_file(stage), count, shape)
                )
                for stage, shape in shapes.items()
            }
            yield maps
        self._maps = {stage: file.checksums for stage, file in maps.items()}

    def write_records(self, images: Sequence[IndexedImage], skipped: Sequence[SkippedImage]) -> None:
        """Store what is known of the pictures, and the checksums of the rows that were written before."""
        database.write(self._folder / collection.DATABASE_FILE, images, skipped)
        keys = tuple(object_keys(images)) if collection.OBJECT_INDEX_FILE in self.indexes else ()
        rows = RowChecksums(tuple(images), self._vectors, self._maps, keys, self._object_vectors)
        rows.save(self._folder / ROWS_FILE)

    def describe_files(self) -> dict[str, dict[str, object]]:
        """Name -> {"bytes", "sha256"} of what was written so far, for the manifest."""
        return {path.name: describe_file(path) for path in sorted(self._folder.iterdir())}

    def publish(self, manifest: Manifest) -> None:
        """Write the manifest, bring all bytes to the disk, move the folder in, and delete old generations."""
        manifest.save(self._folder)
        settle_folder(self._folder, self._path / "generations" / f"{manifest.generation:06d}")
        prune(self._path)

    def _write_index(self, name: str, vectors: Floats, settings: IndexSettings) -> None:
        index = build_index(vectors, settings)
        index.save(self._folder / name)
        self.indexes[name] = index.note


def prune(path: Path) -> None:
    """Delete all generations of a collection but the last `KEPT` and those that are open to readers.

    What a prune that was killed had begun to delete goes first.
    """
    for gone in (path / "building").glob(f"{_GONE}*"):
        shutil.rmtree(gone)
    for folder in generations(path)[:-KEPT]:
        discard(folder)


def discard(folder: Path) -> None:
    """Delete a generation that is not open to readers; by a rename first, for half of one would look damaged."""
    with unread(folder) as may_go:
        if may_go:
            gone = folder.parents[1] / "building" / f"{_GONE}{folder.name}"
            gone.parent.mkdir(exist_ok=True)
            shutil.rmtree(folder.rename(gone))

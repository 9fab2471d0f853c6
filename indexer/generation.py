"""Writing a generation beside the published one, and publishing it."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from indexer.durable import make_folder
from indexer.generation_files import INDEX_FILE, OBJECT_INDEX_FILE, REDUCTION_FILE, maps_file
from indexer.generations import clear_discarded, generations
from indexer.index_settings import IndexNote, IndexSettings
from indexer.layout import KEPT_GENERATIONS
from indexer.manifest import Manifest, describe_file
from indexer.maps_file import MapsFile
from indexer.records import IndexedImage, Notice
from indexer.reduction import Floats, Reduction
from indexer.row_checksums import ROWS_FILE, Checksums, RowChecksums, checksums, object_keys
from indexer.store import Store, Target
from indexer.stores import store_of


class GenerationWriter:
    """Fills a folder, and what the store keeps elsewhere.

    What an earlier writer left in the folder unpublished is thrown away first.

    Args:
        store: of the collection.
        building: where the folder is made.
        number: of the generation to be.
        images: of the generation, by image id.

    Attributes:
        indexes: file -> what is told of the index in it, of those written so far, for the manifest.
    """

    def __init__(self, store: Store, building: Path, number: int, images: Sequence[IndexedImage]) -> None:
        self._store = store
        self._target = Target(building / "generation", number)
        self._images = images
        shutil.rmtree(self._target.folder, ignore_errors=True)
        make_folder(self._target.folder)
        self.indexes: dict[str, IndexNote] = {}
        self._vectors = self._object_vectors = checksums(np.empty((0, 0), dtype=np.float32))
        self._maps: dict[str, Checksums] = {}

    def write_vectors(self, vectors: Floats, reduction: Reduction, settings: IndexSettings) -> None:
        """Store (N, d) float32 unit rows, indexed as asked for, and the reduction they went through."""
        self._write_index(INDEX_FILE, vectors, settings)
        self._vectors = checksums(vectors)
        reduction.save(self._target.folder / REDUCTION_FILE)

    def write_objects(self, vectors: Floats, settings: IndexSettings) -> None:
        """Store the vectors of the objects, (number of objects, d) float32 unit rows, indexed as asked for."""
        self._write_index(OBJECT_INDEX_FILE, vectors, settings)
        self._object_vectors = checksums(vectors)

    @contextmanager
    def create_maps(self, count: int, shapes: Mapping[str, tuple[int, int, int]]) -> Iterator[dict[str, MapsFile]]:
        """Stage -> a file of so many maps of its shape, to be filled by the caller."""
        with ExitStack() as files:
            maps = {
                stage: files.enter_context(MapsFile.create(self._target.folder / maps_file(stage), count, shape))
                for stage, shape in shapes.items()
            }
            yield maps
        self._maps = {stage: file.checksums for stage, file in maps.items()}

    def write_records(self, notices: Sequence[Notice]) -> None:
        """Store what is known of the pictures, and the checksums of the rows that were written before."""
        self._store.write_records(self._target, self._images, notices)
        keys = tuple(object_keys(self._images)) if OBJECT_INDEX_FILE in self.indexes else ()
        rows = RowChecksums(tuple(self._images), self._vectors, self._maps, keys, self._object_vectors)
        rows.save(self._target.folder / ROWS_FILE)

    def describe_files(self) -> dict[str, dict[str, object]]:
        """Name -> {"bytes", "sha256"} of what was written so far, for the manifest."""
        return {path.name: describe_file(path) for path in sorted(self._target.folder.iterdir())}

    def publish(self, manifest: Manifest) -> None:
        """Write the manifest, and have all readers find the generation."""
        manifest.save(self._target.folder)
        self._store.publish(self._target, manifest)

    def _write_index(self, name: str, vectors: Floats, settings: IndexSettings) -> None:
        self.indexes[name] = self._store.write_index(self._target, name, vectors, self._images, settings)


def prune(path: Path, store: Store | None = None) -> None:
    """Delete all generations of a collection but the last `KEPT_GENERATIONS` and those that are open to readers.

    What a prune that was killed had begun to delete goes first.
    """
    clear_discarded(path)
    for folder in generations(path)[:-KEPT_GENERATIONS]:
        (store or store_of(path)).discard(folder)

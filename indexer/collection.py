"""A collection on disk: its published generation opened as one whole, index, database, maps and manifest in step.

Layout: `generations/000001/` and so on, each complete and never changed again; the store tells which is published,
and where the vectors and records of each lie (`store.py`). A new one is built elsewhere in the folder and moved in
by one rename.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionError, LookalikeError
from indexer.filters import Filters
from indexer.fingerprint import fingerprint
from indexer.generation_files import INDEX_FILE, OBJECT_INDEX_FILE, REDUCTION_FILE, maps_file
from indexer.generations import is_mirrored
from indexer.manifest import Manifest, check_files
from indexer.maps_file import MapsFile
from indexer.newest import read_newest
from indexer.readers_lock import ReadersLock
from indexer.records import Hit, IndexedImage, Notice, ObjectLabel
from indexer.reduction import Embedding, Floats, Reduction, StageMaps
from indexer.row_checksums import object_keys
from indexer.store import Store
from indexer.stores import store_of, store_of_generation
from indexer.subset import Subset

_SELECTIONS_HELD = 64  # each at most 8 bytes an image


class Collection(AbstractContextManager["Collection"]):
    """One published generation, open for reading from any number of threads; not deleted before it is closed.

    Args:
        folder: of the generation.
        store: of the collection, closed with it; by default the one that its folder tells.

    Attributes:
        folder: of the generation.
        store: of the collection.
        manifest: what it says of itself.
        reduction: what its vectors and maps went through.
        objects: index of the annotated objects, row = object id; None where they were not embedded.
    """

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self.folder = folder
        self.store = store or store_of_generation(folder)
        with ExitStack() as held:
            self._lock = ReadersLock(folder)
            held.callback(self._lock.release)
            held.callback(self.store.hold(folder))
            self._open_parts(held)
            self._held = held.pop_all()

    def _open_parts(self, held: ExitStack) -> None:
        """Open all that the folder has; `held` is told how to close it."""
        folder = self.folder
        self.manifest = Manifest.load(folder)
        here = {REDUCTION_FILE} if is_mirrored(folder) else self.manifest.files.keys()
        check_files(folder, {name: self.manifest.files[name] for name in here})
        self.reduction = Reduction.load(folder / REDUCTION_FILE)
        load, notes = partial(self.store.open_index, folder), self.manifest.indexes
        self._index = load(INDEX_FILE, notes[INDEX_FILE])
        has_objects = self.manifest.object_index
        self.objects = load(OBJECT_INDEX_FILE, notes[OBJECT_INDEX_FILE]) if has_objects else None
        self._database = self.store.open_records(folder)
        held.callback(self._database.close)
        self.first_images = self._database.first_images
        # A generation never changes: what was selected once holds for good.
        self.matching_images = lru_cache(_SELECTIONS_HELD)(self._database.matching_images)
        self.matching_objects = lru_cache(_SELECTIONS_HELD)(self._database.matching_objects)
        self._maps = {
            stage: np.load(folder / maps_file(stage), mmap_mode="r")
            for stage in self.manifest.map_shapes
            if maps_file(stage) in here
        }
        self._check_agreement()

    @classmethod
    def open(cls, path: Path) -> "Collection":
        """Open what is published in a collection's folder, also where something newer is published meanwhile.

        Raises:
            EmptyCollectionError: nothing is published there yet.
            CollectionError: there is no such folder, or its parts are damaged or do not agree.
        """
        store = store_of(path)
        try:
            return read_newest(store.published_folder, lambda folder: cls(folder, store))
        except (LookalikeError, OSError):
            store.close()
            raise

    @property
    def path(self) -> Path:
        """The collection's folder, in which the generation's lies."""
        return self.folder.parents[1]

    def close(self) -> None:
        """Give its files back; then it may be deleted."""
        self._held.close()
        self.store.close()

    def __len__(self) -> int:
        return len(self._index)

    def __exit__(self, *_: object) -> None:
        self.close()

    def images(self, image_ids: Sequence[int]) -> list[IndexedImage]:
        """The images of these ids, in the order asked for; ids that are not there are left out."""
        return self._database.images(image_ids)

    def images_of_content(self, sha256: str) -> list[IndexedImage]:
        """The images whose files' sha256 begins like this, by id."""
        return self._database.images_of_content(sha256)

    def all_images(self) -> list[IndexedImage]:
        """Every image, by id."""
        return self._database.all_images()

    @property
    def pictures(self) -> list[IndexedImage]:
        """See `Held`: of a whole generation, all of them."""
        return self.all_images()

    def class_counts(self) -> dict[str, int]:
        """Class -> number of objects, in the collection's order of classes."""
        counts = self._database.class_counts()
        return {name: counts[name] for name in self.manifest.classes}

    def notices(self) -> list[Notice]:
        """What the build did not use of the devkit, or not as it stands, in order.

        None for a collection that was built before these were kept.
        """
        return self._database.notices() if self.manifest.accounts else []

    def vectors(self) -> Floats:
        """All vectors, (N, d) float32 unit rows; row = image id."""
        return self._index.vectors()

    def vector(self, image_id: int) -> Floats:
        """One vector, (d,) float32 of unit length."""
        return self._index.vector(image_id)

    def embeddings(self, image_ids: Sequence[int], *, with_maps: bool) -> Embedding:
        """Vectors of these images, and their maps where asked for and kept."""
        stages = self._maps if with_maps else {}
        maps = {stage: np.asarray(maps[list(image_ids)]) for stage, maps in stages.items()}
        return Embedding(self.vectors_of(image_ids), maps)

    @property
    def maps(self) -> StageMaps:
        """All maps, read from disk as they are touched; empty where they are not kept, or lie elsewhere."""
        return self._maps

    @property
    def has_maps(self) -> bool:
        """Whether maps are kept, and here."""
        return bool(self._maps)

    def open_maps(self, stage: str) -> MapsFile:
        """The maps of a stage, to be copied row by row."""
        return MapsFile(self.folder / maps_file(stage), "rb")

    def object_vectors(self) -> dict[str, Floats]:
        """`object_key` -> vector (d,) float32; empty where the objects were not embedded."""
        if self.objects is None:
            return {}
        return dict(zip(object_keys(self.all_images()), self.objects.vectors(), strict=True))

    def vectors_of(self, image_ids: Sequence[int]) -> Floats:
        """The vectors of these images, (n, d) float32 unit rows."""
        return self._index.rows(image_ids)

    @cached_property
    def images_of_objects(self) -> NDArray[np.int64]:
        """(number of objects,): the image id of each object id."""
        return self._database.images_of_objects()

    def labels(self, object_ids: Sequence[int]) -> list[ObjectLabel]:
        """The objects of these ids, in the order asked for."""
        return self._database.labels(object_ids)

    def main_classes(self) -> list[str | None]:
        """The class of each image's main object, by image id; None for an image without objects."""
        return self._database.main_classes(len(self))

    def splits(self) -> list[str | None]:
        """The split of each image, by image id."""
        return self._database.splits()

    @cached_property
    def poses(self) -> list[str]:
        """Every pose that is annotated."""
        return self._database.poses()

    def subset_of_images(self, filters: Filters) -> Subset | None:
        """The images that fulfil filters; None for all."""
        counted = None if self._index.narrows_by_rows else self._database.matching_images_count
        return Subset.of(filters, self.matching_images, counted)

    def subset_of_objects(self, filters: Filters) -> Subset | None:
        """The objects that fulfil filters; None for all."""
        counted = None if self._index.narrows_by_rows else self._database.matching_objects_count
        return Subset.of(filters, self.matching_objects, counted)

    def nearest(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: Subset | None = None
    ) -> list[Hit]:
        """The k images closest to a vector (d,) of this collection's fingerprint; see `SearchIndex`."""
        return self._index.nearest(vector, k, exclude, among)

    def nearest_objects(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: Subset | None = None
    ) -> list[Hit]:
        """The k objects closest to a vector (d,), by object id; see `SearchIndex`.

        Raises:
            CollectionError: the objects were not embedded.
        """
        if self.objects is None:
            raise CollectionError(
                f"expected an index of objects, found none; build it: python -m indexer build --objects "
                f"--collection {self.path}"
            )
        return self.objects.nearest(vector, k, exclude, among)

    def _check_agreement(self) -> None:
        """Hold the parts against the manifest: each may be whole, and of another generation than the others."""
        manifest = self.manifest
        expected = (
            manifest.images,
            manifest.images,
            manifest.vector_dim,
            manifest.objects if manifest.object_index else None,
            {stage: (manifest.images, *manifest.map_shapes[stage]) for stage in self._maps},
            manifest.fingerprint,
        )
        found = (
            self._database.count(),
            len(self._index),
            self._index.dim,
            None if self.objects is None else len(self.objects),
            {stage: maps.shape for stage, maps in self._maps.items()},
            fingerprint(manifest.embedding_key, self.reduction),
        )
        if found != expected:
            raise CollectionError(
                f"the parts of {self.folder} do not agree: expected (images, rows, vector length, "
                f"rows of objects, map shapes, fingerprint) = {expected}, found {found}; build with --from-scratch"
            )

"""What is intact of a damaged generation, row by row."""

from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.embedded_store import EmbeddedStore
from indexer.errors import CollectionError
from indexer.generation_files import DATABASE_FILE, INDEX_FILE, OBJECT_INDEX_FILE, REDUCTION_FILE, maps_file
from indexer.generations import is_mirrored
from indexer.manifest import Manifest, damage_of
from indexer.maps_file import MapsFile
from indexer.records import IndexedImage, Notice
from indexer.reduction import Floats, Reduction
from indexer.row_checksums import ROWS_FILE, Checksums, RowChecksums, object_keys
from indexer.shared_parts import VECTOR_FILES, SharedParts, checksums_of
from indexer.stores import store_of
from indexer.tail_rows import TailRows

_FLOAT, _HALF = 4, 2  # bytes


class Salvage:
    """See `Held`; all rows of a file that is whole are intact, and of a damaged one those of the right checksum.

    Args:
        folder: of the generation.
        manifest: of it, from either of its copies.
        former: folder of the generation before it, if there is one, to take a damaged reduction from.

    Attributes:
        damage: name of a file that is not what it was -> how it was found.
    """

    def __init__(self, folder: Path, manifest: Manifest, former: Path | None) -> None:
        self.folder = folder
        self.manifest = manifest
        self._path = folder.parents[1]
        self._former = former
        self._embedded = INDEX_FILE in manifest.files
        here = {REDUCTION_FILE} if is_mirrored(folder) else manifest.files.keys()
        found = {name: damage_of(folder / name, manifest.files[name]) for name in here}
        self.damage = {name: damage for name, damage in found.items() if damage}
        if not self._embedded and not is_mirrored(folder):
            self.damage |= self._shared.damage()

    @cached_property
    def reduction(self) -> Reduction:
        """What the vectors and maps went through.

        Raises:
            CollectionError: it is damaged, and the generation before has another one.
        """
        expected = self.manifest.files[REDUCTION_FILE]
        for folder in (self.folder, self._former):
            if folder is not None and damage_of(folder / REDUCTION_FILE, expected) is None:
                return Reduction.load(folder / REDUCTION_FILE)
        raise CollectionError(f"{self.folder / REDUCTION_FILE} is damaged, and all vectors depend on it")

    @property
    def has_maps(self) -> bool:
        """Whether maps were kept."""
        return bool(self.manifest.map_shapes)

    def all_images(self) -> list[IndexedImage]:
        """The images whose vector and maps are intact; without objects where the database is damaged."""
        names = [INDEX_FILE, *map(maps_file, self.manifest.map_shapes)]
        intact = np.logical_and.reduce([self.intact(name) for name in names])
        return [image for image in self.pictures if intact[image.image_id]]

    def notices(self) -> list[Notice]:
        """None: what is salvaged is never published as it is, so nobody compares."""
        return []

    def vectors(self) -> Floats:
        """(N, d) float32, of which the rows of `all_images` are intact."""
        return self._vectors(INDEX_FILE)

    def open_maps(self, stage: str) -> MapsFile:
        """The maps of a stage, of which the rows of `all_images` are intact."""
        shape = (self.manifest.images, *self.manifest.map_shapes[stage])
        return MapsFile(self.folder / maps_file(stage), "rb", (self._tail(maps_file(stage)).start, shape))

    def object_vectors(self) -> dict[str, Floats]:
        """`object_key` -> vector, of the objects whose vector is intact."""
        if not self.manifest.object_index or not self.objects:
            return {}
        vectors, intact = self._vectors(OBJECT_INDEX_FILE), self.intact(OBJECT_INDEX_FILE)
        return {key: vector for key, vector, whole in zip(self.objects, vectors, intact, strict=True) if whole}

    @cached_property
    def pictures(self) -> Sequence[IndexedImage]:
        """All images, by id; none where nothing tells them any more."""
        if DATABASE_FILE not in self.damage:
            store = EmbeddedStore(self._path) if self._embedded else store_of(self._path)
            with closing(store), closing(store.open_records(self.folder)) as records:
                return records.all_images()
        return self._rows.pictures if self._rows else ()

    @cached_property
    def objects(self) -> Sequence[str]:
        """The keys of all objects, by id; none where nothing tells them any more."""
        if DATABASE_FILE not in self.damage:
            return object_keys(self.pictures)
        return self._rows.object_keys if self._rows else ()

    def intact(self, name: str) -> NDArray[np.bool_]:
        """Which rows of a file of vectors or maps are what they were; all are of one length with what is told."""
        if name in VECTOR_FILES and not self._embedded:
            return self._shared.intact(name)
        tail = self._tail(name)
        if name not in self.damage:
            return np.ones(tail.count, dtype=np.bool_)
        if self._rows is None:
            return np.zeros(tail.count, dtype=np.bool_)
        return tail.intact(self._checksums(self._rows, name))

    def lost(self, name: str) -> tuple[str, ...]:
        """The filenames of the pictures whose rows of a file are damaged; none for a file without rows."""
        if not self.pictures or name not in (
            INDEX_FILE,
            OBJECT_INDEX_FILE,
            *map(maps_file, self.manifest.map_shapes),
        ):
            return ()
        rows = map(int, np.flatnonzero(~self.intact(name)))
        if name != OBJECT_INDEX_FILE:
            return tuple(self.pictures[row].filename for row in rows)
        names = {image.sha256: image.filename for image in self.pictures}
        return tuple(dict.fromkeys(names[self.objects[row].partition("@")[0]] for row in rows))

    def _vectors(self, name: str) -> Floats:
        if self._embedded:
            return self._tail(name).vectors()
        return self._shared.vectors(name)

    @cached_property
    def _shared(self) -> SharedParts:
        return SharedParts(self.folder, self.manifest, self._rows)

    @cached_property
    def _rows(self) -> RowChecksums | None:
        whole = damage_of(self.folder / ROWS_FILE, self.manifest.files[ROWS_FILE]) is None
        return RowChecksums.load(self.folder / ROWS_FILE) if whole else None

    def _checksums(self, rows: RowChecksums, name: str) -> Checksums:
        if name in VECTOR_FILES:
            return checksums_of(rows, name)
        return next(checksums for stage, checksums in rows.maps.items() if maps_file(stage) == name)

    def _tail(self, name: str) -> TailRows:
        manifest = self.manifest
        strides = {maps_file(stage): _HALF * int(np.prod(one)) for stage, one in manifest.map_shapes.items()}
        stride = strides.get(name, _FLOAT * manifest.vector_dim)
        count = manifest.objects if name == OBJECT_INDEX_FILE else manifest.images
        return TailRows(self.folder / name, manifest.files[name]["bytes"], count, stride)

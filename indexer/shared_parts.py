"""What servers still have of a generation, held against the checksums of its rows."""

from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionError
from indexer.generation_files import DATABASE_FILE, INDEX_FILE, OBJECT_INDEX_FILE
from indexer.manifest import Manifest
from indexer.reduction import Floats
from indexer.row_checksums import Checksums, RowChecksums, checksums
from indexer.stores import store_of

VECTOR_FILES = (INDEX_FILE, OBJECT_INDEX_FILE)


def checksums_of(rows: RowChecksums, name: str) -> Checksums:
    """Those of the vectors that the file of this name has, or would have."""
    return rows.vectors if name == INDEX_FILE else rows.object_vectors


class SharedParts:
    """The vectors and records of a generation on its servers, by the names that their files would have.

    Args:
        folder: of the generation.
        manifest: of it.
        rows: its checksums; None where they are damaged themselves: then what has its length counts as intact.
    """

    def __init__(self, folder: Path, manifest: Manifest, rows: RowChecksums | None) -> None:
        self._folder = folder
        self._manifest = manifest
        self._rows = rows
        self._found: dict[str, Floats | None] = {}  # by name, read once

    def damage(self) -> dict[str, str]:
        """Name -> how it was found, of what is not what it was.

        Raises:
            StoreUnreachableError: a server does not answer.
        """
        names = VECTOR_FILES if self._manifest.object_index else (INDEX_FILE,)
        lost = {name: int(np.sum(~self.intact(name))) for name in names}
        found = {
            name: f"expected {self._expected(name)} vectors on the Milvus server, found {count} of them missing "
            "or changed"
            for name, count in lost.items()
            if count
        }
        return found | self._damage_of_records()

    def intact(self, name: str) -> NDArray[np.bool_]:
        """Which of its rows are what they were."""
        vectors = self._read(name)
        if vectors is None or len(vectors) != self._expected(name):
            return np.zeros(self._expected(name), dtype=np.bool_)
        if self._rows is None:
            return np.ones(len(vectors), dtype=np.bool_)
        return np.asarray(checksums(vectors) == checksums_of(self._rows, name))

    def vectors(self, name: str) -> Floats:
        """All rows, (N, d) float32; those that are lost may hold anything."""
        found = self._read(name)
        shape = (self._expected(name), self._manifest.vector_dim)
        return np.zeros(shape, dtype=np.float32) if found is None or found.shape != shape else found

    def _read(self, name: str) -> Floats | None:
        if name not in self._found:
            self._found[name] = self._ask(name)
        return self._found[name]

    def _ask(self, name: str) -> Floats | None:
        with closing(store_of(self._folder.parents[1])) as store:
            try:
                return store.open_index(self._folder, name, self._manifest.indexes[name]).vectors()
            except CollectionError:
                return None

    def _expected(self, name: str) -> int:
        return self._manifest.images if name == INDEX_FILE else self._manifest.objects

    def _damage_of_records(self) -> dict[str, str]:
        expected = self._manifest.images
        with closing(store_of(self._folder.parents[1])) as store:
            try:
                with closing(store.open_records(self._folder)) as records:
                    found = records.count()
            except CollectionError:
                found = 0
        if found == expected:
            return {}
        return {DATABASE_FILE: f"expected the records of {expected} images in PostgreSQL, found {found}"}

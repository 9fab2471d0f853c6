"""Vectors -> nearest rows; the only caller of faiss."""

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionError
from indexer.records import Hit
from indexer.reduction import Floats


class VectorIndex:
    """Exact search by inner product, which for unit rows is the cosine similarity."""

    kind = "flat"

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: Floats) -> "VectorIndex":
        """An index of (N, d) float32 unit rows; row numbers become image ids."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return cls(index)

    @classmethod
    def load(cls, path: Path) -> "VectorIndex":
        """Read what `save` wrote.

        Raises:
            CollectionError: the file is not an index that faiss can read.
        """
        try:
            return cls(faiss.read_index(str(path)))
        except RuntimeError as error:
            raise CollectionError(f"expected a faiss index in {path}, found a file it cannot read") from error

    def save(self, path: Path) -> None:
        """Write to a file."""
        faiss.write_index(self._index, str(path))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def vectors(self) -> Floats:
        """All rows, (N, d) float32."""
        return np.asarray(self._index.reconstruct_n(0, len(self)), dtype=np.float32)

    def vector(self, row: int) -> Floats:
        """One row, (d,) float32."""
        return np.asarray(self._index.reconstruct(row), dtype=np.float32)

    def rows(self, numbers: Sequence[int]) -> Floats:
        """The rows of these numbers, (n, d) float32."""
        return np.asarray(self._index.reconstruct_batch(np.asarray(numbers, dtype=np.int64)), dtype=np.float32)

    def nearest(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: NDArray[np.int64] | None = None
    ) -> list[Hit]:
        """The k rows closest to a unit vector (d,), best first; fewer where fewer are searched in.

        Args:
            vector: what to search with.
            k: how many, from 1.
            exclude: rows to leave out.
            among: the only rows to search in; None for all. Others are not looked at, so that all k are found.
        """
        allowed = self._selector(exclude, among)
        parameters = faiss.SearchParameters(sel=allowed) if allowed else None  # type: ignore[call-arg]  # its stub
        scores, rows = self._index.search(vector[np.newaxis], min(k, len(self)), params=parameters)
        return [
            Hit(int(row), float(np.clip(score, -1.0, 1.0)))
            for row, score in zip(rows[0], scores[0], strict=True)
            if row >= 0
        ]

    def _selector(self, exclude: Sequence[int], among: NDArray[np.int64] | None) -> faiss.IDSelector | None:
        if among is None and not len(exclude):
            return None
        allowed = np.full(len(self), among is None)
        if among is not None:
            allowed[among] = True
        allowed[list(exclude)] = False
        return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg, arg-type]

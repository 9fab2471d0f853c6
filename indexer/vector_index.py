"""Vectors -> nearest rows; the only caller of faiss."""

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

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

    def vector(self, image_id: int) -> Floats:
        """One row, (d,) float32."""
        return np.asarray(self._index.reconstruct(image_id), dtype=np.float32)

    def nearest(self, vector: Floats, k: int, exclude: Sequence[int] = ()) -> list[Hit]:
        """The k rows closest to a unit vector (d,) but those in `exclude`, best first; fewer where N is less."""
        left_out = faiss.IDSelectorBatch(np.asarray(exclude, dtype=np.int64))
        kept = faiss.IDSelectorNot(left_out)
        parameters = faiss.SearchParameters(sel=kept)  # type: ignore[call-arg]  # lacking in faiss's own stub
        scores, rows = self._index.search(vector[np.newaxis], min(k, len(self)), params=parameters)
        return [
            Hit(int(row), float(np.clip(score, -1.0, 1.0)))
            for row, score in zip(rows[0], scores[0], strict=True)
            if row >= 0
        ]

"""Vectors as they are -> nearest rows, exactly: every row that is searched in is scored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionError, StorageError
from indexer.reduction import Floats

Rows = NDArray[np.int64]

EXACT_BYTES = 100_000_000
"""What one core scores in under 10 ms: 97,656 rows of 256 float32 take 4 to 6 ms, twice as many 9 to 14 ms."""


def is_quick(rows: int, dim: int, exact_bytes: int = EXACT_BYTES) -> bool:
    """Whether exact search in so many float32 rows of so many numbers stays under 10 ms."""
    return 4 * rows * dim <= exact_bytes


def keep_to_one_core() -> None:
    """Have faiss answer this thread alone, from now on: other queries are answered beside it.

    Threads of one query that wait for each other hold up those of another: on 2 busy cores, exact search in 17,000
    rows took 50 ms with two, and 0.9 ms with one.
    """
    faiss.omp_set_num_threads(1)


def read_mapped(path: Path) -> faiss.Index:
    """An index that stays on disk, and is read as it is touched.

    Raises:
        CollectionError: the file is not an index that faiss can read.
    """
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise CollectionError(f"expected a faiss index in {path}, found a file it cannot read") from error


class ExactIndex:
    """Unit rows and their inner products, which are cosine similarities.

    What was loaded stays on disk and is read as it is touched; pages that many processes touch are there once.
    """

    def __init__(self, index: faiss.Index) -> None:
        self._index: Any = index

    @classmethod
    def build(cls, vectors: Floats) -> "ExactIndex":
        """Of (N, d) float32 unit rows."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return cls(index)

    @classmethod
    def load(cls, path: Path) -> "ExactIndex":
        """Open what `save` wrote.

        Raises:
            CollectionError: the file is not an index that faiss can read.
        """
        return cls(read_mapped(path))

    def save(self, path: Path) -> None:
        """Write to a file."""
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise StorageError(f"{path} cannot be written; make room; what is stored is kept") from error

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def vectors(self) -> Floats:
        """All rows, (N, d) float32."""
        return np.asarray(self._index.reconstruct_n(0, len(self)), dtype=np.float32)

    def rows(self, numbers: Sequence[int] | Rows) -> Floats:
        """The rows of these numbers, (n, d) float32."""
        return np.asarray(self._index.reconstruct_batch(np.asarray(numbers, dtype=np.int64)), dtype=np.float32)

    def nearest(self, vectors: Floats, k: int) -> tuple[Rows, Floats]:
        """The rows closest to each of (n, d) unit vectors, best first: numbers and scores, both (n, min(k, N))."""
        if len(vectors) == 1:
            keep_to_one_core()
        scores, rows = self._index.search(vectors, min(k, len(self)))
        return rows, scores

    def best_of(self, rows: Rows, vector: Floats, k: int) -> tuple[Rows, Floats]:
        """The k of these rows closest to a unit vector (d,), best first: numbers and scores; equals by number.

        The rows are scored where they lie. Of 1,000,000 x 256, 10,000 take 0.7 ms and 100,000 some 10 ms, where
        faiss's search with a selector takes 3 and 20, and copying them for numpy 1.6 and 36.
        """
        rows = np.sort(rows.astype(np.int64, copy=False))
        scores = self._scores(rows, np.ascontiguousarray(vector, dtype=np.float32))
        if k < len(rows):
            least = np.partition(scores, -k)[-k]
            rows, scores = rows[scores >= least], scores[scores >= least]
        order = np.argsort(-scores, kind="stable")[:k]
        return rows[order], scores[order]

    def _scores(self, rows: Rows, vector: Floats) -> Floats:
        scores = np.empty(len(rows), dtype=np.float32)
        faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]  # its stub
            *map(faiss.swig_ptr, (scores, vector)), self._index.get_xb(), faiss.swig_ptr(rows),
            self.dim, 1, len(rows),
        )  # fmt: skip
        return scores

"""Vectors -> nearest rows: the door to exact and to approximate search."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer import approximate_index
from indexer.approximate_index import ApproximateIndex
from indexer.errors import CollectionError
from indexer.exact_index import EXACT_BYTES, ExactIndex, Rows, is_quick
from indexer.index_settings import FLAT, FLOAT16, FLOAT32, INT8, IndexNote
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.subset import Subset

# Rows proposed for each result wanted: what is stored in short is ranked a little wrongly, before it is scored.
_PROPOSALS = {FLOAT32: 1, FLOAT16: 2, INT8: 4}


class VectorIndex:
    """Search by inner product, which for unit rows is the cosine similarity.

    An approximate index only proposes rows; all scores are of the exact vectors, so that a copy scores 1.

    Attributes:
        note: what is told of it.
        narrows_by_rows: see `SearchIndex`.
    """

    narrows_by_rows = True

    def __init__(
        self,
        exact: ExactIndex,
        note: IndexNote,
        approximate: ApproximateIndex | None = None,
        *,
        exact_bytes: int = EXACT_BYTES,
    ) -> None:
        self.note = note
        self._exact = exact
        self._approximate = approximate
        self._exact_bytes = exact_bytes

    @classmethod
    def load(cls, path: Path, note: IndexNote) -> "VectorIndex":
        """Open what `save` wrote; it stays on disk, and is read as it is touched.

        Raises:
            CollectionError: a file is not an index that faiss can read, or the two are not of the same rows.
        """
        exact = ExactIndex.load(path)
        if note.kind == FLAT:
            return cls(exact, note)
        approximate = approximate_index.load(_beside(path))
        if len(approximate) != len(exact):
            raise CollectionError(
                f"expected {len(exact)} rows in {_beside(path)}, found {len(approximate)}; "
                "build with --from-scratch"
            )
        return cls(exact, note, approximate)

    def save(self, path: Path) -> None:
        """Write the exact vectors to a file, and what is approximate to one beside it."""
        self._exact.save(path)
        if self._approximate is not None:
            self._approximate.save(_beside(path))

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> "VectorIndex":
        """What `to_arrays` gave.

        Raises:
            KeyError: an array is missing.
        """
        note = IndexNote.from_text(str(arrays["note"]))
        exact, content = ExactIndex.build(arrays["vectors"]), arrays["approximate"]
        return cls(exact, note, approximate_index.from_bytes(content) if content.size else None)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All of it: "vectors" (N, d) float32, "note" as JSON, "approximate" uint8, empty where there is none."""
        empty = np.empty(0, dtype=np.uint8)
        approximate = empty if self._approximate is None else self._approximate.to_bytes()
        return {"vectors": self.vectors(), "note": np.array(self.note.to_text()), "approximate": approximate}

    def noted(self, note: IndexNote) -> "VectorIndex":
        """The same index under another note."""
        return VectorIndex(self._exact, note, self._approximate, exact_bytes=self._exact_bytes)

    def __len__(self) -> int:
        return len(self._exact)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._exact.dim

    def vectors(self) -> Floats:
        """All rows, (N, d) float32."""
        return self._exact.vectors()

    def vector(self, row: int) -> Floats:
        """One row, (d,) float32."""
        first: Floats = self._exact.rows([row])[0]
        return first

    def rows(self, numbers: Sequence[int] | Rows) -> Floats:
        """The rows of these numbers, (n, d) float32."""
        return self._exact.rows(numbers)

    def nearest(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: Rows | Subset | None = None
    ) -> list[Hit]:
        """The k rows closest to a unit vector (d,), best first; fewer where fewer are searched in.

        Args:
            vector: what to search with.
            k: how many, from 1.
            exclude: rows to leave out.
            among: the only rows to search in, each once; None for all. All k are found wherever so many are there.
        """
        among = among.rows if isinstance(among, Subset) else among
        if among is None:
            rows, scores = self._in_all(vector, min(k + len(exclude), len(self)))
            if len(exclude):
                kept = ~np.isin(rows, exclude)
                rows, scores = rows[kept][:k], scores[kept][:k]
        else:
            searched = among[~np.isin(among, exclude)] if len(exclude) else among
            rows, scores = self._in_some(vector, min(k, len(searched)), searched)
        clipped = np.clip(scores, -1.0, 1.0)
        return [Hit(row, score) for row, score in zip(rows.tolist(), clipped.tolist(), strict=True)]

    def proposed(self, vector: Floats, k: int, among: Rows | None = None) -> Rows | None:
        """Rows among which the k nearest likely are; None where exact search has to find them."""
        effort = self.note.effort_for(k)
        if self._approximate is None or effort is None:
            return None
        rows = self._approximate.propose(vector, _PROPOSALS[self.note.storage] * k, effort, among)
        return rows if len(rows) >= k else None

    def _in_all(self, vector: Floats, k: int) -> tuple[Rows, Floats]:
        proposed = self.proposed(vector, k)
        if proposed is not None:
            return self._exact.best_of(proposed, vector, k)
        rows, scores = self._exact.nearest(vector[np.newaxis], k)
        return rows[0], scores[0]

    def _in_some(self, vector: Floats, k: int, among: Rows) -> tuple[Rows, Floats]:
        proposed = None
        if not is_quick(len(among), self.dim, self._exact_bytes):
            proposed = self.proposed(vector, k, among)
        return self._exact.best_of(among if proposed is None else proposed, vector, k)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}-approximate{path.suffix}")

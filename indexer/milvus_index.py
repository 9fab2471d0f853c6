"""Vectors in a collection on a Milvus server -> nearest rows: the door, as `vector_index` is for those on disk."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import numpy as np

from indexer.errors import CollectionError
from indexer.exact_index import Rows
from indexer.filters import NO_FILTERS, Filters
from indexer.index_settings import FLAT, HNSW, IVF, IndexNote
from indexer.milvus_filters import expression
from indexer.milvus_rows import ATTRIBUTES, ROW, VECTOR
from indexer.milvus_server import MilvusServer
from indexer.milvus_words import MOST_HITS, Effort, Question, Shape
from indexer.milvus_writing import write_index
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.subset import Subset

__all__ = ["MilvusIndex", "write_index"]

_READ_BYTES = 8_000_000  # of vectors in one answer
_KEPT_COUNTS = 256  # expressions whose number of rows is remembered: a collection never changes


class MilvusIndex:
    """Search by inner product, which for unit rows is the cosine similarity; all scores are of the exact vectors.

    Attributes:
        note: what is told of it.
        narrows_by_rows: see `SearchIndex`.

    Raises:
        CollectionError: in every method: the server refuses what is asked.
        StoreUnreachableError: in every method: it cannot be reached, or does not answer in time.
    """

    narrows_by_rows = False

    def __init__(self, server: MilvusServer, name: str, note: IndexNote, shape: Shape) -> None:
        self.note = note
        self._server = server
        self._name = name
        self._shape = shape
        self._objects = ATTRIBUTES["class_name"].own in shape.fields
        self._counted = lru_cache(_KEPT_COUNTS)(partial(server.count, name))

    @classmethod
    def open(cls, server: MilvusServer, name: str, note: IndexNote) -> "MilvusIndex":
        """Open what `write_index` wrote; the server loads it into memory if it is not there.

        Raises:
            CollectionError: it is not there.
        """
        if not server.has(name):
            raise CollectionError(
                f"expected the collection {name} on the Milvus server, found none; build with --from-scratch"
            )
        index = cls(server, name, note, server.shape(name))
        server.load(name)
        return index

    def __len__(self) -> int:
        return self._counted("")

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._shape.dim

    def count(self, filters: Filters, exclude: Sequence[int] = ()) -> int:
        """Rows that fulfil filters, without those to leave out."""
        return self._counted(self._expression(filters, exclude))

    def vectors(self) -> Floats:
        """All rows, (N, d) float32.

        Raises:
            CollectionError: some are missing.
        """
        return self.rows(range(len(self)))

    def vector(self, row: int) -> Floats:
        """One row, (d,) float32."""
        first: Floats = self.rows([row])[0]
        return first

    def rows(self, numbers: Sequence[int] | Rows) -> Floats:
        """The rows of these numbers, (n, d) float32.

        Raises:
            CollectionError: some of them are not there.
        """
        wanted, places = np.unique(np.asarray(numbers, dtype=np.int64), return_inverse=True)
        found = np.empty((len(wanted), self.dim), dtype=np.float32)
        for start in range(0, len(wanted), self._batch):
            asked = wanted[start : start + self._batch]
            rows, vectors = self._read(_among(asked))
            order = np.argsort(rows)
            if not np.array_equal(rows[order], asked):
                raise CollectionError(
                    f"expected {len(asked)} rows from {asked[0]} to {asked[-1]} in the collection {self._name}, "
                    f"found {len(rows)}; build with --from-scratch"
                )
            found[start : start + len(asked)] = vectors[order]
        return found[places.ravel()]

    def nearest(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: Subset | None = None
    ) -> list[Hit]:
        """The k rows closest to a unit vector (d,), best first, equals by number; fewer where there are fewer.

        Args:
            vector: what to search with.
            k: how many, from 1.
            exclude: rows to leave out.
            among: the only rows to search in, told by filters; None for all. All k are found wherever so many are.
        """
        filters = NO_FILTERS if among is None else among.filters
        depth = k + 1
        while True:
            hits = self._best(vector, depth, exclude, filters)
            # Which of equal rows a server leaves out is chance; where the last is one of them, more are asked for.
            if len(hits) < depth or depth > MOST_HITS or hits[k].score < hits[k - 1].score:
                return hits[:k]
            depth *= 2

    def _best(self, vector: Floats, depth: int, exclude: Sequence[int], filters: Filters) -> list[Hit]:
        """As many as the server gives at once, then the best without these, and so on."""
        found: list[Hit] = []
        while len(found) < depth:
            limit = min(depth - len(found), MOST_HITS)
            text = self._expression(filters, [*exclude, *(hit.image_id for hit in found)])
            hits = self._some(vector, limit, text, self._effort(len(found) + limit, filters))
            found += hits
            if len(hits) < limit:
                break
        clipped = (Hit(hit.image_id, min(max(hit.score, -1.0), 1.0)) for hit in found)
        return sorted(clipped, key=_order)

    def _some(self, vector: Floats, limit: int, text: str, effort: Effort) -> list[Hit]:
        hits = self._ask(vector, Question(limit, effort, text))
        # Past the lists or candidates looked at, an approximate index finds nothing, however much there is.
        if self._is_all(hits, limit, text):
            return hits
        if effort.kind == IVF:
            everything = Effort(IVF, self.note.parameters["lists"])
            hits = self._ask(vector, Question(limit, everything, text))
        return hits if self._is_all(hits, limit, text) else self._scanned(vector, limit, text)

    def _is_all(self, hits: Sequence[Hit], limit: int, text: str) -> bool:
        """Whether there are no more rows to be found, of so many that fulfil an expression."""
        return self.note.kind == FLAT or len(hits) == limit or len(hits) >= self._counted(text)

    def _ask(self, vector: Floats, question: Question) -> list[Hit]:
        return self._server.search(self._name, vector[np.newaxis], question)[0]

    def _scanned(self, vector: Floats, limit: int, text: str) -> list[Hit]:
        """By scoring every row that fulfils an expression, here: the last resort."""
        best: list[Hit] = []
        for rows, vectors in self._every(text):
            scored = map(Hit, rows.tolist(), (vectors @ vector).tolist())
            best = sorted([*best, *scored], key=_order)[:limit]
        return best

    def _effort(self, depth: int, filters: Filters) -> Effort:
        """What was found to do for so many rows; as much more as there are rows to each one that filters leave."""
        if self.note.kind == FLAT:
            return Effort(FLAT, 0)
        most = len(self) if self.note.kind == HNSW else self.note.parameters["lists"]
        amount = self.note.effort_for(depth)
        if amount is None:  # deeper than what was tuned for
            tuned, effort = self.note.efforts[-1]
            amount = math.ceil(effort * depth / tuned) if self.note.kind == HNSW else most
        if not filters.ask_nothing:
            amount = math.ceil(amount * len(self) / max(self.count(filters), 1))
        return Effort(self.note.kind, max(min(amount, most), depth if self.note.kind == HNSW else 1))

    def _expression(self, filters: Filters, exclude: Sequence[int]) -> str:
        return expression(filters, exclude, self._shape.slots, objects=self._objects)

    @property
    def _batch(self) -> int:
        """Rows read at once."""
        return min(max(_READ_BYTES // (4 * self.dim), 1), MOST_HITS)

    def _every(self, text: str) -> Iterator[tuple[Rows, Floats]]:
        """All rows that fulfil an expression, in batches, by ranges of the key: numbers and vectors."""
        for start in range(0, len(self), self._batch):
            ranged = f"{ROW} >= {start} and {ROW} < {start + self._batch}"
            yield self._read(f"{ranged} and {text}" if text else ranged)

    def _read(self, text: str) -> tuple[Rows, Floats]:
        found = self._server.query(self._name, text, (ROW, VECTOR))
        rows = np.array([one[ROW] for one in found], dtype=np.int64)
        vectors = np.array([one[VECTOR] for one in found], dtype=np.float32)
        return rows, vectors.reshape(len(found), self.dim)


def _among(rows: Rows) -> str:
    """An expression of rising numbers: those of a range, or listed."""
    first, last = int(rows[0]), int(rows[-1])
    if last - first == len(rows) - 1:
        return f"{ROW} >= {first} and {ROW} <= {last}"
    return f"{ROW} in [{', '.join(map(str, rows.tolist()))}]"


def _order(hit: Hit) -> tuple[float, int]:
    return -hit.score, hit.image_id

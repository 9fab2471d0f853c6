"""Searching by what is in pictures and by looks together: two indexes propose, and all they propose is scored."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from indexer.likeness import looks
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.semantic_index import SemanticIndex
from indexer.subset import Subset

_ROUNDING = 1e-5  # by which two ways of computing a score in float32 differ at most


class ByLooks(Protocol):
    """What finds the nearest by their vectors: a collection, or its index."""

    def nearest(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: Subset | None = None
    ) -> list[Hit]:
        """See `SearchIndex`."""
        ...


class SemanticSearch:
    """Ranks a collection's images by the score of `Likeness`, wherever its two indexes lie.

    Args:
        collection: what finds by vectors.
        index: of the semantic rows of the same images.
        dim: length of a vector.
    """

    def __init__(self, collection: ByLooks, index: SemanticIndex, dim: int) -> None:
        self._collection = collection
        self._index = index
        self._dim = dim

    def nearest(self, row: Floats, k: int, exclude: Sequence[int] = (), among: Subset | None = None) -> list[Hit]:
        """The k images of the highest scores with a semantic row (D,), best first; see `SearchIndex`.

        Both indexes are asked, deeper each time, until nothing that neither has named can belong to the k best: it
        scores at most what the last that each has named would score together (the threshold algorithm of Fagin,
        Lotem and Naor, 2003).
        """
        vector = looks(row[np.newaxis], self._dim)[0]
        depth = 2 * k
        while True:
            by_row = self._index.nearest(row, depth, exclude, among)
            by_looks = self._collection.nearest(vector, depth, exclude, among)
            hits = self._scored(row, sorted({hit.image_id for hit in (*by_row, *by_looks)}))[:k]
            if len(by_row) < depth or len(by_looks) < depth:
                return hits
            of_row, of_vector = (np.array([found[-1].score], dtype=np.float32) for found in (by_row, by_looks))
            if hits[-1].score > self._index.likeness.score(of_row, of_vector)[0] + _ROUNDING:
                return hits
            depth *= 2

    def rows(self, image_ids: Sequence[int]) -> Floats:
        """The semantic rows of these images, (n, D) float32."""
        return self._index.rows(image_ids)

    def scores(self, row: Floats, rows: Floats) -> Floats:
        """(n,): what semantic rows (n, D) score for a row (D,); what one scores does not depend on the others."""
        of_rows = (rows * row).sum(axis=1)
        of_vectors = (looks(rows, self._dim) * looks(row[np.newaxis], self._dim)).sum(axis=1)
        scores: Floats = self._index.likeness.score(of_rows, of_vectors).clip(-1, 1)
        return scores

    def _scored(self, row: Floats, image_ids: list[int]) -> list[Hit]:
        """Each of these images with its exact score, best first."""
        if not image_ids:
            return []
        scores = self.scores(row, self.rows(image_ids))
        order = np.argsort(-scores, kind="stable")
        return [Hit(image_ids[place], float(scores[place])) for place in order.tolist()]

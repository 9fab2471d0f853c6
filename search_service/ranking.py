"""Rows to search with -> ranked results: filtered, paged, each image once, near-duplicates folded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.collection import Collection
from indexer.near_duplicates import DECIDING_STAGE, Maps, near_duplicate_pairs
from indexer.records import Hit
from indexer.reduction import Floats, unit_rows
from indexer.semantic_index import SemanticIndex
from indexer.semantic_search import SemanticSearch
from indexer.subset import Subset
from search_service.errors import RequestError
from search_service.records import MAX_RESULTS, OBJECTS, SEMANTIC, VISUAL, Wishes
from search_service.score_sample import draw, percentiles

NEGATIVE = 0.25
"""What the negatives of a query count beside its positives: 0.15 to 0.25 is usual in Rocchio's feedback (Manning,
Raghavan and Schuetze, Introduction to Information Retrieval, 9.1.1)."""
_LEAST_LENGTH = 1e-4  # of what positives less negatives come to; below it they point nowhere
_DEEPER = 4  # times as many hits are asked for where too few were left of them


@dataclass(frozen=True, slots=True)
class Ranked:
    """One result: an image, by which of its objects it was found, and how many near-duplicates were left out.

    `percentile` is the percentage of the rows searched in that score less, whatever the filters.
    """

    image_id: int
    score: float
    object_id: int | None = None
    near_duplicates: int = 0
    percentile: float = 100.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """The results asked for, best first; how many rows were searched in; whether there are more results."""

    results: tuple[Ranked, ...]
    searched: int
    more: bool


class Ranker:
    """Ranks a collection's images, or its objects."""

    def __init__(self, collection: Collection, semantic: SemanticIndex | None) -> None:
        self._collection = collection
        dim = collection.manifest.vector_dim
        self._semantic = None if semantic is None else SemanticSearch(collection, semantic, dim)
        objects = 0 if collection.objects is None else len(collection.objects)
        self._samples = {VISUAL: draw(len(collection)), SEMANTIC: draw(len(collection)), OBJECTS: draw(objects)}
        self._sampled_rows: dict[str, Floats] = {}  # space -> its sample, once it was read

    def rank(self, row: Floats, mode: str, wishes: Wishes, exclude: Sequence[int]) -> Ranking:
        """The best results for a unit row (d,) of the mode's space, without the images in `exclude`.

        All k results are found wherever so many fulfil the filters, for the filters work inside the index.
        """
        nearest, searched = (
            self._objects(row, wishes, exclude)
            if wishes.target == OBJECTS
            else self._images(row, mode, wishes, exclude)
        )
        wanted = min(wishes.offset + wishes.k + 1, MAX_RESULTS)
        found = _gather(
            lambda depth: _scoring(nearest(depth), wishes.min_score),
            lambda ranked: self._sift(ranked, fold_duplicates=wishes.fold_duplicates),
            wanted,
        )
        end = wishes.offset + wishes.k
        results = self._explain(found[wishes.offset : end], row, mode, wishes.target, exclude)
        return Ranking(tuple(results), searched, len(found) > end)

    def _explain(
        self, ranked: Sequence[Ranked], row: Floats, mode: str, target: str, exclude: Sequence[int]
    ) -> list[Ranked]:
        """The same with their percentiles among the rows that are not of an image in `exclude`."""
        space = OBJECTS if target == OBJECTS else mode
        sampled = self._samples[space]
        others = ~np.isin(self._collection.images_of_objects[sampled] if space == OBJECTS else sampled, exclude)
        rows = [one.image_id if one.object_id is None else one.object_id for one in ranked]
        scores = [one.score for one in ranked]
        told = percentiles(rows, scores, sampled[others], self._score_sample(row, space)[others])
        return [replace(one, percentile=percentile) for one, percentile in zip(ranked, told, strict=True)]

    def _read_sample(self, space: str) -> Floats:
        """(n, d): the sampled rows of a space."""
        ids = self._samples[space].tolist()
        if space == SEMANTIC and self._semantic is not None:
            return self._semantic.rows(ids)
        if space == OBJECTS and self._collection.objects is not None:
            return self._collection.objects.rows(ids)
        return self._collection.vectors_of(ids)

    def _score_sample(self, row: Floats, space: str) -> Floats:
        """(n,): what the sampled rows of a space score for a row (d,), as its results are scored."""
        if space not in self._sampled_rows:
            self._sampled_rows[space] = self._read_sample(space)
        rows = self._sampled_rows[space]
        if space == SEMANTIC and self._semantic is not None:
            return self._semantic.scores(row, rows)
        scores: Floats = rows @ row
        return scores

    def _images(
        self, row: Floats, mode: str, wishes: Wishes, exclude: Sequence[int]
    ) -> tuple[Callable[[int], list[Ranked]], int]:
        collection = self._collection
        among = collection.subset_of_images(wishes.filters)
        index = self._semantic if mode == SEMANTIC and self._semantic is not None else collection

        def nearest(depth: int) -> list[Ranked]:
            return [Ranked(hit.image_id, hit.score) for hit in index.nearest(row, depth, exclude, among)]

        return nearest, _count(len(collection), among, exclude)

    def _objects(
        self, row: Floats, wishes: Wishes, exclude: Sequence[int]
    ) -> tuple[Callable[[int], list[Ranked]], int]:
        collection = self._collection
        among = collection.subset_of_objects(wishes.filters)
        owners = collection.images_of_objects
        left_out = np.flatnonzero(np.isin(owners, exclude)).tolist() if exclude else []

        def nearest(depth: int) -> list[Ranked]:
            hits: list[Hit] = collection.nearest_objects(row, depth, left_out, among)
            return [Ranked(int(owners[hit.image_id]), hit.score, hit.image_id) for hit in hits]

        return nearest, _count(len(owners), among, left_out)

    def _sift(self, ranked: Sequence[Ranked], *, fold_duplicates: bool) -> list[Ranked]:
        """Each image once, by its best object; without near-duplicates of a better one where they are unwanted."""
        best: dict[int, Ranked] = {}
        for one in ranked:
            best.setdefault(one.image_id, one)
        if not fold_duplicates or not best:
            return list(best.values())
        maps = self._collection.maps.get(DECIDING_STAGE)
        return fold(
            list(best.values()),
            self._collection.vectors_of(list(best)),
            None if maps is None else maps[list(best)],
        )


def combine(positives: list[Floats], negatives: list[Floats]) -> Floats:
    """Mean of the positives less `NEGATIVE` times that of the negatives: unit rows (d,) -> (d,) float32, unit.

    Raises:
        RequestError: both are the same, or the positives cancel.
    """
    row: Floats = np.mean(positives, axis=0, dtype=np.float32)
    away: Floats = np.mean(negatives, axis=0, dtype=np.float32) if negatives else np.zeros_like(row)
    directed: Floats = row - NEGATIVE * away
    if min(float(np.linalg.norm(one)) for one in (row - away, directed)) < _LEAST_LENGTH:
        message = "expected positives that differ from the negatives, found them the same; leave some out"
        raise RequestError(400, "no_direction", message)
    unit: Floats = unit_rows(directed[np.newaxis])[0]
    return unit


def fold(ranked: Sequence[Ranked], vectors: Floats, maps: Maps | None = None) -> list[Ranked]:
    """Those that are no near-duplicate of a better one that is kept; each told how many of it are left out.

    Args:
        ranked: best first.
        vectors: of their images, (n, d) float32 unit rows.
        maps: of their images, (n, c, h, w), where they are kept.
    """
    worse: dict[int, list[int]] = {}
    for better, other in near_duplicate_pairs(vectors, maps).tolist():
        worse.setdefault(better, []).append(other)
    kept: list[Ranked] = []
    left_out: set[int] = set()
    for place, one in enumerate(ranked):
        if place not in left_out:
            near = set(worse.get(place, ())) - left_out
            left_out |= near
            kept.append(replace(one, near_duplicates=len(near)))
    return kept


def _gather(
    nearest: Callable[[int], list[Ranked]], sift: Callable[[Sequence[Ranked]], list[Ranked]], wanted: int
) -> list[Ranked]:
    """The first results that sifting leaves, asking for more hits until there are enough, or no more."""
    depth = wanted
    while True:
        hits = nearest(depth)
        sifted = sift(hits)
        if len(sifted) >= wanted or len(hits) < depth:
            return sifted[:wanted]
        depth *= _DEEPER


def _scoring(ranked: list[Ranked], min_score: float | None) -> list[Ranked]:
    return ranked if min_score is None else [one for one in ranked if one.score >= min_score]


def _count(rows: int, among: Subset | None, left_out: Sequence[int]) -> int:
    return rows - len(left_out) if among is None else among.count(left_out)

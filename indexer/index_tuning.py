"""What an index finds of the true nearest rows, in what time, and the least effort that finds enough."""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.approximate_index import learn_centroids
from indexer.exact_index import ExactIndex, Rows
from indexer.index_settings import RECALL_AT, IndexSettings
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.vector_index import VectorIndex

QUERIES = {16: 500, 32: 250, 128: 100, 1_024: 50}
"""Depth to tune for -> queries to do it with: one of many results tells as much as many of few.

The depths are what is asked for most: ten results, a page of them, a hundred, the last of a thousand; each with
one more, which tells whether there are more, and some to be left out, as the images of the query are.
"""

_TIMED = 50  # queries, where there is nothing but time to measure
_SEED = 0
_POINTS = 40  # rows a list, that its centroid is learned from; faiss's own least is 39
_LISTS = (1, 2, 4)  # times the square root of the number of rows
_ROUNDING = 1e-6  # of a score, by which sums of some hundred products in another order differ


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of an index as queries, held aside while it is tuned, and what exact search finds in the others.

    A row that is in a graph itself is searched with more easily than a new picture is: its links lead on.

    Attributes:
        rows: (n,), their numbers.
        queries: (n, d) float32 unit rows.
        others: (N - n,), the numbers of the others.
        found: (n, depth), the others nearest to each, best first.
        scores: (n, depth), theirs.
    """

    rows: Rows
    queries: Floats
    others: Rows
    found: Rows
    scores: Floats

    @classmethod
    def draw(cls, exact: ExactIndex) -> "Sample":
        """A tenth of two rows or more, or as much of them as is enough; always the same of the same rows."""
        count = len(exact)
        rows = draw_numbers(count, min(max(QUERIES.values()), max(count // 10, 1)))
        others = np.setdiff1d(np.arange(count), rows)
        queries, depth = exact.rows(rows), min(max(QUERIES), len(others))
        found, scores = exact.nearest(queries, depth + len(rows))
        foreign = np.argsort(np.isin(found, rows), axis=1, kind="stable")[:, :depth]
        return cls(
            rows, queries, others, np.take_along_axis(found, foreign, 1), np.take_along_axis(scores, foreign, 1)
        )


def draw(vectors: Floats, count: int) -> Floats:
    """At most so many of (N, d) rows; always the same of the same."""
    return vectors[np.sort(draw_numbers(len(vectors), count))]


def choose_centroids(vectors: Floats, sample: Sample, settings: IndexSettings) -> Floats:
    """The centroids (lists, d) of inverted lists: as many as asked for, or as find enough by looking at least.

    Looked at are the centroids, and the rows of the lists that are probed. In which lists the true neighbours of
    the sample lie tells how many have to be, before all rows are put into theirs.
    """
    root = round(math.sqrt(len(vectors)))
    counts = [settings.lists] if settings.lists else [times * root for times in _LISTS]
    learned = [_learn(vectors, min(count, len(vectors))) for count in counts]
    return min(learned, key=lambda centroids: _looked_at(centroids, vectors, sample, settings.recall))


def tune(index: VectorIndex, efforts: Sequence[int], sample: Sample, recall: float) -> VectorIndex | None:
    """The index with the least of these efforts that find this share of the true results, for each depth.

    An effort does where the mean over the sample, less its standard error, reaches what is asked for. Depths for
    which none does are left to exact search; None where that is so of the first.
    """
    found: tuple[tuple[int, int], ...] = ()
    for depth in QUERIES:
        at_least = found[-1][1] if found else 0
        trials = ((depth, effort) for effort in efforts if effort >= at_least)
        enough = next((one for one in trials if _lower_bound(index, one, sample) >= recall), None)
        if enough is None:
            break
        found = (*found, enough)
    return index.noted(replace(index.note, efforts=found)) if found else None


def measured(index: VectorIndex, sample: Sample) -> VectorIndex:
    """The index, its note telling what the sample found of the first results, and how long a query took."""
    depth = min(RECALL_AT, sample.scores.shape[1])
    answers, milliseconds = _ask(index, sample.queries, depth)
    true = zip(answers, sample.scores, strict=True)
    recall = float(
        np.mean([share_found(np.array([hit.score for hit in hits]), scores[:depth]) for hits, scores in true])
    )
    return index.noted(replace(index.note, recall=round(recall, 4), milliseconds=milliseconds))


def timed(index: VectorIndex) -> VectorIndex:
    """An exact index, its note telling how long a query took."""
    queries = index.rows(draw_numbers(len(index), _TIMED))
    return index.noted(replace(index.note, milliseconds=_ask(index, queries, RECALL_AT)[1]))


def _ask(index: VectorIndex, queries: Floats, k: int) -> tuple[list[list[Hit]], float]:
    """What each query finds, one at a time, and the median of their milliseconds."""
    answers, taken = [], []
    for query in queries:
        started = time.perf_counter()
        answers.append(index.nearest(query, k))
        taken.append(1_000 * (time.perf_counter() - started))
    return answers, round(statistics.median(taken), 3)


def _lower_bound(index: VectorIndex, effort: tuple[int, int], sample: Sample) -> float:
    """What recall at a depth surely is with this (depth, effort): the mean, less its standard error."""
    asked, depth = QUERIES[effort[0]], min(effort[0], sample.scores.shape[1])
    trial, recalls = index.noted(replace(index.note, efforts=(effort,))), []
    for query, scores in zip(sample.queries[:asked], sample.scores, strict=False):
        rows = trial.proposed(query, depth)
        recalls.append(0.0 if rows is None else share_found(trial.rows(rows) @ query, scores[:depth]))
    return float(np.mean(recalls) - np.std(recalls) / math.sqrt(len(recalls)))


def share_found(scores: Floats, true_scores: Floats) -> float:
    """Share of the true results that are found; a row that scores like them counts: copies are equal."""
    return min(float(np.sum(scores >= true_scores[-1] - _ROUNDING)) / len(true_scores), 1.0)


def draw_numbers(count: int, wanted: int) -> Rows:
    """At most so many of the numbers from 0 up to a count; always the same of the same."""
    chosen = np.random.default_rng(_SEED).choice(count, min(count, wanted), replace=False)
    return np.asarray(chosen, dtype=np.int64)


def _learn(vectors: Floats, lists: int) -> Floats:
    return learn_centroids(draw(vectors, _POINTS * lists), lists, _SEED)


def _looked_at(centroids: Floats, vectors: Floats, sample: Sample, recall: float) -> float:
    """Vectors that a query looks at, on average, where it probes as many lists as have to be."""
    neighbours = sample.found[:, :RECALL_AT]
    lists = np.argmax(vectors[neighbours.ravel()] @ centroids.T, axis=1).reshape(neighbours.shape)
    ranks = np.argsort(np.argsort(-(sample.queries @ centroids.T), axis=1), axis=1)
    probed = 1 + np.quantile(np.take_along_axis(ranks, lists, axis=1), recall, method="higher")
    return float(len(centroids) + probed * len(vectors) / len(centroids))

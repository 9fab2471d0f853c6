"""What an index on a server finds of the true nearest rows, and the least effort that finds enough."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.exact_index import ExactIndex, Rows
from indexer.index_settings import HNSW, RECALL_AT
from indexer.index_tuning import QUERIES, draw_numbers, share_found
from indexer.records import Hit
from indexer.reduction import Floats

Search = Callable[[Floats, int, int], list[list[Hit]]]
"""Queries (n, d) float32, how many rows of each, with what effort -> these, best first."""

_QUERIES, _FEWEST = 100, 10  # in all, and for the deepest results: a server answers each of them over a network
_MOST_CANDIDATES = 4_096  # of a graph


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows as queries, each of them left out of what is found with it.

    Attributes:
        rows: (n,), their numbers.
        queries: (n, d) float32 unit rows.
        scores: (n, depth), of the true nearest others, best first.
    """

    rows: Rows
    queries: Floats
    scores: Floats

    @classmethod
    def draw(cls, vectors: Floats) -> "Sample":
        """Of (N, d) float32 unit rows, two or more; always the same of the same."""
        rows = draw_numbers(len(vectors), _QUERIES)
        queries, depth = vectors[rows], min(max(QUERIES), len(vectors) - 1)
        found, scores = ExactIndex.build(vectors).nearest(queries, depth + 1)
        others = np.argsort(found == rows[:, np.newaxis], axis=1, kind="stable")[:, :depth]
        return cls(rows, queries, np.take_along_axis(scores, others, axis=1))

    def recalls(self, search: Search, depth: int, effort: int, asked: int = _QUERIES) -> Floats:
        """Shares of the true results, to a depth, that each of some queries finds with an effort."""
        wanted = min(depth, self.scores.shape[1])
        answers = search(self.queries[:asked], wanted + 1, effort)
        rows, truth = self.rows[:asked].tolist(), self.scores[:asked, :wanted]
        return np.array(
            [
                share_found(np.array(_scores_of_others(hits, row)[:wanted]), true)
                for hits, row, true in zip(answers, rows, truth, strict=True)
            ]
        )


def efforts(kind: str, lists: int, depth: int) -> list[int]:
    """What to try for so many results, each twice the one before: of "hnsw" candidates, else lists."""
    if kind == HNSW:
        return [2**power for power in range(4, 1 + int(math.log2(_MOST_CANDIDATES))) if 2**power >= depth]
    return [*(2**power for power in range(int(math.log2(max(lists - 1, 1))) + 1)), lists]


def tune(
    search: Search, tried: Callable[[int], Sequence[int]], sample: Sample, recall: float
) -> tuple[tuple[int, int], ...]:
    """(depth, effort): the least of the efforts to try that finds this share, for each depth as far as one does.

    As for an index on disk: an effort does where the mean, less its standard error, reaches what is asked for.
    """
    found: tuple[tuple[int, int], ...] = ()
    for depth, queries in QUERIES.items():
        asked, at_least = max(queries // 5, _FEWEST), found[-1][1] if found else 0
        enough = (
            effort
            for effort in tried(depth)
            if effort >= at_least and _surely(sample.recalls(search, depth, effort, asked)) >= recall
        )
        effort = next(enough, None)
        if effort is None:
            break
        found = (*found, (depth, effort))
    return found


def recall_of(search: Search, effort: int, sample: Sample) -> float:
    """Mean recall@10 over the sample."""
    return round(float(np.mean(sample.recalls(search, RECALL_AT, effort))), 4)


def _surely(recalls: Floats) -> float:
    return float(np.mean(recalls) - np.std(recalls) / math.sqrt(len(recalls)))


def _scores_of_others(hits: Sequence[Hit], row: int) -> list[float]:
    return [hit.score for hit in hits if hit.image_id != row]

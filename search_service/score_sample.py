"""What a score means: how much of the collection is less like the query, counted on rows kept in memory."""

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.reduction import Floats

SIZE = 1_000
"""Rows of a sample; of an index that has no more, all, so that what is counted on it is exact."""
_EQUAL = 1e-6  # by which two ways to compute one score may differ


def draw(rows: int) -> NDArray[np.int64]:
    """Numbers of up to `SIZE` of so many rows, ascending, always the same."""
    lot = random.Random(0)  # noqa: S311 - a choice of rows, no secret
    return np.array(sorted(lot.sample(range(rows), min(rows, SIZE))), dtype=np.int64)


def percentiles(
    rows: Sequence[int], scores: Sequence[float], sampled: NDArray[np.int64], sample_scores: Floats
) -> list[float]:
    """Percentage of the other rows that score less, of each row: in [0, 100]; 100 where there is no other.

    Args:
        rows: numbers of the rows that are asked about.
        scores: theirs.
        sampled: (n,) numbers of the rows that stand for all.
        sample_scores: (n,) theirs for the same query.
    """
    below = np.searchsorted(np.sort(sample_scores), np.asarray(scores) - _EQUAL)
    others = len(sampled) - np.isin(rows, sampled)
    found: list[float] = np.where(others > 0, 100.0 * below / np.maximum(others, 1), 100.0).tolist()
    return found

"""Vectors joined with what a head sees in the pictures: search that knows classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.evaluate import judge_rankings
from indexer.records import IndexedImage
from indexer.reduction import Floats, unit_rows

WEIGHTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
DEFAULT_WEIGHT = 1.0


def join(vectors: Floats, presence: NDArray[np.float32], weight: float) -> Floats:
    """Unit rows (N, d) with the unit rows of class probabilities (N, classes) beside them, (N, d + classes), unit.

    The score of two such rows is (cosine of the vectors + weight^2 * cosine of the probabilities)
    / (1 + weight^2).
    """
    return unit_rows(np.concatenate([vectors, weight * unit_rows(presence)], axis=1).astype(np.float32))


def choose_weight(images: Sequence[IndexedImage], vectors: Floats, presence: NDArray[np.float32]) -> float:
    """The weight under which images held aside find each other best, by mAP of "shares a class".

    The default where they are too few to find anything.
    """
    if len({name for image in images for name in image.class_names}) < len(images):
        return max(WEIGHTS, key=lambda weight: _mean_average_precision(images, join(vectors, presence, weight)))
    return DEFAULT_WEIGHT


def _mean_average_precision(images: Sequence[IndexedImage], rows: Floats) -> float:
    return judge_rankings(images, rows, images, rows).shares_class.overall.map

"""Vectors joined with what a head sees in the pictures: search that knows classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from indexer.evaluate import judge_rankings
from indexer.likeness import DEFAULT_LIKENESS, Likeness
from indexer.records import IndexedImage
from indexer.reduction import Floats, unit_rows

WEIGHTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
DEFAULT_WEIGHT = 1.0
_NO_REWARD = Likeness(reward=0.0, threshold=0.5)
_LOSS = 0.001  # of the sum of precision@10 and mAP, both in [0, 1]
LIKENESSES = tuple(Likeness(*pair) for pair in product((1.0, 1.5, 2.0, 3.0), (0.4, 0.45, 0.5, 0.55, 0.6)))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """N pictures: `vectors` (N, d) float32 unit rows, `presence` (N, classes) float32 probabilities."""

    vectors: Floats
    presence: Floats


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CopyTrial:
    """Copies to find their originals by.

    Attributes:
        copies: N of them.
        gallery: G pictures to find them among.
        originals: (N,) rows of the gallery.
    """

    copies: Seen
    gallery: Seen
    originals: NDArray[np.int64]


def join(vectors: Floats, presence: NDArray[np.float32], weight: float) -> Floats:
    """Unit rows (N, d) with the unit rows of class probabilities (N, classes) beside them, (N, d + classes), unit.

    The cosine of two such rows is (cosine of the vectors + weight^2 * cosine of the probabilities)
    / (1 + weight^2).
    """
    return unit_rows(np.concatenate([vectors, weight * unit_rows(presence)], axis=1).astype(np.float32))


def choose_scoring(
    images: Sequence[IndexedImage], seen: Seen, trial: CopyTrial | None = None
) -> tuple[float, Likeness]:
    """The weight of presence, and the reward for likeness, by images held aside.

    The weight is the one under which they find each other best, by the sum of precision@10 and mAP of "shares a
    class". The reward is the one by which most copies find their original first, of those that take at most
    `_LOSS` off that sum. Without copies the default reward stays, without images that share classes all defaults.
    """
    if len({name for image in images for name in image.class_names}) >= len(images):
        return DEFAULT_WEIGHT, DEFAULT_LIKENESS
    dim = seen.vectors.shape[1]

    def ranked(weight: float, likeness: Likeness) -> float:
        rows = join(seen.vectors, seen.presence, weight)
        found = judge_rankings(images, rows, images, rows, partial(likeness.scores, dim=dim)).shares_class.overall
        return found.precision_at_10 + found.map

    weight = max(WEIGHTS, key=lambda weight: ranked(weight, _NO_REWARD))
    if trial is None:
        return weight, DEFAULT_LIKENESS
    kept = {likeness: ranked(weight, likeness) for likeness in LIKENESSES}
    least = min(ranked(weight, _NO_REWARD) - _LOSS, max(kept.values()))
    copies, gallery = (join(one.vectors, one.presence, weight) for one in (trial.copies, trial.gallery))

    def found_first(likeness: Likeness) -> float:
        return float((likeness.scores(copies, gallery, dim).argmax(axis=1) == trial.originals).mean())

    harmless = [likeness for likeness in LIKENESSES if kept[likeness] >= least]
    return weight, max(harmless, key=lambda likeness: (found_first(likeness), kept[likeness]))

"""VOC's average precision of detections, by the rule of 2010 and after; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RIGHT = 0.5  # IoU from which a detection finds its object
_ROUNDING = 1e-9  # by which two recalls that are equal may differ

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The objects of one class in one picture: boxes (M, 4), and whether each is `difficult` (M,)."""

    boxes: Doubles
    difficult: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The detections of one class in one picture: boxes (M, 4) and scores (M,)."""

    boxes: Doubles
    scores: Doubles


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall as the score goes down.

    Attributes:
        precision: (D,) in [0, 1].
        recall: (D,) in [0, 1], rising.
        objects: how many there were to be found, difficult ones aside.
    """

    precision: Doubles
    recall: Doubles
    objects: int

    def best_at(self, recalls: Doubles) -> Doubles:
        """The best precision at each of these recalls (R,) or beyond it, in [0, 1]; 0 where it is not reached."""
        falling = np.maximum.accumulate(self.precision[::-1])[::-1]
        places = np.searchsorted(self.recall, recalls - _ROUNDING)
        best: Doubles = np.append(falling, 0.0)[places]
        return best

    @property
    def average_precision(self) -> float:
        """Area under the curve once precision is made to fall (Everingham et al., VOC 2012 devkit, 3.4.1)."""
        precision = np.concatenate([[0.0], self.precision, [0.0]])
        recall = np.concatenate([[0.0], self.recall, [1.0]])
        falling = np.maximum.accumulate(precision[::-1])[::-1]
        return float((np.diff(recall) * falling[1:]).sum())


def curve(found: Mapping[int, Found], truth: Mapping[int, Truth]) -> Curve:
    """Match the detections of one class with its objects, best score first.

    A detection is right if the object it overlaps best is overlapped by at least half, and was not found before; a
    detection of a difficult object counts neither way.

    Args:
        found: picture -> detections.
        truth: picture -> objects.
    """
    objects = int(sum((~one.difficult).sum() for one in truth.values()))
    scores = np.concatenate([one.scores for one in found.values()] or [np.empty(0)])
    verdicts = np.concatenate([_judge(one, truth.get(picture)) for picture, one in found.items()] or [np.empty(0)])
    ordered = verdicts[np.argsort(-scores, kind="stable")]
    right, wrong = (ordered == 1).cumsum(), (ordered == 0).cumsum()
    counted = ordered >= 0
    precision = (right / np.maximum(right + wrong, 1))[counted]
    return Curve(precision, (right / max(objects, 1))[counted], objects)


def overlaps(boxes: Doubles, others: Doubles) -> Doubles:
    """IoU of each with each: (A, 4) and (B, 4) -> (A, B)."""
    upper = np.maximum(boxes[:, np.newaxis, :2], others[np.newaxis, :, :2])
    lower = np.minimum(boxes[:, np.newaxis, 2:], others[np.newaxis, :, 2:])
    shared = (lower - upper).clip(min=0).prod(axis=-1)
    areas = [(one[:, 2:] - one[:, :2]).prod(axis=-1) for one in (boxes, others)]
    result: Doubles = shared / (areas[0][:, np.newaxis] + areas[1] - shared)
    return result


def _judge(found: Found, truth: Truth | None) -> Doubles:
    """(M,): 1 for right, 0 for wrong, -1 for one that counts neither way; in the order of the detections."""
    verdicts = np.zeros(len(found.scores))
    if truth is None or not len(truth.boxes):
        return verdicts
    shares = overlaps(found.boxes, truth.boxes)
    taken = np.zeros(len(truth.boxes), dtype=bool)
    for row in np.argsort(-found.scores, kind="stable"):
        best = int(shares[row].argmax())
        if shares[row, best] >= _RIGHT:
            verdicts[row] = -1 if truth.difficult[best] else float(not taken[best])
            taken[best] = True
    return verdicts

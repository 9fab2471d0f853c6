"""How good answers about main objects are: figures, their intervals, and the figures of each class; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import bootstrap
from torch import Tensor

from localizer.boxes import iou, unit_box
from localizer.examples import Examples

FIGURES = ("class_accuracy", "mean_iou", "iou_50", "iou_75", "class_and_iou_50", "corloc")
"""
class_accuracy: share with the right class. mean_iou: of predicted and true box. iou_50, iou_75: share with an IoU
of at least 0.5, 0.75. class_and_iou_50: share with both right. corloc: share whose box has an IoU of at least 0.5
with any object of the picture (Deselaers, Alexe and Ferrari, ECCV 2010).
"""
_RESAMPLES = 2_000
HALF, THREE_QUARTERS = 0.5, 0.75

Marks = NDArray[np.float64]
"""(N, 6): each picture's mark under each of `FIGURES`, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """Answers about N pictures: class ids (N,) int64 and unit boxes (N, 4) float32."""

    class_ids: Tensor
    boxes: Tensor


def mark(guess: Guess, truth: Examples) -> Marks:
    """Mark each picture's answer."""
    right = guess.class_ids == truth.class_ids
    overlaps = iou(guess.boxes, truth.boxes)
    at_half = overlaps >= HALF
    columns = [
        right,
        overlaps,
        at_half,
        overlaps >= THREE_QUARTERS,
        right & at_half,
        best_overlaps(guess.boxes, truth) >= HALF,
    ]
    return torch.stack([column.double() for column in columns], dim=1).numpy()


def best_overlaps(boxes: Tensor, truth: Examples) -> Tensor:
    """(N,): IoU of each picture's box (N, 4) with the object it overlaps best."""
    return torch.stack([iou(box, _all_boxes(truth, row)).max() for row, box in enumerate(boxes)])


def overlaps_with_class(boxes: Tensor, truth: Examples) -> Tensor:
    """(N,): IoU of each picture's box (N, 4) with the best of the objects of its main object's class."""
    class_ids, found = truth.objects.class_ids, []
    for row, box in enumerate(boxes):
        alike = truth.objects.real[row] & (class_ids[row] == truth.class_ids[row])
        found.append(iou(box, truth.objects.boxes[row][alike]).max())
    return torch.stack(found)


def summarise(marks: Marks) -> dict[str, float]:
    """Figure -> mean over the pictures."""
    return dict(zip(FIGURES, marks.mean(axis=0).tolist(), strict=True))


def intervals(marks: Marks, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Figure -> its 95 % interval, by bootstrap over the pictures (percentiles of 2,000 resamples)."""
    if len(marks) < 2:  # noqa: PLR2004 - one picture has no spread
        return {name: (value, value) for name, value in summarise(marks).items()}
    spread = bootstrap(
        (marks,),
        np.mean,
        axis=0,
        vectorized=True,
        method="percentile",
        n_resamples=_RESAMPLES,
        batch=100,
        rng=seed,
    ).confidence_interval
    return {name: (float(spread.low[place]), float(spread.high[place])) for place, name in enumerate(FIGURES)}


def per_class(marks: Marks, truth: Examples, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Class of the true main object -> figures over its pictures, and how many `images` those are."""
    ids = truth.class_ids.numpy()
    return {
        name: {**summarise(marks[ids == number]), "images": int((ids == number).sum())}
        for number, name in enumerate(classes)
        if (ids == number).any()
    }


def confusion(guess: Guess, truth: Examples, classes: int) -> NDArray[np.int64]:
    """(classes, classes): how many of the true class (row) were taken for which (column)."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    known = truth.class_ids >= 0
    np.add.at(counts, (truth.class_ids[known].numpy(), guess.class_ids[known].numpy()), 1)
    return counts


def _all_boxes(truth: Examples, row: int) -> Tensor:
    image = truth.images[row]
    return torch.tensor([unit_box(label.box, image.width, image.height) for label in image.objects])

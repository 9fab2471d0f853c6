"""How good a detector's findings are: VOC's average precision of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from localizer.average_precision import Curve, Found, Truth, curve
from localizer.examples import Examples
from localizer.finding import FoundObjects

COMMON = 20  # objects, difficult ones aside, from which a class's figure says something


@dataclass(frozen=True, slots=True, eq=False)
class DetectionScores:
    """Class id -> precision and recall, for the classes that have objects."""

    curves: dict[int, Curve]

    def mean(self, least: int = 1) -> float:
        """Mean average precision over the classes of at least so many objects; over all where none has as many."""
        common = [one for one in self.curves.values() if one.objects >= least]
        counted = [one.average_precision for one in common or self.curves.values()]
        return float(np.mean(counted)) if counted else 0.0

    def weighted_mean(self) -> float:
        """Mean average precision in which each class counts as much as it has objects; steadier with few."""
        counts = [one.objects for one in self.curves.values()]
        averages = [one.average_precision for one in self.curves.values()]
        return float(np.average(averages, weights=counts)) if counts else 0.0


def score_detections(found: Sequence[FoundObjects], truth: Examples) -> DetectionScores:
    """Hold what was found in each picture against what is there."""
    classes = sorted(set(truth.objects.class_ids[truth.objects.real].tolist()) - {-1})
    curves = {class_id: _curve_of(class_id, found, truth) for class_id in classes}
    return DetectionScores({class_id: one for class_id, one in curves.items() if one.objects})


def _curve_of(class_id: int, found: Sequence[FoundObjects], truth: Examples) -> Curve:
    detections, objects = {}, {}
    for row, one in enumerate(found):
        chosen = one.class_ids == class_id
        detections[row] = Found(one.boxes[chosen].double().numpy(), one.scores[chosen].double().numpy())
        there = truth.objects.real[row] & (truth.objects.class_ids[row] == class_id)
        difficult = np.array([bool(label.difficult) for label in truth.images[row].objects], dtype=bool)
        boxes = truth.objects.boxes[row][there].double().numpy()
        objects[row] = Truth(boxes, difficult[there.numpy()[: len(difficult)]])
    return curve(detections, objects)

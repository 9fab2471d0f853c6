"""A trained dense head, calibrated: all objects of a picture."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from localizer.boxes import pixel_box
from localizer.checkpoint import StoredHead, restore
from localizer.corrections import DetectionCalibration
from localizer.dense_head import DenseHead
from localizer.examples import Inputs
from localizer.finding import FoundObjects, find_objects
from localizer.head import HeadShape
from localizer.records import Prediction

LEAST_PROBABILITY = 0.3  # of what is told


class Detector:
    """Answers which objects there are in a picture, and where.

    Attributes:
        stored: the head as it lies on disk.
        classes: in the order of the head's outputs.
    """

    def __init__(self, stored: StoredHead) -> None:
        self.stored = stored
        self.classes = stored.classes
        shape = HeadShape.of_card(stored.card["inputs"], len(stored.classes))
        self._needs = tuple(shape.inputs)
        self._head = DenseHead(shape)
        restore(self._head, stored)
        lines = stored.card["calibration"]
        self.calibration = DetectionCalibration(tuple(lines["probability"]), tuple(lines["iou"]))

    def answer(self, inputs: Inputs) -> list[FoundObjects]:
        """What is found in each of N pictures, however unlikely, uncalibrated."""
        return find_objects(self._head, {name: inputs[name] for name in self._needs})

    def named(self, found: Sequence[FoundObjects], classes: Sequence[str]) -> list[FoundObjects]:
        """The same with class ids in the order of `classes`; -1 for those that are not among them."""
        order = torch.tensor([classes.index(name) if name in classes else -1 for name in self.classes])
        return [replace(one, class_ids=order[one.class_ids]) for one in found]

    def tell(
        self, found: Sequence[FoundObjects], sizes: Sequence[tuple[int, int]]
    ) -> list[tuple[Prediction, ...]]:
        """The likely ones of what was found, best first, in pixels.

        Args:
            found: in N pictures.
            sizes: N times width and height in pixels.
        """
        return [self._tell_one(one, *size) for one, size in zip(found, sizes, strict=True)]

    def _tell_one(self, found: FoundObjects, width: int, height: int) -> tuple[Prediction, ...]:
        probabilities = self.calibration.probabilities(found.scores).tolist()
        trust = self.calibration.expected_iou(found.scores).tolist()
        rows = zip(found.class_ids.tolist(), probabilities, found.boxes.tolist(), trust, strict=True)
        return tuple(
            Prediction(
                class_name=self.classes[class_id],
                probability=probability,
                box=pixel_box(box, width, height),
                predicted_iou=iou,
            )
            for class_id, probability, box, iou in rows
            if probability >= LEAST_PROBABILITY
        )

"""A trained two-output head, calibrated: the main object of a picture, and the classes in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from indexer.likeness import DEFAULT_LIKENESS, Likeness
from localizer.boxes import pixel_box
from localizer.checkpoint import StoredHead, restore
from localizer.corrections import Calibration
from localizer.examples import Inputs
from localizer.head import HeadShape, make_head
from localizer.predicting import ask
from localizer.records import Candidate, Prediction

CANDIDATES = 5


@dataclass(frozen=True, slots=True, eq=False)
class MainObjects:
    """What is said of the main objects of N pictures.

    Attributes:
        probabilities: (N, classes) float32, rows that sum to 1.
        boxes: (N, 4) float32 unit boxes.
        expected_iou: (N,) float32 in [0, 1].
        presence: (N, classes) float32, probability of each class to be in the picture at all.
    """

    probabilities: Tensor
    boxes: Tensor
    expected_iou: Tensor
    presence: Tensor


class MainObjectFinder:
    """Answers which class a picture's main object is of, and where it is.

    Attributes:
        stored: the head as it lies on disk.
        classes: in the order of the head's outputs.
        needs: names of the inputs that it has to be given.
        semantic_weight: what presence counts beside a vector.
        likeness: what likeness counts in a semantic search.
    """

    def __init__(self, stored: StoredHead) -> None:
        shape = HeadShape.of_card(stored.card["inputs"], len(stored.classes))
        self.stored = stored
        self.classes = stored.classes
        self.needs = tuple(shape.inputs)
        self.semantic_weight = float(stored.card["semantic_weight"])
        chosen = stored.card.get("semantic_likeness")  # not by the first version
        self.likeness = Likeness(**chosen) if chosen else DEFAULT_LIKENESS
        self._head = make_head(shape)
        restore(self._head, stored)
        self._calibration = Calibration(**stored.card["calibration"])

    def answer(self, inputs: Inputs) -> MainObjects:
        """What is said of N pictures, calibrated; `inputs` holds at least those that are needed."""
        said = ask(self._head, {name: inputs[name] for name in self.needs})
        calibration = self._calibration
        return MainObjects(
            calibration.probabilities(said.class_logits),
            said.boxes,
            calibration.expected_iou(said.iou_logits),
            torch.sigmoid(said.presence_logits),
        )

    def tell(
        self, answers: MainObjects, sizes: Sequence[tuple[int, int]]
    ) -> list[tuple[Prediction, tuple[Candidate, ...]]]:
        """The main object of each of N pictures in pixels, and the classes that it may be of, best first.

        Args:
            answers: about them.
            sizes: N times width and height in pixels.
        """
        boxes, trust = answers.boxes.tolist(), answers.expected_iou.tolist()
        told = []
        for row, candidates in enumerate(self._candidates(answers.probabilities)):
            main = Prediction(
                class_name=candidates[0].class_name,
                probability=candidates[0].probability,
                box=pixel_box(boxes[row], *sizes[row]),
                predicted_iou=trust[row],
            )
            told.append((main, candidates))
        return told

    def _candidates(self, probabilities: Tensor) -> list[tuple[Candidate, ...]]:
        best = probabilities.topk(min(CANDIDATES, len(self.classes)), dim=1)
        rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [
            tuple(Candidate(self.classes[number], probability) for number, probability in zip(*row, strict=True))
            for row in rows
        ]

"""How well the heads of a collection do on a split that they were not trained on, beside what needs no head."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Collection
from localizer import scoring
from localizer.baselines import baselines
from localizer.calibration import expected_calibration_error
from localizer.examples import VECTOR, Examples, read_examples
from localizer.main_object import MainObjectFinder, MainObjects
from localizer.scoring import Guess, Marks


@dataclass(frozen=True, slots=True, eq=False)
class MainObjectEvaluation:
    """The two-output head's answers to a split, beside the truth.

    Attributes:
        truth: the split.
        answers: the head's.
        guess: the same, as most probable classes and boxes.
        marks: of each picture.
        baselines: name -> marks of each picture.
    """

    classes: Sequence[str]
    truth: Examples
    answers: MainObjects
    guess: Guess
    marks: Marks
    baselines: dict[str, Marks]

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,): whether the class is right."""
        return np.asarray(self.marks[:, scoring.FIGURES.index("class_accuracy")] == 1)

    @property
    def overlaps(self) -> NDArray[np.float64]:
        """(N,): IoU of predicted and true box."""
        return self.marks[:, scoring.FIGURES.index("mean_iou")]

    def to_json(self) -> dict[str, Any]:
        """The figures at the top; intervals, calibration, baselines and classes beside them."""
        said = self.answers.probabilities.amax(1).double().numpy()
        expected = self.answers.expected_iou.double().numpy()
        return {
            **scoring.summarise(self.marks),
            "images": len(self.truth),
            "intervals": scoring.intervals(self.marks),
            "calibration": {
                "class_ece": expected_calibration_error(said, self.right.astype(float)),
                "iou_ece": expected_calibration_error(expected, self.overlaps),
            },
            "baselines": {name: scoring.summarise(marks) for name, marks in self.baselines.items()},
            "per_class": scoring.per_class(self.marks, self.truth, self.classes),
        }


def evaluate_main_object(
    collection: Collection, finder: MainObjectFinder, split: str, train_split: str
) -> MainObjectEvaluation:
    """Ask the head about every annotated image of a split.

    Raises:
        TrainingError: nothing in one of the splits is annotated, or the maps that the head needs are not kept.
    """
    given = VECTOR if VECTOR in finder.needs else "map"
    truth = read_examples(collection, split, given, finder.classes)
    learned = read_examples(collection, train_split, VECTOR, finder.classes)
    answers = finder.answer(truth.inputs)
    guess = Guess(answers.probabilities.argmax(1), answers.boxes)
    others = baselines(learned, truth, guess.class_ids)
    return MainObjectEvaluation(
        classes=finder.classes,
        truth=truth,
        answers=answers,
        guess=guess,
        marks=scoring.mark(guess, truth),
        baselines={name: scoring.mark(other, truth) for name, other in others.items()},
    )

"""How well the heads of a collection do on a split that they were not trained on, beside what needs no head."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Collection
from indexer.splits import split_to_judge_by
from localizer import scoring
from localizer.baselines import baselines
from localizer.calibration import expected_calibration_error, overlaps_with_own_class
from localizer.detection_scoring import COMMON, DetectionScores, score_detections
from localizer.detector import Detector
from localizer.errors import TrainingError
from localizer.examples import VECTOR, Examples, read_examples, read_inputs
from localizer.finding import FoundObjects
from localizer.main_object import MainObjects
from localizer.objects import Objects
from localizer.predict import Localizer, Look
from localizer.scoring import Guess, Marks


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MainObjectEvaluation:
    """What is said of the main objects of a split, beside the truth.

    Attributes:
        classes: in the order of their ids.
        truth: the split.
        answers: what is said; by both heads together, where both are there.
        alone: what the head for main objects says alone.
        baselines: name -> marks of each picture.
        train_seconds: that the head was trained for.
    """

    classes: Sequence[str]
    truth: Examples
    answers: MainObjects
    alone: MainObjects
    baselines: dict[str, Marks]
    train_seconds: float

    @property
    def guess(self) -> Guess:
        """The most probable classes, and the boxes."""
        return _guess(self.answers)

    @property
    def marks(self) -> Marks:
        """(N, 6), of each picture."""
        return scoring.mark(self.guess, self.truth)

    def said_and_came(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """For "class" and "iou": what was expected of each picture, (N,), and what came about, (N,)."""
        marks = self.marks
        right, overlaps = (marks[:, scoring.FIGURES.index(name)] for name in ("class_accuracy", "mean_iou"))
        return {
            "class": (self.answers.probabilities.amax(1).double().numpy(), right),
            "iou": (self.answers.expected_iou.double().numpy(), overlaps),
        }

    def to_json(self) -> dict[str, Any]:
        """The figures at the top; all else beside them."""
        marks = self.marks
        return {
            **scoring.summarise(marks),
            "images": len(self.truth),
            "intervals": scoring.intervals(marks),
            "calibration": {
                f"{name}_ece": expected_calibration_error(*pair) for name, pair in self.said_and_came().items()
            },
            "head_alone": scoring.summarise(scoring.mark(_guess(self.alone), self.truth)),
            "baselines": {name: scoring.summarise(others) for name, others in self.baselines.items()},
            "per_class": scoring.per_class(marks, self.truth, self.classes),
            "train_seconds": self.train_seconds,
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DetectorEvaluation:
    """What the detector finds in a split, beside the truth.

    Attributes:
        classes: in the order of their ids.
        scores: precision and recall of each class.
        said: (D,) probability that each detection was told with.
        expected_iou: (D,) likewise.
        overlaps: (D,) IoU with the best object of its class; right from a half on.
        train_seconds: that the head was trained for.
    """

    classes: Sequence[str]
    scores: DetectionScores
    said: NDArray[np.float64]
    expected_iou: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    train_seconds: float

    def said_and_came(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """For "probability" and "iou": what was expected of each detection, (D,), and what came about, (D,)."""
        right = (self.overlaps >= scoring.HALF).astype(np.float64)
        return {"probability": (self.said, right), "iou": (self.expected_iou, self.overlaps)}

    def to_json(self) -> dict[str, Any]:
        """`map_50` is over the classes of at least `COMMON` objects, as fewer say little."""
        return {
            "map_50": self.scores.mean(COMMON),
            "map_50_all_classes": self.scores.mean(),
            "per_class": {
                self.classes[class_id]: {"ap_50": curve.average_precision, "objects": curve.objects}
                for class_id, curve in self.scores.curves.items()
            },
            "calibration": {
                f"{name}_ece": expected_calibration_error(*pair) for name, pair in self.said_and_came().items()
            },
            "train_seconds": self.train_seconds,
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """Of the heads that are there, on one split.

    Attributes:
        split: that was asked about.
        trained_on: split that the heads learned from.
        heads: task -> digest of the head.
        main_object: None without a head for main objects.
        detector: None without a detector.
    """

    split: str
    trained_on: str
    heads: dict[str, str]
    main_object: MainObjectEvaluation | None
    detector: DetectorEvaluation | None

    def to_json(self) -> dict[str, Any]:
        """None for a head that is not there; `train_seconds` of all that are."""
        parts = {name: one.to_json() if one else None for name, one in
                 (("main_object", self.main_object), ("detector", self.detector))}  # fmt: skip
        seconds = sum(part["train_seconds"] for part in parts.values() if part)
        return {"split": self.split, **parts, "train_seconds": seconds}


def evaluate(collection: Collection, split: str | None) -> Evaluation:
    """Ask the heads about every annotated image of a split; see `splits` where none is named.

    Raises:
        HeadError: there is no head, or it does not fit.
        DatasetError: there is no such split, or none to judge by.
        TrainingError: the split that a head learned from is gone, or the maps that it needs are not kept.
    """
    localizer = Localizer.open(collection)
    learned = dict.fromkeys(
        head.stored.card["train_split"] for head in (localizer.main, localizer.detector) if head
    )
    gone = [name for name in learned if name not in collection.manifest.splits]
    if gone:
        raise TrainingError(
            f"expected the split that the heads learned from, {gone[0]!r}, found it gone; train them anew: "
            f"python -m localizer train --collection {collection.path}"
        )
    split = split_to_judge_by(collection, split, "--split", learned)
    truth = read_examples(collection, split, "map" if localizer.needs_maps else VECTOR, localizer.classes)
    rows = [image.image_id for image in truth.images]
    truth = replace(truth, inputs={**truth.inputs, **read_inputs(collection, rows, VECTOR)})
    look = Look(localizer, truth.inputs)
    return Evaluation(
        split=split,
        trained_on=str(next(iter(learned))),
        heads=localizer.digests,
        main_object=_evaluate_main(collection, localizer, truth, look) if localizer.main else None,
        detector=_evaluate_detector(localizer.detector, truth, look.found) if localizer.detector else None,
    )


def _evaluate_main(
    collection: Collection, localizer: Localizer, truth: Examples, look: Look
) -> MainObjectEvaluation:
    finder = localizer.finder
    truth = replace(truth, objects=Objects.of(truth.images, finder.classes))
    learned = read_examples(collection, finder.stored.card["train_split"], VECTOR, finder.classes)
    others = baselines(learned, truth, look.main_objects.probabilities.argmax(1))
    return MainObjectEvaluation(
        classes=finder.classes,
        truth=truth,
        answers=look.main_objects,
        alone=look.alone,
        baselines={name: scoring.mark(other, truth) for name, other in others.items()},
        train_seconds=finder.stored.card["seconds"],
    )


def _evaluate_detector(detector: Detector, truth: Examples, found: list[FoundObjects]) -> DetectorEvaluation:
    truth = replace(truth, objects=Objects.of(truth.images, detector.classes))
    scores, overlaps = overlaps_with_own_class(found, truth.objects)
    return DetectorEvaluation(
        classes=detector.classes,
        scores=score_detections(found, truth),
        said=detector.calibration.probabilities(scores).double().numpy(),
        expected_iou=detector.calibration.expected_iou(scores).double().numpy(),
        overlaps=overlaps.double().numpy(),
        train_seconds=detector.stored.card["seconds"],
    )


def _guess(answers: MainObjects) -> Guess:
    return Guess(answers.probabilities.argmax(1), answers.boxes)

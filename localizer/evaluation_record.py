"""What `evaluate` found of the heads, kept beside the generation: figures, curves, and a verdict on each image."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from indexer import derived
from indexer.collection import Collection
from indexer.derived_files import Record

NAME = "evaluation"
RECALLS = 101  # from 0 to 1, at which a curve is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was said of one image's main object, beside the truth.

    Attributes:
        image_id: of the image.
        true_class: of the main object.
        predicted_class: the most probable one.
        probability: of the predicted class, in [0, 1].
        box: the predicted one, (xmin, ymin, xmax, ymax) in pixels, half-open.
        iou: of predicted and true box, in [0, 1].
        right: whether the class is right and the IoU at least 0.5.
        another: whether the class is right and the IoU with another object of that class at least 0.5.
    """

    image_id: int
    true_class: str
    predicted_class: str
    probability: float
    box: tuple[float, float, float, float]
    iou: float
    right: bool
    another: bool = False

    @property
    def mistaken(self) -> bool:
        """Whether no object of the class that was told is there."""
        return not (self.right or self.another)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRecord:
    """One evaluation of the heads.

    Attributes:
        split: that was asked about.
        trained_on: split that the heads learned from.
        created: time, ISO 8601, UTC.
        heads: task -> digest of the head that it is of.
        figures: as `Evaluation.to_json` gives them.
        classes: of the head for main objects, in its order; empty without one.
        confusion: how many of the true class (row) were taken for which (column), by those classes.
        curves: class -> the detector's best precision at each of `RECALLS` recalls or beyond.
        verdicts: one for each image, by image id; empty without a head for main objects.
    """

    split: str
    trained_on: str
    created: str
    heads: Mapping[str, str]
    figures: Mapping[str, Any]
    classes: Sequence[str]
    confusion: Sequence[Sequence[int]]
    curves: Mapping[str, Sequence[float]]
    verdicts: Sequence[Verdict]


def keep(collection: Collection, record: EvaluationRecord) -> bool:
    """Store it beside its generation; False, with a warning, where the collection cannot be written to."""
    return derived.keep_record(collection, NAME, asdict(record))


def load(collection: Collection) -> EvaluationRecord | None:
    """What was kept for this very generation; None where nothing was.

    Raises:
        CollectionError: it is damaged, or of another version of this software.
    """
    return derived.load_made(collection, NAME, _make, command="python -m localizer evaluate")


def load_verdicts(collection: Collection) -> dict[int, bool] | None:
    """Image id -> whether it is no mistake; None where main objects were not evaluated.

    Raises:
        CollectionError: the record is damaged, or of another version of this software.
    """
    record = load(collection)
    return {one.image_id: not one.mistaken for one in record.verdicts} or None if record else None


def _make(content: Record) -> EvaluationRecord:
    verdicts = tuple(Verdict(**{**one, "box": tuple(one["box"])}) for one in content["verdicts"])
    return EvaluationRecord(**{**content, "verdicts": verdicts})

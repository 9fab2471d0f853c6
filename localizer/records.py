"""What a head says of a picture."""

from dataclasses import dataclass, replace
from typing import Any

from indexer.records import Box


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class that the main object may be of, with its probability in [0, 1]."""

    class_name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One object that a head sees.

    Attributes:
        class_name: its most probable class.
        probability: of that class, in [0, 1], calibrated on pictures that were not trained on.
        box: in pixels of the picture, inside it.
        predicted_iou: what the head expects the box's intersection over union with the true one to be, in [0, 1].
    """

    class_name: str
    probability: float
    box: Box
    predicted_iou: float

    def shifted(self, across: float, down: float) -> "Prediction":
        """The same, its box moved by these pixels."""
        xmin, ymin, xmax, ymax = self.box.corners
        return replace(self, box=Box(xmin + across, ymin + down, xmax + across, ymax + down))

    def to_json(self) -> dict[str, Any]:
        """Names as they are; the box as [xmin, ymin, xmax, ymax]."""
        return {
            "class": self.class_name,
            "probability": self.probability,
            "box": list(self.box.corners),
            "predicted_iou": self.predicted_iou,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Localization:
    """What is in one picture, and where.

    Attributes:
        main: the main object; None where only the detector is trained.
        candidates: the most probable classes of the main object, best first, that of `main` included.
        objects: all that the detector found, best first; None where no detector is trained.
    """

    main: Prediction | None
    candidates: tuple[Candidate, ...]
    objects: tuple[Prediction, ...] | None

    def told(self) -> tuple[Prediction, ...]:
        """The detector's objects; the main object where it found none, or is not there."""
        return self.objects or ((self.main,) if self.main else ())

    def shifted(self, across: float, down: float) -> "Localization":
        """What was found in a part of a picture, in pixels of the whole: the part's corner is there."""
        objects = None if self.objects is None else tuple(one.shifted(across, down) for one in self.objects)
        return replace(self, main=self.main and self.main.shifted(across, down), objects=objects)

    def to_json(self) -> dict[str, Any]:
        """`main` flat at the top, the rest beside it."""
        flat: dict[str, Any] = self.main.to_json() if self.main else dict.fromkeys(_FIELDS)
        candidates = [{"class": one.class_name, "probability": one.probability} for one in self.candidates]
        objects = None if self.objects is None else [found.to_json() for found in self.objects]
        return {**flat, "candidates": candidates, "objects": objects}


_FIELDS = ("class", "probability", "box", "predicted_iou")

"""Pictures for a report: how the heads answered, best, typical and worst, with true and predicted boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from indexer import images
from indexer.errors import ImageError
from indexer.records import IndexedImage
from indexer.voc import picture_path
from localizer import drawing
from localizer.boxes import iou, pixel_box
from localizer.drawing import PREDICTED, TRUE, Mark
from localizer.evaluate import MainObjectEvaluation
from localizer.scoring import overlaps_with_class

_GROUP = 12  # cards
_SIDE = 640  # pixels
_FOLDER = "pictures"


class Shelf:
    """Copies of a devkit's pictures, small enough for a page, in the folder of a report.

    Attributes:
        written: the files.
        unreadable: names of the pictures whose files are gone or damaged.
    """

    def __init__(self, root: Path, out: Path) -> None:
        self._root = root
        self._folder = out / _FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self.written: list[Path] = []
        self.unreadable: list[str] = []

    def put(self, image: IndexedImage, prefix: str, marks: Sequence[Mark] = ()) -> str | None:
        """Copy a picture with marks, given in its own pixels, drawn on it; once for each prefix.

        The copy is called by the image's id, as a devkit's names need not be fit for an address.

        Returns:
            Address within the report; None where the picture cannot be read.
        """
        path = self._folder / f"{prefix}-{image.image_id}.jpg"
        address = f"{_FOLDER}/{path.name}"
        if path in self.written:
            return address
        try:
            picture = images.load(picture_path(self._root, image.filename), _SIDE)
        except (ImageError, OSError):
            self.unreadable.append(image.filename)
            return None
        small = images.shrink(picture.pixels, _SIDE)
        across, down = small.width / image.width, small.height / image.height
        drawing.save(drawing.draw(small, [mark.scaled(across, down) for mark in marks]), path)
        self.written.append(path)
        return address


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One answer, to be shown.

    Attributes:
        address: of the drawn picture, within the report.
        filename: of the picture.
        true_class: of the main object.
        predicted_class: the most probable one.
        probability: of that class, in [0, 1].
        iou: of the predicted with the true box, in [0, 1].
    """

    address: str
    filename: str
    true_class: str
    predicted_class: str
    probability: float
    iou: float


def make_gallery(evaluation: MainObjectEvaluation, shelf: Shelf) -> dict[str, list[Card]]:
    """Cards of the best, typical and worst answers by `merits`; a picture that is gone is left out."""
    groups = choose(merits(evaluation))
    made = {name: [_make_card(evaluation, row, shelf) for row in rows] for name, rows in groups.items()}
    return {name: [card for card in cards if card] for name, cards in made.items()}


def merits(evaluation: MainObjectEvaluation) -> Tensor:
    """(N,) in [0, 1]: IoU with the best object of the true class, times the probability of that class."""
    truth, answers = evaluation.truth, evaluation.answers
    known = truth.class_ids >= 0
    of_truth = answers.probabilities.gather(1, truth.class_ids.clamp(min=0)[:, None]).squeeze(1)
    return overlaps_with_class(answers.boxes, truth) * torch.where(known, of_truth, 0.0)


def choose(merits: Tensor) -> dict[str, list[int]]:
    """Rows with the highest merits, best first; about the median; and with the lowest, worst first."""
    order = merits.argsort(descending=True, stable=True).tolist()
    size = min(_GROUP, max(1, len(order) // 3))
    middle = (len(order) - size) // 2
    return {
        "best": order[:size],
        "typical": order[middle : middle + size],
        "worst": order[::-1][:size],
    }


def _make_card(evaluation: MainObjectEvaluation, row: int, shelf: Shelf) -> Card | None:
    image = evaluation.truth.images[row]
    label = image.main_object
    if label is None:
        return None
    probability, number = evaluation.answers.probabilities[row].max(0)
    predicted_class = evaluation.classes[int(number)]
    corners = evaluation.answers.boxes[row].tolist()
    marks = [
        Mark(label.box, label.class_name, TRUE),
        Mark(pixel_box(corners, image.width, image.height), predicted_class, PREDICTED, at_foot=True),
    ]
    address = shelf.put(image, "answer", marks)
    if address is None:
        return None
    return Card(
        address=address,
        filename=image.filename,
        true_class=label.class_name,
        predicted_class=predicted_class,
        probability=float(probability),
        iou=float(iou(evaluation.answers.boxes[row], evaluation.truth.boxes[row])),
    )

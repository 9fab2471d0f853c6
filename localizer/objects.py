"""The objects of several pictures as arrays of one size."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from indexer.records import IndexedImage
from localizer.boxes import area, unit_box

_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """The objects of N pictures, M places each; a picture with fewer has empty places.

    Attributes:
        class_ids: (N, M) int64; -1 for a class that is not known.
        boxes: (N, M, 4) float32 unit boxes.
        real: (N, M) bool; False for an empty place.
    """

    class_ids: Tensor
    boxes: Tensor
    real: Tensor

    @classmethod
    def of(cls, images: Sequence[IndexedImage], classes: Sequence[str]) -> "Objects":
        """All objects of annotated images."""
        place = {name: number for number, name in enumerate(classes)}
        shape = len(images), max([1, *(len(image.objects) for image in images)])
        objects = cls(
            torch.zeros(shape, dtype=torch.int64), torch.zeros(*shape, 4), torch.zeros(shape, dtype=torch.bool)
        )
        for row, image in enumerate(images):
            for column, label in enumerate(image.objects):
                objects.class_ids[row, column] = place.get(label.class_name, -1)
                objects.boxes[row, column] = torch.tensor(unit_box(label.box, image.width, image.height))
                objects.real[row, column] = True
        return objects

    def __len__(self) -> int:
        return len(self.class_ids)

    def take(self, rows: Tensor) -> "Objects":
        """Those of some of the pictures."""
        return Objects(self.class_ids[rows], self.boxes[rows], self.real[rows])

    def beside(self, others: "Objects") -> "Objects":
        """Those of as many pictures together with `others`, picture by picture."""
        return Objects(
            torch.cat([self.class_ids, others.class_ids], dim=1),
            torch.cat([self.boxes, others.boxes], dim=1),
            torch.cat([self.real, others.real], dim=1),
        )

    def compact(self) -> "Objects":
        """The same objects in as few places as hold them; one at least."""
        places = self.real.byte().argsort(dim=1, descending=True, stable=True)[
            :, : max(1, int(self.real.sum(1).max()))
        ]
        boxes = self.boxes.gather(1, places[..., None].expand(-1, -1, 4))
        return Objects(self.class_ids.gather(1, places), boxes, self.real.gather(1, places))

    def present(self, classes: int) -> Tensor:
        """(N, classes) float32: 1 for each class that is in the picture, else 0."""
        known = self.real & (self.class_ids >= 0)
        marks = torch.zeros(len(self), classes + 1)
        return marks.scatter_(1, torch.where(known, self.class_ids, classes), 1.0)[:, :classes]

    def main(self) -> tuple[Tensor, Tensor, Tensor]:
        """Class id (N,) and box (N, 4) of each picture's largest box, and whether there is any (N,)."""
        areas = torch.where(self.real, area(self.boxes), -1.0)
        # Of boxes of equal size the first; shares of a picture round equal sizes differently.
        largest = (areas >= areas.amax(1, keepdim=True) * (1 - _ROUNDING)).byte().argmax(1, keepdim=True)
        box = self.boxes.gather(1, largest[..., None].expand(-1, -1, 4)).squeeze(1)
        return self.class_ids.gather(1, largest).squeeze(1), box, self.real.any(1)

"""The main object as both heads see it together: better than either alone."""

from collections.abc import Sequence

import torch
from torch import Tensor

from localizer.boxes import area, iou
from localizer.finding import FoundObjects
from localizer.main_object import MainObjects

_AGREE = 0.5  # IoU above which two boxes are taken for those of one object


def fuse(mains: MainObjects, found: Sequence[FoundObjects], expected_iou: Sequence[Tensor]) -> MainObjects:
    """Mean of what the two heads say of the main objects of N pictures.

    The detector's vote for a class is the score times the area of its best such object: the area that the main
    object is expected to have. Of the winning class the detector's box is taken, averaged with the other head's
    where they agree. Nothing found leaves what the other head says.

    Args:
        mains: what the head for main objects says.
        found: by the detector, with class ids in the order of the other head; -1 for a class it does not know.
        expected_iou: of what was found, (D,) each.
    """
    pictures = [
        _fuse_one(*said, *saw)
        for said, saw in zip(
            zip(mains.probabilities, mains.boxes, mains.expected_iou, strict=True),
            zip(found, expected_iou, strict=True),
            strict=True,
        )
    ]
    probabilities, boxes, trust = zip(*pictures, strict=True)
    return MainObjects(torch.stack(probabilities), torch.stack(boxes), torch.stack(trust), mains.presence)


def _fuse_one(
    probabilities: Tensor, box: Tensor, trust: Tensor, found: FoundObjects, found_trust: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    sizes = found.scores * area(found.boxes) * (found.class_ids >= 0)
    if not sizes.any():
        return probabilities, box, trust
    votes = torch.zeros_like(probabilities).scatter_reduce(0, found.class_ids.clamp(min=0), sizes, "amax")
    shared = (probabilities + votes / votes.sum()) / 2
    of_class = sizes * (found.class_ids == shared.argmax())
    if not of_class.any():
        return shared, box, trust
    best = of_class.argmax()
    if iou(found.boxes[best], box) < _AGREE:
        return shared, found.boxes[best], found_trust[best]
    return shared, (found.boxes[best] + box) / 2, (found_trust[best] + trust) / 2

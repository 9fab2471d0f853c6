"""Which cell answers for which object: task-aligned assignment (Feng et al., "TOOD", ICCV 2021); pure."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from localizer.boxes import iou
from localizer.objects import Objects

_CELLS_PER_OBJECT = 13
_SHARPNESS = 4  # power of the IoU beside the class's probability
_TINY = 1e-9


class Assignment(NamedTuple):
    """What each of G cells answers for.

    Attributes:
        answers: (N, G) bool: whether it answers for an object.
        objects: (N, G) int64: for which one.
        quality: (N, G): what its class's probability ought to be, in [0, 1]; 0 where it answers for none.
    """

    answers: Tensor
    objects: Tensor
    quality: Tensor


@torch.no_grad()
def assign(probabilities: Tensor, boxes: Tensor, centres: Tensor, objects: Objects) -> Assignment:
    """Give each object the cells inside it that see it best by now.

    Args:
        probabilities: (N, G, classes), as predicted.
        boxes: (N, G, 4), as predicted.
        centres: (G, 2) of the cells.
        objects: that are there.
    """
    overlaps = iou(objects.boxes[:, :, None], boxes[:, None])
    class_ids = objects.class_ids[..., None].expand(-1, -1, boxes.shape[1])
    alignment = probabilities.transpose(1, 2).gather(1, class_ids) * overlaps**_SHARPNESS
    eligible, distance = _eligible(centres, objects)
    ranks = (alignment + _TINY * (1 - distance)) * eligible
    best = ranks.topk(min(_CELLS_PER_OBJECT, len(centres)), -1).indices
    chosen = torch.zeros_like(eligible).scatter_(2, best, value=True) & eligible
    chosen = _one_object_per_cell(chosen, overlaps, eligible)
    aligned, reached = alignment * chosen, (overlaps * chosen).amax(-1, keepdim=True)
    quality = (aligned / (aligned.amax(-1, keepdim=True) + _TINY) * reached).amax(1)
    return Assignment(chosen.any(1), chosen.float().argmax(1), quality)


def _eligible(centres: Tensor, objects: Objects) -> tuple[Tensor, Tensor]:
    """(N, M, G): whether a cell may answer for an object (its centre is inside, or nearest), and how far it is."""
    corners = objects.boxes[:, :, None]
    inside = ((centres > corners[..., :2]) & (centres < corners[..., 2:])).all(-1)
    middles = (objects.boxes[..., :2] + objects.boxes[..., 2:])[:, :, None] / 2
    distance = (centres - middles).abs().amax(-1)
    nearest = distance <= distance.amin(-1, keepdim=True) + 1e-6
    return (inside | nearest) & objects.real[..., None], distance


def _one_object_per_cell(chosen: Tensor, overlaps: Tensor, eligible: Tensor) -> Tensor:
    """A cell that several objects chose answers for the one that its box overlaps best."""
    best = torch.where(eligible, overlaps, -1.0).argmax(1)
    only_best = functional.one_hot(best, chosen.shape[1]).transpose(1, 2).bool() & chosen.any(1, keepdim=True)
    return torch.where((chosen.sum(1) > 1)[:, None], only_best, chosen)

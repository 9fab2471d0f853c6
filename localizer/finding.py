"""Running a dense head over maps: the cells' answers, thinned out to one box for each object."""

from dataclasses import dataclass

import torch
from torch import Tensor

from localizer.arithmetic import half_precision, one_core
from localizer.boxes import iou
from localizer.dense_head import DenseHead, DenseOutput
from localizer.examples import Inputs

LEAST_SCORE = 0.005
_CELLS, _OBJECTS = 300, 100  # at most, of a picture
_SAME, _AGREEING = 0.5, 0.6  # IoU above which two boxes are of one object, and above which they are averaged
_PRESENCE_POWER = 0.25
_AT_ONCE = 128  # pictures


@dataclass(frozen=True, slots=True, eq=False)
class FoundObjects:
    """What was found in one picture, best first.

    Attributes:
        class_ids: (D,) int64.
        scores: (D,) float32 in [0, 1].
        boxes: (D, 4) float32 unit boxes.
    """

    class_ids: Tensor
    scores: Tensor
    boxes: Tensor


@torch.inference_mode()
@one_core()
def find_objects(head: DenseHead, inputs: Inputs) -> list[FoundObjects]:
    """What there is in each of N pictures."""
    count = len(inputs["deep"])
    found: list[FoundObjects] = []
    for start in range(0, count, _AT_ONCE):
        with half_precision():
            output: DenseOutput = head({stage: maps[start : start + _AT_ONCE] for stage, maps in inputs.items()})
        scores, boxes = score_cells(output), output.boxes().clamp(0, 1)
        found += [thin_out(*picture) for picture in zip(scores, boxes, strict=True)]
    return found


def score_cells(output: DenseOutput) -> Tensor:
    """(N, G, classes): what a cell says of a class, weakened where the picture as a whole does not say so."""
    presence = output.presence_logits.sigmoid()[:, None] ** _PRESENCE_POWER
    return output.class_logits.sigmoid() * presence


def thin_out(scores: Tensor, boxes: Tensor) -> FoundObjects:
    """Non-maximum suppression by class; each box left is averaged with those that agree with it.

    Args:
        scores: (G, classes) of one picture.
        boxes: (G, 4) unit boxes.
    """
    cells, class_ids = (scores > LEAST_SCORE).nonzero(as_tuple=True)
    values = scores[cells, class_ids]
    values, order = values.topk(min(_CELLS, len(values)))
    class_ids, candidates = class_ids[order], boxes[cells[order]]
    overlaps = iou(candidates[:, None], candidates) * (class_ids[:, None] == class_ids)
    kept = keep_apart(overlaps > _SAME)[:_OBJECTS]
    votes = (overlaps[kept] > _AGREEING) * values
    votes[:, kept] += torch.eye(len(kept)) * 1e-9  # an empty box agrees with nothing, not even with itself
    return FoundObjects(class_ids[kept], values[kept], votes @ candidates / votes.sum(1, keepdim=True))


def keep_apart(same: Tensor) -> Tensor:
    """Non-maximum suppression: numbers of those of D boxes, best first, that are no better one's that is kept.

    Which are kept follows from which better ones are: asked of all at once, round after round, until it holds. A
    round settles one box more at least, and mostly all that are left. torchvision has a function for it, too, but
    importing that would take longer than all the rest of a query from the shell.

    Args:
        same: (D, D) bool, whether two boxes are of one object.
    """
    beaten_by = same.tril(-1)
    kept = torch.ones(len(same), dtype=torch.bool)
    while not torch.equal(left := ~(beaten_by & kept).any(1), kept):
        kept = left
    return kept.nonzero().squeeze(1)

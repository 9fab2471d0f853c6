"""Running a dense head over maps: the cells' answers, thinned out to one box for each object."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

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
def find_objects(head: DenseHead, inputs: Inputs) -> list[FoundObjects]:
    """What there is in each of N pictures."""
    count = len(inputs["deep"])
    found: list[FoundObjects] = []
    for start in range(0, count, _AT_ONCE):
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
    kept = batched_nms(candidates, values, class_ids, _SAME)[:_OBJECTS]
    agreeing = (box_iou(candidates[kept], candidates) > _AGREEING) & (class_ids[kept][:, None] == class_ids)
    votes = agreeing * values
    votes[:, kept] += torch.eye(len(kept)) * 1e-9  # an empty box agrees with nothing, not even with itself
    return FoundObjects(class_ids[kept], values[kept], votes @ candidates / votes.sum(1, keepdim=True))

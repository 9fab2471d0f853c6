"""What training the dense head makes small."""

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from localizer import edges
from localizer.assignment import Assignment, assign
from localizer.dense_head import DenseOutput, distances
from localizer.objects import Objects

_BOX, _EDGES, _PRESENCE = 7.5, 1.0, 0.5  # beside the classes


def dense_loss(output: DenseOutput, objects: Objects) -> Tensor:
    """All losses, weighted; those of cells as a share of how well all objects are seen together."""
    boxes = output.boxes()
    share = assign(output.class_logits.detach().sigmoid(), boxes.detach(), output.centres, objects)
    seen = share.quality.sum().clamp(min=1)
    cells = class_loss(output.class_logits, share, objects) + box_loss(output, boxes, share, objects)
    present = objects.present(output.presence_logits.shape[1])
    presence = functional.binary_cross_entropy_with_logits(output.presence_logits, present, reduction="sum")
    return cells / seen + _PRESENCE * presence / len(present)


def class_loss(class_logits: Tensor, share: Assignment, objects: Objects) -> Tensor:
    """Cross-entropy of every cell and class with the quality of the cell's box for its object, summed."""
    wanted = torch.zeros_like(class_logits)
    ids = objects.class_ids.gather(1, share.objects)
    wanted.scatter_(2, ids[..., None], share.quality[..., None])
    return functional.binary_cross_entropy_with_logits(class_logits, wanted, reduction="sum")


def box_loss(output: DenseOutput, boxes: Tensor, share: Assignment, objects: Objects) -> Tensor:
    """Generalised IoU and distributions of distances of the cells that answer, weighted by quality, summed."""
    cells = share.answers
    true_boxes = objects.boxes.gather(1, share.objects[..., None].expand(-1, -1, 4))[cells]
    centres = output.centres.expand(*cells.shape, 2)[cells]
    away = torch.cat([centres - true_boxes[:, :2], true_boxes[:, 2:] - centres], dim=1)
    surprise = edges.cross_entropy(output.edge_logits[cells], distances(), away).mean(-1)
    overlap = generalized_box_iou_loss(boxes[cells], true_boxes)
    losses: Tensor = (_BOX * overlap + _EDGES * surprise) * share.quality[cells]
    return losses.sum()

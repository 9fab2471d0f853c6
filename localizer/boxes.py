"""Box arithmetic on tensors; unit boxes are (xmin, ymin, xmax, ymax) as shares of a picture's width and height."""

from collections.abc import Sequence

import torch
from torch import Tensor

from indexer.records import Box

_LEAST_AREA = 1e-9  # keeps 0 / 0 out of an IoU of two empty boxes


def unit_box(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """Shares of the picture in [0, 1] from pixels."""
    return (box.xmin / width, box.ymin / height, box.xmax / width, box.ymax / height)


def pixel_box(corners: Sequence[float], width: int, height: int) -> Box:
    """Pixels from shares of the picture, clipped to it and at least one pixel wide and high."""
    xmin, ymin = min(corners[0] * width, width - 1.0), min(corners[1] * height, height - 1.0)
    xmax, ymax = max(corners[2] * width, xmin + 1.0), max(corners[3] * height, ymin + 1.0)
    return Box(max(xmin, 0.0), max(ymin, 0.0), min(max(xmax, 1.0), width), min(max(ymax, 1.0), height))


def area(boxes: Tensor) -> Tensor:
    """(..., 4) -> (...); 0 for boxes that are turned inside out."""
    sides: Tensor = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def shared_area(boxes: Tensor, others: Tensor) -> Tensor:
    """Area of the intersection, pair by pair: (..., 4) and (..., 4), broadcast -> (...)."""
    upper_left = torch.maximum(boxes[..., :2], others[..., :2])
    lower_right = torch.minimum(boxes[..., 2:], others[..., 2:])
    width, height = (lower_right - upper_left).clamp(min=0).unbind(-1)
    return width * height


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union, pair by pair: (..., 4) and (..., 4), broadcast -> (...) in [0, 1]."""
    shared = shared_area(boxes, others)
    return shared / (area(boxes) + area(others) - shared).clamp(min=_LEAST_AREA)


def mirror(boxes: Tensor) -> Tensor:
    """Unit boxes (..., 4) of the picture mirrored left to right."""
    xmin, ymin, xmax, ymax = boxes.unbind(-1)
    return torch.stack([1 - xmax, ymin, 1 - xmin, ymax], dim=-1)


def sort_corners(boxes: Tensor) -> Tensor:
    """(..., 4) with its edges in order, whatever their order was."""
    return torch.cat(
        [torch.minimum(boxes[..., :2], boxes[..., 2:]), torch.maximum(boxes[..., :2], boxes[..., 2:])], dim=-1
    )


def crop(boxes: Tensor, origins: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Unit boxes as shares of windows of their pictures.

    Args:
        boxes: (..., 4).
        origins: (..., 2), upper left corner of each window, as shares of the picture; broadcast.
        sizes: (..., 2), width and height of each window, likewise; greater than 0.

    Returns:
        The boxes clipped to their windows (..., 4), and which share of its area is left of each (...).
    """
    moved = (boxes - torch.cat([origins, origins], -1)) / torch.cat([sizes, sizes], -1)
    clipped = moved.clamp(0, 1)
    return clipped, area(clipped) / area(moved).clamp(min=_LEAST_AREA)

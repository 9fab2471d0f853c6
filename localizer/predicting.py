"""Running a head over inputs: each picture and its mirror image are asked, and their answers averaged."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from localizer import boxes as arithmetic
from localizer.augment import mirror
from localizer.examples import VECTOR, Inputs
from localizer.head import Output

_AT_ONCE = 256  # pictures


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a head says of N pictures, uncalibrated.

    Attributes:
        class_logits: (N, classes) float32.
        presence_logits: (N, classes) float32.
        boxes: (N, 4) float32 unit boxes.
        iou_logits: (N,) float32.
    """

    class_logits: Tensor
    presence_logits: Tensor
    boxes: Tensor
    iou_logits: Tensor


@torch.inference_mode()
def ask(head: nn.Module, inputs: Inputs) -> Answers:
    """Ask about N pictures, some at a time."""
    count = len(next(iter(inputs.values())))
    parts = [
        _ask_both(head, {name: values[start : start + _AT_ONCE] for name, values in inputs.items()})
        for start in range(0, count, _AT_ONCE)
    ]
    return Answers(
        torch.cat([part.class_logits for part in parts]),
        torch.cat([part.presence_logits for part in parts]),
        torch.cat([part.boxes for part in parts]),
        torch.cat([part.iou_logits for part in parts]),
    )


def _ask_both(head: nn.Module, inputs: Inputs) -> Answers:
    seen: Output = head(inputs)
    if VECTOR in inputs:
        return Answers(seen.class_logits, seen.presence_logits, seen.boxes, seen.iou_logits)
    mirrored: Output = head(mirror(inputs))
    return Answers(
        (seen.class_logits + mirrored.class_logits) / 2,
        (seen.presence_logits + mirrored.presence_logits) / 2,
        (seen.boxes + arithmetic.mirror(mirrored.boxes)) / 2,
        (seen.iou_logits + mirrored.iou_logits) / 2,
    )

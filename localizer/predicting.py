"""Running a head over inputs: each picture and its mirror image are asked, and their answers averaged."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from localizer import boxes as box_arithmetic
from localizer.arithmetic import half_precision, one_core
from localizer.augment import mirror
from localizer.examples import VECTOR, Inputs
from localizer.head import Output

_AT_ONCE = 128  # pictures


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
@one_core()
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
    if VECTOR in inputs:
        alone: Output = head(inputs)
        return Answers(alone.class_logits, alone.presence_logits, alone.boxes, alone.iou_logits)
    mirrored = mirror(inputs)
    with half_precision():
        both: Output = head({stage: torch.cat([maps, mirrored[stage]]) for stage, maps in inputs.items()})
    boxes, turned = both.boxes.chunk(2)
    return Answers(
        _mean_of_halves(both.class_logits),
        _mean_of_halves(both.presence_logits),
        (boxes + box_arithmetic.mirror(turned)) / 2,
        _mean_of_halves(both.iou_logits),
    )


def _mean_of_halves(values: Tensor) -> Tensor:
    """(2N, ...) -> (N, ...) float32."""
    seen, mirrored = values.float().chunk(2)
    return (seen + mirrored) / 2

"""What a head's answers are corrected by when it is asked; `calibration.py` finds it out when it is trained."""

from dataclasses import dataclass

import torch
from torch import Tensor

EDGE = 1e-6  # what scores are kept away from 0 and 1, where logits have no end


@dataclass(frozen=True, slots=True)
class Calibration:
    """Corrections of a head's answers.

    Attributes:
        temperature: what class logits are divided by (Guo et al., "On Calibration of Modern Neural Networks",
            ICML 2017).
        iou_slope: what IoU logits are multiplied with.
        iou_offset: what is added to them then (Platt scaling).
    """

    temperature: float = 1.0
    iou_slope: float = 1.0
    iou_offset: float = 0.0

    def probabilities(self, class_logits: Tensor) -> Tensor:
        """(N, classes), rows that sum to 1."""
        return (class_logits / self.temperature).softmax(-1)

    def expected_iou(self, iou_logits: Tensor) -> Tensor:
        """(N,) in (0, 1)."""
        return torch.sigmoid(iou_logits * self.iou_slope + self.iou_offset)


@dataclass(frozen=True, slots=True)
class DetectionCalibration:
    """What a detection's score means: two lines, each from the score's logit to another logit.

    Attributes:
        probability: slope and offset for the probability that an object of its class is there (IoU >= 0.5).
        iou: slope and offset for the IoU with the best object of its class.
    """

    probability: tuple[float, float] = (1.0, 0.0)
    iou: tuple[float, float] = (1.0, 0.0)

    def probabilities(self, scores: Tensor) -> Tensor:
        """(D,) in (0, 1)."""
        return _along(self.probability, scores)

    def expected_iou(self, scores: Tensor) -> Tensor:
        """(D,) in (0, 1)."""
        return _along(self.iou, scores)


def _along(line: tuple[float, float], scores: Tensor) -> Tensor:
    return torch.sigmoid(line[0] * torch.logit(scores, eps=EDGE) + line[1])

"""Making probabilities and predicted IoUs mean what they say, by pictures that were not trained on."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_expit, log_softmax
from torch import Tensor

from localizer.boxes import iou
from localizer.corrections import EDGE, Calibration, DetectionCalibration
from localizer.examples import Examples
from localizer.finding import FoundObjects
from localizer.objects import Objects
from localizer.predicting import Answers
from localizer.scoring import HALF

_LIKELY = 0.05  # score from which a detection tells anything
_TRUST = 1.0  # in the uncalibrated head, as much as in one picture: keeps a handful from bending it far

Doubles = NDArray[np.float64]


def calibrate(answers: Answers, held: Examples) -> Calibration:
    """The corrections under which the answers to examples held aside are likeliest."""
    temperature = _fit_temperature(answers.class_logits.double().numpy(), held.class_ids.numpy())
    overlaps = iou(answers.boxes, held.boxes).double().numpy()
    slope, offset = fit_logistic(answers.iou_logits.double().numpy(), overlaps)
    return Calibration(temperature, slope, offset)


def calibrate_detections(found: Sequence[FoundObjects], held: Examples) -> DetectionCalibration:
    """The lines under which what was found in examples held aside is likeliest."""
    scores, overlaps = overlaps_with_own_class(found, held.objects)
    if not len(scores):
        return DetectionCalibration()
    logits = torch.logit(scores, eps=EDGE).double().numpy()
    hits = (overlaps >= HALF).double().numpy()
    return DetectionCalibration(fit_logistic(logits, hits), fit_logistic(logits, overlaps.double().numpy()))


def overlaps_with_own_class(found: Sequence[FoundObjects], objects: Objects) -> tuple[Tensor, Tensor]:
    """Scores (D,) of all likely detections, and the IoU (D,) of each with the best object of its class."""
    scores = torch.cat([one.scores for one in found])
    overlaps = torch.cat([_best_overlaps(one, objects, row) for row, one in enumerate(found)])
    return scores[scores >= _LIKELY], overlaps[scores >= _LIKELY]


def _best_overlaps(found: FoundObjects, objects: Objects, row: int) -> Tensor:
    """(D,); 0 where picture `row` has no object of the class."""
    shares = iou(found.boxes[:, None], objects.boxes[row][None])
    fits = (found.class_ids[:, None] == objects.class_ids[row]) & objects.real[row]
    return (shares * fits).amax(1)


def fit_logistic(logits: Doubles, targets: Doubles) -> tuple[float, float]:
    """Slope and offset under which logits (N,) best say targets (N,) in [0, 1], by cross-entropy."""

    def surprise(line: Doubles) -> float:
        moved = line[0] * logits + line[1]
        entropy = -(targets * log_expit(moved) + (1 - targets) * log_expit(-moved)).mean()
        return float(entropy + _TRUST / len(targets) * ((line[0] - 1) ** 2 + line[1] ** 2))

    slope, offset = minimize(surprise, np.array([1.0, 0.0])).x
    return float(slope), float(offset)


def expected_calibration_error(said: Doubles, came: Doubles, bins: int = 10) -> float:
    """Mean distance between what was said and what came about, over bins of equal width, weighted by their size.

    Where nothing was said it is 0.

    Args:
        said: (N,) probabilities or predicted IoUs, in [0, 1].
        came: (N,) 0 or 1, or actual IoUs, in [0, 1].
        bins: of [0, 1].
    """
    if not len(said):
        return 0.0
    distances = [
        count * abs(mean_said - mean_came) for mean_said, mean_came, count in reliability(said, came, bins)
    ]
    return sum(distances) / len(said)


def reliability(said: Doubles, came: Doubles, bins: int = 10) -> list[tuple[float, float, int]]:
    """For each bin that is not empty: mean of what was said, mean of what came about, how many."""
    place = np.clip((said * bins).astype(int), 0, bins - 1)
    filled = [place == number for number in sorted(set(place.tolist()))]
    return [(float(said[chosen].mean()), float(came[chosen].mean()), int(chosen.sum())) for chosen in filled]


def _fit_temperature(class_logits: Doubles, class_ids: NDArray[np.int64]) -> float:
    rows = np.arange(len(class_ids))

    def surprise(log_temperature: Doubles) -> float:
        logs = log_softmax(class_logits / np.exp(log_temperature[0]), axis=1)
        return float(-logs[rows, class_ids].mean() + _TRUST / len(class_ids) * log_temperature[0] ** 2)

    return float(np.exp(minimize(surprise, np.array([0.0])).x[0]))

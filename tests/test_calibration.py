"""Probabilities and predicted IoUs that mean what they say, learned from pictures held aside."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from localizer.calibration import (
    calibrate,
    calibrate_detections,
    expected_calibration_error,
    fit_logistic,
    overlaps_with_own_class,
    reliability,
)
from localizer.corrections import Calibration, DetectionCalibration
from localizer.examples import Examples
from localizer.finding import FoundObjects
from localizer.predicting import Answers
from tests.scenes import CLASSES, examples, image, objects, random_floats, unhurried

WHOLE = (0.0, 0.0, 100.0, 80.0)  # pixels
seeds = st.integers(0, 2**32 - 1)


def held(class_ids: list[int]) -> Examples:
    """Pictures filled by one object each."""
    return examples([image((CLASSES[number], WHOLE)) for number in class_ids])


def answers(class_logits: torch.Tensor, iou_logits: torch.Tensor, boxes: torch.Tensor) -> Answers:
    return Answers(class_logits, torch.zeros_like(class_logits), boxes, iou_logits)


def overconfident(count: int, temperature: float) -> tuple[Answers, Examples]:
    """Logits that are so many times too large for the classes that came about."""
    logits = 1.5 * torch.from_numpy(random_floats(0, count, len(CLASSES)))
    lot = torch.Generator().manual_seed(1)
    class_ids = logits.softmax(-1).multinomial(1, generator=lot).flatten().tolist()
    boxes = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(count, 1)
    return answers(logits * temperature, torch.zeros(count), boxes), held(class_ids)


def found(*detections: tuple[int, float, tuple[float, float, float, float]]) -> FoundObjects:
    """Class id, score and unit box of each."""
    class_ids, scores, boxes = zip(*detections, strict=True) if detections else ((), (), ())
    return FoundObjects(
        torch.tensor(class_ids, dtype=torch.int64), torch.tensor(scores), torch.tensor(boxes).reshape(-1, 4)
    )


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_of_overconfident_logits_is_recovered(temperature: float) -> None:
    calibration = calibrate(*overconfident(1_500, temperature))

    assert calibration.temperature == pytest.approx(temperature, rel=0.15)


def test_calibrated_probabilities_come_closer_to_what_comes_about() -> None:
    said, truth = overconfident(1_500, 4.0)
    right = (said.class_logits.argmax(1) == truth.class_ids).double().numpy()

    errors = [
        expected_calibration_error(one.probabilities(said.class_logits).amax(1).double().numpy(), right)
        for one in (Calibration(), calibrate(said, truth))
    ]

    assert errors[0] > 0.15
    assert errors[1] < 0.05


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, 0.8), (1.5, -0.5)])
def test_a_line_through_logits_is_recovered(slope: float, offset: float) -> None:
    logits = random_floats(0, 400).astype(np.float64) * 2

    fitted = fit_logistic(logits, expit(slope * logits + offset))

    assert fitted == pytest.approx((slope, offset), abs=0.15)


@unhurried
@given(seeds, st.integers(1, 3), st.floats(0.1, 30))
def test_a_handful_of_pictures_does_not_bend_anything_far(seed: int, count: int, spread: float) -> None:
    boxes = torch.from_numpy(random_floats(seed, count, 4)).sigmoid().cumsum(1) / 4
    said = answers(
        spread * torch.from_numpy(random_floats(seed + 1, count, len(CLASSES))),
        spread * torch.from_numpy(random_floats(seed + 2, count)),
        boxes,
    )

    calibration = calibrate(said, held([seed % 3] * count))

    assert 1e-3 < calibration.temperature < 1e3
    assert abs(calibration.iou_slope) < 50
    assert abs(calibration.iou_offset) < 50
    assert torch.allclose(calibration.probabilities(said.class_logits).sum(1), torch.ones(count), atol=1e-5)


@unhurried
@given(seeds, st.floats(0.1, 9), st.floats(0.01, 5), st.floats(-3, 3))
def test_corrections_keep_the_order_and_stay_shares(
    seed: int, temperature: float, slope: float, offset: float
) -> None:
    logits = torch.from_numpy(random_floats(seed, 20, len(CLASSES)))
    calibration = Calibration(temperature, slope, offset)

    probabilities, expected = calibration.probabilities(logits), calibration.expected_iou(logits[:, 0])

    assert torch.equal(probabilities.argmax(1), logits.argmax(1))
    assert torch.allclose(probabilities.sum(1), torch.ones(20), atol=1e-5)
    assert (expected[logits[:, 0].argsort()].diff() >= 0).all()
    assert ((expected >= 0) & (expected <= 1)).all()


@pytest.mark.parametrize("bins", [1, 10, 20])
def test_whoever_says_what_comes_about_makes_no_error(bins: int) -> None:
    said = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25])
    came = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])

    assert expected_calibration_error(said, came, bins) == pytest.approx(0, abs=1e-12)


def test_the_error_is_weighted_by_how_many_said_so() -> None:
    said, came = np.array([0.95, 0.95, 0.95, 0.15]), np.array([1.0, 0.0, 0.0, 0.0])

    error = expected_calibration_error(said, came)

    assert error == pytest.approx(3 / 4 * (0.95 - 1 / 3) + 1 / 4 * 0.15)


@unhurried
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1), st.integers(1, 20))
def test_every_answer_stands_in_one_bin(pairs: list[tuple[float, float]], bins: int) -> None:
    said, came = np.array(pairs).T

    rows = reliability(said, came, bins)

    assert sum(count for _, _, count in rows) == len(pairs)
    assert len(rows) <= bins
    assert sum(mean * count for mean, _, count in rows) == pytest.approx(said.sum())
    assert sum(mean * count for _, mean, count in rows) == pytest.approx(came.sum())
    assert 0 <= expected_calibration_error(said, came, bins) <= 1


def test_detections_are_judged_by_the_best_object_of_their_class() -> None:
    made = objects(
        [(0, (0.0, 0.0, 0.5, 1.0)), (0, (0.0, 0.0, 1.0, 1.0)), (1, (0.0, 0.0, 0.25, 1.0))],
        [(2, (0.0, 0.0, 1.0, 1.0))],
        [],
    )
    seen = [
        found((0, 0.9, (0.0, 0.0, 0.75, 1.0)), (1, 0.8, (0.0, 0.0, 0.5, 1.0)), (2, 0.7, (0.0, 0.0, 1.0, 1.0))),
        found((2, 0.6, (0.0, 0.0, 1.0, 1.0)), (2, 0.01, (0.0, 0.0, 1.0, 1.0))),
        found((0, 0.5, (0.0, 0.0, 0.5, 0.5))),
    ]

    scores, overlaps = overlaps_with_own_class(seen, made)

    assert scores.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5])  # what is hardly likely tells nothing
    assert overlaps.tolist() == pytest.approx([0.75, 0.5, 0, 1, 0])


def test_an_object_that_does_not_count_any_more_is_found_by_nothing() -> None:
    made = objects([(0, (0.0, 0.0, 1.0, 1.0))])
    made.real[:] = False

    _, overlaps = overlaps_with_own_class([found((0, 0.9, (0.0, 0.0, 1.0, 1.0)))], made)

    assert overlaps.tolist() == [0]


def test_detections_that_are_mostly_wrong_are_trusted_less() -> None:
    right, wrong = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.1, 0.1)
    seen = [found((0, 0.9, right if place % 5 == 0 else wrong)) for place in range(100)]

    calibration = calibrate_detections(seen, held([0] * 100))

    scores = torch.tensor([0.9])
    assert float(calibration.probabilities(scores)) == pytest.approx(0.2, abs=0.05)
    assert float(calibration.expected_iou(scores)) == pytest.approx(0.2 + 0.8 * 0.01, abs=0.05)


@pytest.mark.parametrize("score", [0.0, 0.05, 0.5, 1.0])
def test_one_detection_and_the_ends_of_the_scale_do_not_explode(score: float) -> None:
    calibration = calibrate_detections([found((0, score, (0.0, 0.0, 1.0, 1.0)))], held([0]))

    said = torch.stack([calibration.probabilities(torch.tensor([0.0, 0.5, 1.0]))])
    assert ((said >= 0) & (said <= 1)).all()
    assert max(map(abs, calibration.probability + calibration.iou)) < 50


def test_without_detections_scores_are_taken_at_their_word() -> None:
    calibration = calibrate_detections([found(), found()], held([0, 1]))

    assert calibration == DetectionCalibration()
    assert float(calibration.probabilities(torch.tensor([0.3]))) == pytest.approx(0.3)

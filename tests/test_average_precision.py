"""Average precision: by hand, and beside COCO's own evaluation."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from localizer.average_precision import Curve, Found, Truth, curve, overlaps
from localizer.detection_scoring import DetectionScores

GRID, PITCH = 4, 100  # objects stand in fields of their own, so that no box can be taken for a neighbour's
PICTURES = 5

Scene = tuple[dict[int, Found], dict[int, Truth]]


def truth(*boxes: tuple[float, ...], difficult: tuple[int, ...] = ()) -> Truth:
    marks = np.array([place in difficult for place in range(len(boxes))], dtype=bool)
    return Truth(np.array(boxes, dtype=float).reshape(-1, 4), marks)


def found(*detections: tuple[float, tuple[float, ...]]) -> Found:
    boxes = np.array([box for _, box in detections], dtype=float).reshape(-1, 4)
    return Found(boxes, np.array([score for score, _ in detections], dtype=float))


def random_scene(seed: int) -> Scene:
    """Objects, some difficult; of each none or several detections that fit well or badly; and false alarms."""
    lot = np.random.default_rng(seed)
    detections, objects = {}, {}
    for picture in range(PICTURES):
        corners = PITCH * np.argwhere(lot.random((GRID, GRID)) < 0.4)
        boxes = np.concatenate([corners + 10, corners + lot.integers(40, 90, corners.shape)], axis=1).astype(float)
        objects[picture] = Truth(boxes, lot.random(len(boxes)) < 0.2)
        times = lot.integers(0, 4, len(boxes))
        copies, difficult = boxes.repeat(times, axis=0), objects[picture].difficult.repeat(times)
        astray = np.where(difficult, 0.5, lot.choice([0.5, 12], len(copies)))  # COCO finds crowds by other shares
        near = copies + lot.normal(size=copies.shape) * astray[:, np.newaxis]
        alarms = PITCH * lot.integers(GRID, 9, (lot.integers(1, 6), 2)).repeat(2, axis=0).reshape(-1, 4)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        every = np.concatenate([near, alarms + np.array([0, 0, 30, 30])])
        detections[picture] = Found(every, lot.random(len(every)).round(2))
    return detections, objects


def coco_boxes(boxes: np.ndarray[Any, Any]) -> list[list[float]]:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()  # type: ignore[no-any-return]


def coco_average_precision(detections: dict[int, Found], objects: dict[int, Truth]) -> float:
    """Mean precision at 10,001 recalls; a difficult object is COCO's crowd, which counts neither way either."""
    annotations = [
        {"image_id": picture, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": int(crowd)}
        for picture, one in objects.items()
        for box, crowd in zip(coco_boxes(one.boxes), one.difficult, strict=True)
    ]
    results = [
        {"image_id": picture, "category_id": 1, "bbox": box, "score": float(score)}
        for picture, one in detections.items()
        for box, score in zip(coco_boxes(one.boxes), one.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        there = COCO()
        there.dataset = {
            "images": [{"id": picture} for picture in objects],
            "annotations": [{"id": place, **one} for place, one in enumerate(annotations, start=1)],
            "categories": [{"id": 1}],
            "info": {},
        }
        there.createIndex()
        evaluation = COCOeval(there, there.loadRes(results), "bbox")
        evaluation.params.recThrs = np.linspace(0, 1, 10_001)
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [1_000]
        evaluation.evaluate()
        evaluation.accumulate()
    return float(evaluation.eval["precision"].mean())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_it_is_what_coco_says_where_objects_do_not_crowd(seed: int) -> None:
    detections, objects = random_scene(seed)

    mine = curve(detections, objects)

    if mine.objects:
        assert mine.average_precision == pytest.approx(coco_average_precision(detections, objects), abs=5e-4)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_recall_rises_and_both_are_shares(seed: int) -> None:
    mine = curve(*random_scene(seed))

    assert (np.diff(mine.recall) >= 0).all()
    assert ((mine.precision >= 0) & (mine.precision <= 1) & (mine.recall <= 1)).all()
    assert 0 <= mine.average_precision <= 1


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_detections_of_every_object_above_all_others_are_perfect(seed: int) -> None:
    detections, objects = random_scene(seed)
    perfect = {
        picture: Found(
            np.concatenate([one.boxes, detections[picture].boxes]),
            np.concatenate([np.full(len(one.boxes), 2.0), detections[picture].scores]),
        )
        for picture, one in objects.items()
    }

    mine = curve(perfect, objects)

    assert mine.average_precision == pytest.approx(float(mine.objects > 0))


RIGHT, OTHER, WRONG = (0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 30.0, 30.0), (50.0, 50.0, 60.0, 60.0)


def test_by_hand_right_wrong_right() -> None:
    mine = curve({7: found((0.9, RIGHT), (0.8, WRONG), (0.7, OTHER))}, {7: truth(RIGHT, OTHER)})

    assert mine.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert mine.recall.tolist() == pytest.approx([1 / 2, 1 / 2, 1])
    assert mine.average_precision == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)


def test_precision_that_rises_again_lifts_what_came_before_it() -> None:
    mine = curve({1: found((0.9, WRONG), (0.8, RIGHT), (0.7, OTHER))}, {1: truth(RIGHT, OTHER)})

    assert mine.average_precision == pytest.approx(2 / 3)


def test_a_second_detection_of_an_object_is_wrong() -> None:
    twice = found((0.6, RIGHT), (0.9, (0.0, 0.0, 9.0, 10.0)))

    mine = curve({1: twice, 2: found((0.5, RIGHT))}, {1: truth(RIGHT), 2: truth(RIGHT)})

    assert mine.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])


def test_difficult_objects_count_neither_way_however_often_they_are_found() -> None:
    there = truth(RIGHT, OTHER, difficult=(1,))

    mine = curve({1: found((0.9, OTHER), (0.8, OTHER), (0.7, RIGHT))}, {1: there})

    assert mine.objects == 1
    assert mine.average_precision == 1


@pytest.mark.parametrize(("width", "expected"), [(20.0, 1.0), (20.1, 0.0), (5.0, 1.0), (4.9, 0.0)])
def test_a_detection_finds_what_it_overlaps_by_half(width: float, expected: float) -> None:
    detections = {1: found((0.9, (0.0, 0.0, width, 10.0)))}

    assert curve(detections, {1: truth(RIGHT)}).average_precision == expected


@pytest.mark.parametrize("detections", [{}, {1: found()}, {1: found((0.9, WRONG))}, {2: found((0.9, RIGHT))}])
def test_nothing_found_is_nothing(detections: dict[int, Found]) -> None:
    assert curve(detections, {1: truth(RIGHT)}).average_precision == 0


@pytest.mark.parametrize("objects", [{}, {1: truth()}, {1: truth(RIGHT, difficult=(0,))}])
def test_where_there_is_nothing_to_find_a_class_does_not_count(objects: dict[int, Truth]) -> None:
    empty = curve({1: found((0.9, WRONG))}, objects)

    assert empty.objects == 0
    assert DetectionScores({}).mean() == 0
    assert DetectionScores({0: empty, 1: Curve(np.ones(1), np.ones(1), 1)}).mean(least=1) == 1


def test_overlaps_are_of_each_with_each() -> None:
    boxes = np.array([RIGHT, (5.0, 0.0, 15.0, 10.0)])

    assert overlaps(boxes, np.array([RIGHT, WRONG, (0.0, 0.0, 5.0, 5.0)])) == pytest.approx(
        np.array([[1, 0, 0.25], [1 / 3, 0, 0]])
    )

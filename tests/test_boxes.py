"""Box arithmetic: units and pixels, overlap, mirror images and windows."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from indexer.records import Box
from localizer import boxes as arithmetic
from tests.scenes import Corners, unhurried, unit_boxes

sides = st.integers(1, 5_000)
anywhere = st.floats(-3, 4)


def tensor(corners: Corners) -> Tensor:
    return torch.tensor(corners)


@given(unit_boxes(least=0.01), st.integers(100, 5_000), st.integers(100, 5_000))
def test_a_box_inside_the_picture_comes_back_from_pixels(corners: Corners, width: int, height: int) -> None:
    box = arithmetic.pixel_box(corners, width, height)

    assert arithmetic.unit_box(box, width, height) == pytest.approx(corners, abs=1e-9)


def test_shares_are_of_the_width_across_and_of_the_height_down() -> None:
    assert arithmetic.unit_box(Box(10, 30, 50, 60), 100, 60) == (0.1, 0.5, 0.5, 1.0)
    assert arithmetic.pixel_box((0.1, 0.5, 0.5, 1.0), 100, 60) == Box(10, 30, 50, 60)


@given(st.tuples(anywhere, anywhere, anywhere, anywhere), sides, sides)
def test_a_pixel_box_lies_inside_the_picture_whatever_the_corners(
    corners: Corners, width: int, height: int
) -> None:
    box = arithmetic.pixel_box(corners, width, height)

    assert box.clipped(width, height) == box
    assert box.xmax - box.xmin >= 1 - 1e-9
    assert box.ymax - box.ymin >= 1 - 1e-9


@given(unit_boxes(), st.integers(100, 900), st.integers(100, 900), st.floats(-0.9, 0.9))
def test_a_pixel_box_is_the_part_that_is_inside(corners: Corners, width: int, height: int, away: float) -> None:
    moved = (corners[0] + away, corners[1], corners[2] + away, corners[3])
    pixels = (moved[0] * width, moved[1] * height, moved[2] * width, moved[3] * height)

    box = arithmetic.pixel_box(moved, width, height)

    inside = Box(*pixels).clipped(width, height)
    if inside and min(inside.xmax - inside.xmin, inside.ymax - inside.ymin) > 1:
        assert box.corners == pytest.approx(inside.corners)
    else:
        assert box.xmax - box.xmin == pytest.approx(1)


@unhurried
@given(st.tuples(anywhere, anywhere, anywhere, anywhere), unit_boxes())
def test_iou_is_symmetric_and_between_nothing_and_one(first: Corners, second: Corners) -> None:
    here, there = arithmetic.iou(tensor(first), tensor(second)), arithmetic.iou(tensor(second), tensor(first))

    assert here == there
    assert 0 <= here <= 1


@unhurried
@given(unit_boxes(), st.floats(1.0, 2.0))
def test_a_box_has_iou_one_with_itself_and_none_with_what_it_does_not_touch(corners: Corners, away: float) -> None:
    box = tensor(corners)

    assert arithmetic.iou(box, box) == 1
    assert arithmetic.iou(box, box + torch.tensor([away, 0, away, 0])) == 0


@pytest.mark.parametrize(
    ("other", "expected"),
    [((0.5, 0.0, 1.5, 1.0), 1 / 3), ((0.0, 0.0, 0.5, 0.5), 0.25), ((0.25, -1.0, 0.75, 2.0), 0.5 / 2)],
)
def test_iou_is_the_shared_part_of_what_both_cover(other: Corners, expected: float) -> None:
    assert float(arithmetic.iou(tensor((0.0, 0.0, 1.0, 1.0)), tensor(other))) == pytest.approx(expected)


def test_boxes_that_are_empty_or_inside_out_overlap_nothing() -> None:
    boxes = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.9, 0.9, 0.1, 0.1]])

    assert arithmetic.area(boxes).tolist() == [0, 0]
    assert arithmetic.iou(boxes[:, None], boxes).tolist() == [[0, 0], [0, 0]]


@unhurried
@given(unit_boxes())
def test_the_mirror_image_of_a_mirror_image_is_the_box(corners: Corners) -> None:
    box = tensor(corners)

    mirrored = arithmetic.mirror(box)

    assert torch.allclose(arithmetic.mirror(mirrored), box, atol=1e-6)
    assert torch.allclose(arithmetic.area(mirrored), arithmetic.area(box), atol=1e-6)
    assert mirrored[[1, 3]].tolist() == box[[1, 3]].tolist()


@unhurried
@given(st.tuples(anywhere, anywhere, anywhere, anywhere))
def test_sorted_corners_span_the_same_rectangle(corners: Corners) -> None:
    xmin, ymin, xmax, ymax = arithmetic.sort_corners(tensor(corners)).tolist()

    expected = tensor(corners).tolist()
    assert [xmin, xmax] == sorted([expected[0], expected[2]])
    assert [ymin, ymax] == sorted([expected[1], expected[3]])


@unhurried
@given(unit_boxes())
def test_the_whole_picture_as_a_window_changes_nothing(corners: Corners) -> None:
    cropped, left = arithmetic.crop(tensor(corners), torch.zeros(2), torch.ones(2))

    assert torch.equal(cropped, tensor(corners))
    assert float(left) == pytest.approx(1)


def test_a_window_cuts_a_box_and_tells_what_is_left_of_it() -> None:
    boxes = torch.tensor([[0.4, 0.4, 0.6, 0.6], [0.4, 0.0, 0.6, 0.2], [0.5, 0.5, 0.75, 1.0], [0.0, 0.0, 1.0, 1.0]])

    cropped, left = arithmetic.crop(boxes, torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5]))

    assert torch.allclose(cropped[0], torch.tensor([0.0, 0.0, 0.2, 0.2]))
    assert torch.allclose(cropped[2], torch.tensor([0.0, 0.0, 0.5, 1.0]))
    assert torch.allclose(left, torch.tensor([0.25, 0.0, 1.0, 0.25]))


@unhurried
@given(unit_boxes(), unit_boxes(least=0.3), st.floats(0.1, 2))
def test_what_is_left_in_a_window_is_the_share_that_both_cover(
    corners: Corners, window: Corners, grown: float
) -> None:
    box, frame = tensor(corners), tensor(window) * grown

    cropped, left = arithmetic.crop(box, frame[:2], frame[2:] - frame[:2])

    expected = arithmetic.shared_area(box, frame) / arithmetic.area(box)
    assert torch.allclose(left, expected, atol=1e-3)
    assert cropped.min() >= 0
    assert cropped.max() <= 1


@unhurried
@given(unit_boxes(), unit_boxes(least=0.3))
def test_mirroring_before_a_window_is_mirroring_after_its_mirror_image(corners: Corners, window: Corners) -> None:
    frame = tensor(window)
    size, turned = frame[2:] - frame[:2], arithmetic.mirror(frame)

    before, left_before = arithmetic.crop(arithmetic.mirror(tensor(corners)), frame[:2], size)
    after, left_after = arithmetic.crop(tensor(corners), turned[:2], size)

    assert torch.allclose(before, arithmetic.mirror(after), atol=1e-5)
    assert torch.allclose(left_before, left_after, atol=1e-3)

"""Boxes follow their picture: turned with it by EXIF, scaled where its annotation is of another size."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from indexer.annotated_boxes import STORED, UPRIGHT, fit_objects, turn_upright
from indexer.records import OBJECT, Box, ListedImage, Notice, ObjectLabel

CUP = Box(20, 10, 60, 40)
orientations = st.integers(1, 8)


def listed(box: Box = CUP, size: tuple[int, int] | None = None) -> ListedImage:
    label = ObjectLabel("cup", box)
    return ListedImage(
        filename="a.jpg", split=None, objects=(label,), annotation="Annotations/a.xml", annotated_size=size
    )


def fitted(
    image: ListedImage, width: int, height: int, orientation: int = 1, frame: str = UPRIGHT
) -> tuple[list[Box], list[Notice]]:
    objects, notices = fit_objects(image, width, height, lambda: orientation, frame)
    return [label.box for label in objects], notices


@given(orientations, st.integers(0, 19), st.integers(0, 11), st.integers(1, 20), st.integers(1, 12))
def test_a_box_is_turned_as_its_pixels_are(
    orientation: int, left: int, upper: int, width: int, height: int
) -> None:
    box = Box(left, upper, min(left + width, 20), min(upper + height, 12))
    picture = Image.new("L", (20, 12))
    picture.paste(255, (left, upper, int(box.xmax), int(box.ymax)))
    picture.getexif()[0x112] = orientation

    shown = ImageOps.exif_transpose(picture)

    assert turn_upright(box, orientation, 20, 12).corners == shown.getbbox()


@given(st.integers(5, 8))
def test_a_size_as_stored_tells_that_boxes_are_of_the_stored_picture(orientation: int) -> None:
    boxes, notices = fitted(listed(size=(200, 120)), 120, 200, orientation)

    assert boxes == [turn_upright(CUP, orientation, 200, 120)]
    assert not notices


@given(orientations, st.sampled_from([UPRIGHT, STORED]))
def test_a_size_as_shown_tells_that_boxes_are_of_the_shown_picture(orientation: int, frame: str) -> None:
    width, height = (120, 200) if orientation >= 5 else (200, 120)
    told_by_size = orientation >= 5 or frame == UPRIGHT

    boxes, _ = fitted(listed(size=(width, height)), width, height, orientation, frame)

    assert boxes == [CUP if told_by_size else turn_upright(CUP, orientation, 200, 120)]


@given(orientations)
def test_where_no_size_tells_the_frame_that_was_named_counts(orientation: int) -> None:
    width, height = (120, 200) if orientation >= 5 else (200, 120)

    upright, _ = fitted(listed(), width, height, orientation)
    stored, _ = fitted(listed(), width, height, orientation, STORED)

    assert upright == [CUP]
    assert stored == [turn_upright(CUP, orientation, 200, 120)]


def test_boxes_of_another_scale_are_scaled_and_it_is_told() -> None:
    boxes, notices = fitted(listed(Box(40, 20, 120, 80), (400, 240)), 200, 120)

    assert boxes == [CUP]
    assert notices == [
        Notice(
            OBJECT, "Annotations/a.xml", "boxes scaled from 400 x 240 to the picture's 200 x 120 pixels", used=True
        )
    ]


@given(st.integers(5, 8))
def test_boxes_of_another_scale_of_the_stored_picture_are_scaled_and_turned(orientation: int) -> None:
    boxes, _ = fitted(listed(Box(40, 20, 120, 80), (400, 240)), 120, 200, orientation)

    assert boxes == [turn_upright(CUP, orientation, 200, 120)]


@given(st.integers(100, 2_000), st.integers(100, 2_000), st.integers(50, 4_000))
def test_the_rounding_of_a_scaled_size_to_whole_pixels_is_no_other_shape(
    width: int, height: int, scaled_width: int
) -> None:
    size = (scaled_width, max(50, round(height * scaled_width / width)))
    assume(abs(size[1] - height * scaled_width / width) <= 0.5)

    boxes, _ = fitted(listed(Box(0, 0, *size), size), width, height)

    assert boxes == [Box(0, 0, width, height)]


@pytest.mark.parametrize(("size", "orientation"), [((300, 120), 1), ((120, 200), 1), ((1, 1), 1), ((300, 120), 6)])
def test_objects_of_a_picture_of_another_shape_are_refused_by_name(
    size: tuple[int, int], orientation: int
) -> None:
    width, height = (120, 200) if orientation == 6 else (200, 120)

    boxes, notices = fitted(listed(size=size), width, height, orientation)

    assert not boxes
    assert [(notice.used, notice.name) for notice in notices] == [(False, "Annotations/a.xml")]
    assert f"found {size[0]} x {size[1]}" in notices[0].reason.replace("a <size> of ", "")


def test_one_object_outside_the_picture_costs_that_object_alone() -> None:
    objects = (ObjectLabel("cup", CUP), ObjectLabel("cat", Box(300, 10, 320, 40)), ObjectLabel("dog", CUP))
    image = ListedImage(filename="a.jpg", split=None, objects=objects, annotation="Annotations/a.xml")

    kept, notices = fit_objects(image, 200, 120, lambda: 1)

    assert [label.class_name for label in kept] == ["cup", "dog"]
    assert [notice.reason.partition(":")[0] for notice in notices] == ["cat at (300, 10, 320, 40)"]


def test_what_sticks_out_of_the_picture_is_cut_off() -> None:
    boxes, notices = fitted(listed(Box(-5, 10, 60, 500)), 200, 120)

    assert boxes == [Box(0, 10, 60, 120)]
    assert not notices


def test_the_orientation_is_asked_for_only_where_it_matters() -> None:
    def refuse() -> int:
        raise AssertionError("asked")

    objects, _ = fit_objects(listed(size=(200, 120)), 200, 120, refuse)

    assert [label.box for label in objects] == [CUP]

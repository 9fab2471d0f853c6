"""Boxes, and what an annotated image says of itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.records import AnnotatedImage, Box, ObjectLabel

numbers = st.floats(-1_000, 1_000, allow_nan=False)


@pytest.mark.parametrize(
    "corners", [(5, 0, 5, 9), (0, 9, 5, 9), (6, 0, 5, 9), (math.nan, 0, 5, 9), (0, 0, math.inf, 9)]
)
def test_a_box_that_covers_nothing_or_everything_is_refused(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="box"):
        Box(*corners)


@given(numbers, numbers, st.floats(0.01, 500), st.floats(0.01, 500), st.integers(1, 600), st.integers(1, 600))
def test_a_clipped_box_lies_inside_both_the_box_and_the_picture(
    xmin: float, ymin: float, box_width: float, box_height: float, width: int, height: int
) -> None:
    box = Box(xmin, ymin, xmin + box_width, ymin + box_height)

    clipped = box.clipped(width, height)

    overlaps = xmin < width and ymin < height and box.xmax > 0 and box.ymax > 0
    assert (clipped is not None) == overlaps
    if clipped:
        assert max(xmin, 0) == clipped.xmin
        assert max(ymin, 0) == clipped.ymin
        assert min(box.xmax, width) == clipped.xmax
        assert min(box.ymax, height) == clipped.ymax


def test_the_main_object_has_the_largest_box_and_the_first_of_equals_wins() -> None:
    small, large, equal = (
        ObjectLabel(name, Box(0, 0, side, side)) for name, side in (("cat", 3), ("dog", 9), ("cow", 9))
    )

    image = AnnotatedImage(filename="a.jpg", split=None, objects=(small, large, equal))

    assert image.main_object is large


def test_an_image_without_objects_has_no_main_object() -> None:
    assert AnnotatedImage(filename="a.jpg", split=None, objects=()).main_object is None


def test_classes_are_named_once_in_the_order_of_the_annotation() -> None:
    labels = tuple(ObjectLabel(name, Box(0, 0, 1, 1)) for name in ("dog", "cat", "dog"))

    assert AnnotatedImage(filename="a.jpg", split=None, objects=labels).class_names == ("dog", "cat")

"""VOC's annotation files: what real ones hold, and what is written comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.annotation_xml import format_annotation, parse_objects
from indexer.errors import DatasetError
from indexer.records import AnnotatedImage, Box, ObjectLabel

PERSON_WITH_PARTS = b"""<annotation><filename>2007_000027.jpg</filename><object>
  <name>person</name>
  <part><name>head</name><bndbox><xmin>209</xmin><ymin>108</ymin><xmax>290</xmax><ymax>176</ymax></bndbox></part>
  <pose>Unspecified</pose><truncated>0</truncated><occluded>1</occluded><difficult>0</difficult>
  <bndbox><xmin>174</xmin><ymin>101</ymin><xmax>349</xmax><ymax>351</ymax></bndbox>
</object></annotation>"""

names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)
flags = st.none() | st.booleans()
corners = st.floats(-50, 2_000).map(lambda value: round(value, 3))
boxes = st.builds(
    lambda xmin, ymin, width, height: Box(xmin, ymin, round(xmin + width, 3), round(ymin + height, 3)),
    corners, corners, st.floats(0.01, 900), st.floats(0.01, 900),
)  # fmt: skip
labels = st.builds(ObjectLabel, names, boxes, st.none() | names, flags, flags, flags)


def one_object(inner: str) -> bytes:
    return f"<annotation><object>{inner}</object></annotation>".encode()


def test_corners_become_half_open_and_parts_are_not_taken_for_objects() -> None:
    assert parse_objects(PERSON_WITH_PARTS) == (
        ObjectLabel(
            "person", Box(173, 100, 349, 351), "Unspecified", truncated=False, occluded=True, difficult=False
        ),
    )


def test_decimals_in_corners_are_kept() -> None:
    xml = one_object(
        "<name>car</name><bndbox><xmin>45.70</xmin><ymin>1</ymin><xmax>90.25</xmax><ymax>8</ymax></bndbox>"
    )

    assert parse_objects(xml)[0].box == Box(44.7, 0, 90.25, 8)


def test_tags_that_are_missing_are_unknown_not_false() -> None:
    xml = one_object("<name>car</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>")

    (label,) = parse_objects(xml)

    assert (label.pose, label.truncated, label.occluded, label.difficult) == (None, None, None, None)


def test_an_annotation_without_objects_is_no_error() -> None:
    assert parse_objects(b"<annotation></annotation>") == ()


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (b"<annotation><object>", "expected an XML annotation"),
        (b'<?xml version="1.0" encoding="shift_jis"?><annotation/>', "expected an XML annotation"),
        (b'<?xml version="1.0" encoding="nonsense"?><annotation/>', "expected an XML annotation"),
        (one_object("<bndbox/>"), "expected a <name> in object 1"),
        (one_object("<name>car</name>"), r"expected a <bndbox> of four numbers in object 1 \(car\)"),
        (
            one_object(
                "<name>car</name><bndbox><xmin>9</xmin><ymin>1</ymin><xmax>1</xmax><ymax>8</ymax></bndbox>"
            ),
            "xmin < xmax",
        ),
        (
            one_object(
                "<name>car</name><bndbox><xmin>nan</xmin><ymin>1</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
            ),
            "finite",
        ),
    ],
)
def test_a_broken_annotation_says_what_was_expected(xml: bytes, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        parse_objects(xml)


@given(st.lists(labels, max_size=4).map(tuple))
def test_what_is_written_comes_back(objects: tuple[ObjectLabel, ...]) -> None:
    image = AnnotatedImage(filename="a.jpg", split=None, objects=objects)

    read = parse_objects(format_annotation(image, "VOC2012", 500, 375))

    assert [label.class_name for label in read] == [label.class_name for label in objects]
    for found, given_label in zip(read, objects, strict=True):
        assert found.box.corners == pytest.approx(given_label.box.corners, abs=1e-9)
        assert (found.pose, found.truncated, found.occluded, found.difficult) == (
            given_label.pose, given_label.truncated, given_label.occluded, given_label.difficult,
        )  # fmt: skip

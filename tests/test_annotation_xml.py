"""VOC's annotation files: what real ones hold, and what is written comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.annotation_xml import format_annotation, parse_annotation
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
    assert parse_annotation(PERSON_WITH_PARTS).objects == (
        ObjectLabel(
            "person", Box(173, 100, 349, 351), "Unspecified", truncated=False, occluded=True, difficult=False
        ),
    )


def test_decimals_in_corners_are_kept() -> None:
    xml = one_object(
        "<name>car</name><bndbox><xmin>45.70</xmin><ymin>1</ymin><xmax>90.25</xmax><ymax>8</ymax></bndbox>"
    )

    assert parse_annotation(xml).objects[0].box == Box(44.7, 0, 90.25, 8)


def test_tags_that_are_missing_are_unknown_not_false() -> None:
    xml = one_object("<name>car</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>")

    (label,) = parse_annotation(xml).objects

    assert (label.pose, label.truncated, label.occluded, label.difficult) == (None, None, None, None)


def test_an_annotation_without_objects_is_no_error() -> None:
    assert parse_annotation(b"<annotation><filename>a.jpg</filename></annotation>").objects == ()


CUP = "<object><name>cup</name>{box}</object>"
BNDBOX = "<bndbox><xmin>21</xmin><ymin>11</ymin><xmax>60</xmax><ymax>40</ymax></bndbox>"
PLAIN = f"<annotation>{CUP.format(box=BNDBOX)}</annotation>"


@pytest.mark.parametrize(
    "xml",
    [
        PLAIN,
        PLAIN.replace("<annotation>", '<annotation xmlns="http://www.example.org/voc">'),
        PLAIN.replace("<annotation>", '<v:annotation xmlns:v="http://a.example">').replace("</ann", "</v:ann"),
        f"<annotations>{PLAIN}</annotations>",
        PLAIN.replace("<object>", "<objects><object>").replace("</object>", "</object></objects>"),
        PLAIN.replace("object>", "Object>").replace("bndbox", "BndBox").replace("xmin", "XMin"),
        PLAIN.upper().replace("CUP", "cup"),
        PLAIN.replace("cup", "\n cup\t"),
        f"\n  <?xml version='1.0'?>{PLAIN}",
        PLAIN.replace("<object>", "<source><annotation>PASCAL VOC2007</annotation></source><object>"),
        PLAIN.replace("21", " 21.0 "),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_annotations_are_read_as_other_tools_write_them(xml: str, encoding: str) -> None:
    found = parse_annotation(xml.encode(encoding))

    assert [(label.class_name, label.box) for label in found.objects] == [("cup", Box(20, 10, 60, 40))]
    assert not found.refused
    assert not found.changed


@pytest.mark.parametrize(
    "points",
    [
        "<x1>21</x1><y1>11</y1><x2>60</x2><y2>11</y2><x3>60</x3><y3>40</y3>",
        "<pt><x>21</x><y>40</y></pt><pt><x>60</x><y>11</y></pt><username>me</username>",
    ],
)
def test_a_polygon_gives_its_bounding_box_and_it_is_told(points: str) -> None:
    found = parse_annotation(f"<annotation>{CUP.format(box=f'<polygon>{points}</polygon>')}</annotation>".encode())

    assert found.objects[0].box == Box(20, 10, 60, 40)
    assert found.changed == ("object 1 (cup): its polygon's bounding box is taken",)


def test_flags_may_be_words() -> None:
    (label,) = parse_annotation(
        PLAIN.replace("<name>", "<difficult>True</difficult><truncated>false</truncated><name>").encode()
    ).objects

    assert (label.difficult, label.truncated, label.occluded) == (True, False, None)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("<size><width>500</width><height>375</height></size>", (500, 375)),
        ("<size><width>500.0</width><height> 375 </height></size>", (500, 375)),
        ("<size><width>0</width><height>0</height></size>", None),
        ("<size><width>500</width></size>", None),
        ("<size><width>nan</width><height>inf</height></size>", None),
        ("", None),
    ],
)
def test_the_size_is_that_of_the_annotated_picture(size: str, expected: tuple[int, int] | None) -> None:
    assert parse_annotation(PLAIN.replace("<object>", f"{size}<object>").encode()).size == expected


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ("<annotation><object>", "expected an XML annotation"),
        ('<?xml version="1.0" encoding="shift_jis"?><annotation/>', "expected an XML annotation"),
        ('<?xml version="1.0" encoding="nonsense"?><annotation/>', "expected an XML annotation"),
        ("<annotation/>", "expected a VOC annotation, found <annotation> with nothing"),
        (
            '<annotations><image name="a.jpg"><box label="cup"/></image></annotations>',
            "expected a VOC annotation, found <annotations> with <image>; convert it to VOC",
        ),
        (f"<annotations>{PLAIN}{PLAIN}</annotations>", "expected one <annotation>, found 2"),
        ("<a>" * 100_000 + "</a>" * 100_000, "expected a VOC annotation|expected an XML annotation"),
    ],
)
def test_what_is_no_voc_annotation_is_refused(xml: str, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        parse_annotation(xml.encode())


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (BNDBOX, "object 2 (without a name): expected a <name>, found none"),
        ("<name>car</name>", "object 2 (car): expected a <bndbox>, found none"),
        ("<name>car</name><polygon/>", "object 2 (car): expected points in its <polygon>, found none"),
        (
            f"<name>car</name>{BNDBOX.replace('21', 'x')}",
            "object 2 (car): expected numbers as its box, found 'x', '11', '60', '40'",
        ),
        ("<name>car</name><polygon><x1>a</x1><y1>2</y1></polygon>", "expected numbers as its box, found 'a', '2'"),
        (f"<name>car</name>{BNDBOX.replace('21', '61')}", "xmin < xmax"),
        (f"<name>car</name>{BNDBOX.replace('21', 'nan')}", "finite"),
    ],
)
def test_a_broken_object_is_told_and_costs_that_object_alone(inner: str, expected: str) -> None:
    broken = f"<object>{inner}</object>"

    found = parse_annotation(PLAIN.replace("</object>", f"</object>{broken}").encode())

    assert [label.class_name for label in found.objects] == ["cup"]
    assert len(found.refused) == 1
    assert expected in found.refused[0]


@given(st.lists(labels, max_size=4).map(tuple))
def test_what_is_written_comes_back(objects: tuple[ObjectLabel, ...]) -> None:
    image = AnnotatedImage(filename="a.jpg", split=None, objects=objects)

    read = parse_annotation(format_annotation(image, "VOC2012", 500, 375)).objects

    assert [label.class_name for label in read] == [label.class_name for label in objects]
    for found, given_label in zip(read, objects, strict=True):
        assert found.box.corners == pytest.approx(given_label.box.corners, abs=1e-9)
        assert (found.pose, found.truncated, found.occluded, found.difficult) == (
            given_label.pose, given_label.truncated, given_label.occluded, given_label.difficult,
        )  # fmt: skip

"""Tagged pictures as files, read back by whoever else reads such files."""

import contextlib
import csv
import io
import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from indexer.annotation_xml import parse_annotation
from indexer.records import Box
from localizer.exports import FORMATS, TaggedPicture, coco_files, csv_files, voc_files, write
from localizer.records import Prediction
from tests.scenes import CLASSES, unhurried, unit_boxes

NAMES = ["a.jpg", "in/side/b.jpeg", 'comma, quote " and\nnewline.png', "Ärger & <Ähren>.jpg", "=1+1.jpg"]


@st.composite
def tagged_pictures(draw: st.DrawFn) -> list[TaggedPicture]:
    """Up to five pictures of different names, each with some objects inside it."""
    pictures = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5)):
        width, height = draw(st.integers(20, 2_000)), draw(st.integers(20, 2_000))
        found = [
            Prediction(
                class_name=draw(st.sampled_from(CLASSES)),
                probability=draw(st.floats(0, 1)),
                box=Box(corners[0] * width, corners[1] * height, corners[2] * width, corners[3] * height),
                predicted_iou=draw(st.floats(0, 1)),
            )
            for corners in draw(st.lists(unit_boxes(), max_size=3))
        ]
        pictures.append(TaggedPicture(name=name, width=width, height=height, objects=tuple(found)))
    return pictures


def picture(name: str = "a.jpg", *classes: str) -> TaggedPicture:
    box = Box(10.25, 20.5, 30.75, 41)
    found = tuple(
        Prediction(class_name=one, probability=0.5, box=box, predicted_iou=0.25) for one in classes or ("cat",)
    )
    return TaggedPicture(name=name, width=100, height=80, objects=found)


@unhurried
@given(tagged_pictures())
def test_voc_xml_comes_back_with_the_smallest_whole_boxes_around(tagged: list[TaggedPicture]) -> None:
    files = voc_files(tagged, CLASSES)

    assert len(files) == len(tagged)
    for one, xml in zip(tagged, files.values(), strict=True):
        read = parse_annotation(xml).objects
        assert [label.class_name for label in read] == [found.class_name for found in one.objects]
        for label, found in zip(read, one.objects, strict=True):
            xmin, ymin, xmax, ymax = found.box.corners
            whole = Box(math.floor(xmin), math.floor(ymin), math.ceil(xmax), math.ceil(ymax))
            assert label.box == whole
            assert label.box.clipped(one.width, one.height) == whole


def test_a_voc_file_is_named_after_its_picture_and_says_where_it_lies() -> None:
    files = voc_files([picture("in/side/b.jpeg"), picture("c.d.png")], CLASSES)

    assert list(files) == ["in/side/b.xml", "c.d.xml"]
    assert b"<filename>b.jpeg</filename>" in files["in/side/b.xml"]
    assert b"<folder>side</folder>" in files["in/side/b.xml"]
    assert b"<xmin>11</xmin>" in files["c.d.xml"]
    assert b"<ymax>41</ymax>" in files["c.d.xml"]


def test_pictures_of_one_name_with_different_endings_both_keep_their_objects() -> None:
    files = voc_files([picture("a.jpg", "cat"), picture("a.png", "dog")], CLASSES)

    classes = {label.class_name for xml in files.values() for label in parse_annotation(xml).objects}
    assert classes == {"cat", "dog"}


@unhurried
@given(tagged_pictures())
def test_coco_s_own_reader_finds_every_box(tagged: list[TaggedPicture]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        there = COCO()
        there.dataset = json.loads(coco_files(tagged, CLASSES)[""])
        there.createIndex()

    shown = [there.imgs[image_id] for image_id in sorted(there.imgs)]
    assert [(one["file_name"], one["width"], one["height"]) for one in shown] == [
        (one.name, one.width, one.height) for one in tagged
    ]
    for one, image in zip(tagged, shown, strict=True):
        annotations = there.loadAnns(there.getAnnIds(imgIds=[image["id"]]))
        names = [there.cats[annotation["category_id"]]["name"] for annotation in annotations]
        assert names == [found.class_name for found in one.objects]
        for annotation, found in zip(annotations, one.objects, strict=True):
            box = found.box
            assert annotation["bbox"] == pytest.approx(
                [box.xmin, box.ymin, box.xmax - box.xmin, box.ymax - box.ymin], abs=0.011
            )
            assert annotation["area"] == pytest.approx(annotation["bbox"][2] * annotation["bbox"][3], abs=0.011)
            assert annotation["score"] == pytest.approx(found.probability, abs=1e-4)
            assert annotation["iscrowd"] == 0


def test_coco_names_every_class_whether_it_was_found_or_not(tmp_path: Path) -> None:
    write(coco_files([picture()], CLASSES), tmp_path / "coco.json")

    with contextlib.redirect_stdout(io.StringIO()):
        there = COCO(tmp_path / "coco.json")

    assert [one["name"] for one in there.loadCats(there.getCatIds())] == list(CLASSES)
    assert there.anns[1]["bbox"] == [10.25, 20.5, 20.5, 20.5]


@unhurried
@given(tagged_pictures())
def test_csv_comes_back_line_by_line(tagged: list[TaggedPicture]) -> None:
    text = csv_files(tagged, CLASSES)[""].decode()

    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    found = [(one, each) for one in tagged for each in one.objects]
    assert len(rows) == len(found)
    for row, (one, each) in zip(rows, found, strict=True):
        assert (row["file"], row["width"], row["height"]) == (one.name, str(one.width), str(one.height))
        assert row["class"] == each.class_name
        assert float(row["probability"]) == pytest.approx(each.probability, abs=1e-4)
        assert float(row["predicted_iou"]) == pytest.approx(each.predicted_iou, abs=1e-4)
        corners = [float(row[name]) for name in ("xmin", "ymin", "xmax", "ymax")]
        assert corners == pytest.approx(each.box.corners, abs=0.051)


@pytest.mark.parametrize("kind", FORMATS)
def test_no_pictures_make_files_without_objects(kind: str) -> None:
    files = FORMATS[kind]([], CLASSES)

    assert [content.count(b"cat,") for content in files.values()] == [0] * len(files)
    assert len(files) == (0 if kind == "voc" else 1)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"bell\x07.jpg"])
def test_a_file_name_that_is_no_text_breaks_no_format(kind: str, name: bytes) -> None:
    files = FORMATS[kind]([picture(os.fsdecode(name))], CLASSES)

    content = b"".join(files.values())
    assert b"cat" in content
    if kind == "voc":
        assert [label.class_name for label in parse_annotation(content).objects] == ["cat"]


def test_files_are_written_whole_in_the_place_of_former_ones(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    write({"a.xml": b"old and long", "deep/b.xml": b"kept"}, out)

    write({"a.xml": b"new"}, out)

    assert (out / "a.xml").read_bytes() == b"new"
    assert (out / "deep/b.xml").read_bytes() == b"kept"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.xml", "b.xml"]


def test_an_empty_name_stands_for_the_output_itself(tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_bytes(b"old")

    write({"": b"new"}, tmp_path / "tags.csv")

    assert [path.name for path in tmp_path.iterdir()] == ["tags.csv"]
    assert (tmp_path / "tags.csv").read_bytes() == b"new"


def test_what_cannot_be_written_leaves_the_former_file_and_no_part_of_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "out" / "a.xml").mkdir(parents=True)

    with pytest.raises(OSError, match=r"a\.xml"):
        write({"a.xml": b"new"}, tmp_path / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.xml"]

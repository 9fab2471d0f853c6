"""Tagged pictures as files, read back by whoever else reads such files."""

import contextlib
import csv
import io
import json
import math
import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from indexer.annotation_xml import parse_annotation
from indexer.errors import DatasetError, StorageError
from indexer.records import Box
from localizer.exports import FORMATS, Export, Source, TaggedPicture, VocFolder
from localizer.records import Prediction
from tests.scenes import CLASSES, unit_boxes

NAMES = ["a.jpg", "in/side/b.jpeg", 'comma, quote " and\nnewline.png', "Ärger & <Ähren>.jpg", "=1+1.jpg"]
FOLDERS, FILES = ("voc", "yolo"), ("coco", "label-studio", "csv")

drawn = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""For properties of files: each example writes over those of the former."""


@st.composite
def tagged_pictures(draw: st.DrawFn, least: int = 0) -> list[TaggedPicture]:
    """Up to five pictures of different names, each with some objects inside it."""
    pictures = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=least, max_size=5)):
        width, height = draw(st.integers(20, 2_000)), draw(st.integers(20, 2_000))
        found = [
            Prediction(
                class_name=draw(st.sampled_from(CLASSES)),
                probability=draw(st.floats(0, 1)),
                box=Box(corners[0] * width, corners[1] * height, corners[2] * width, corners[3] * height),
                predicted_iou=draw(st.floats(0, 1)),
            )
            for corners in draw(st.lists(unit_boxes(), min_size=least, max_size=3))
        ]
        pictures.append(TaggedPicture(name=name, width=width, height=height, objects=tuple(found)))
    return pictures


def picture(name: str = "a.jpg", *classes: str) -> TaggedPicture:
    box = Box(10.25, 20.5, 30.75, 41)
    found = tuple(
        Prediction(class_name=one, probability=0.5, box=box, predicted_iou=0.25) for one in classes or ("cat",)
    )
    return TaggedPicture(name=name, width=100, height=80, objects=found)


def opened(
    kind: str, out: Path, names: Sequence[str], classes: Sequence[str] = CLASSES, folder: str = "farm"
) -> Export:
    return FORMATS[kind](out, Source(folder=folder, names=names, classes=classes, model="heads 1"))


def write(kind: str, out: Path, tagged: Sequence[TaggedPicture], **source: Any) -> None:  # noqa: ANN401 - opened's
    with opened(kind, out, [one.name for one in tagged], **source) as export:
        for one in tagged:
            export.add(one)


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def open_coco(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(path)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names_in(kind: str, out: Path) -> list[str]:
    """Pictures that a file of all pictures holds."""
    if kind == "csv":
        return list(dict.fromkeys(row["file"] for row in read_csv(out)))
    content = json.loads(out.read_text())
    if kind == "coco":
        return [image["file_name"] for image in content["images"]]
    return [parse_qs(urlsplit(task["data"]["image"]).query)["d"][0].removeprefix("farm/") for task in content]


# VOC


@drawn
@given(tagged_pictures())
def test_voc_xml_comes_back_with_the_smallest_whole_boxes_around(
    tmp_path: Path, tagged: list[TaggedPicture]
) -> None:
    write("voc", tmp_path / "out", tagged)

    for one in tagged:
        read = parse_annotation((tmp_path / "out" / PurePath(one.name).with_suffix(".xml")).read_bytes()).objects
        assert [label.class_name for label in read] == [found.class_name for found in one.objects]
        for label, found in zip(read, one.objects, strict=True):
            xmin, ymin, xmax, ymax = found.box.corners
            whole = Box(math.floor(xmin), math.floor(ymin), math.ceil(xmax), math.ceil(ymax))
            assert label.box == whole
            assert label.box.clipped(one.width, one.height) == whole


def test_a_voc_file_is_named_after_its_picture_and_says_where_it_lies(tmp_path: Path) -> None:
    write("voc", tmp_path, [picture("in/side/b.jpeg"), picture("c.d.png")])

    files = written(tmp_path)
    assert set(files) == {"in/side/b.xml", "c.d.xml"}
    assert b"<filename>b.jpeg</filename>" in files["in/side/b.xml"]
    assert b"<folder>side</folder>" in files["in/side/b.xml"]
    assert b"<xmin>11</xmin>" in files["c.d.xml"]
    assert b"<ymax>41</ymax>" in files["c.d.xml"]


def test_voc_keeps_the_probability_in_an_element_of_its_own(tmp_path: Path) -> None:
    write("voc", tmp_path, [picture("a.jpg", "cat", "dog")])

    content = (tmp_path / "a.xml").read_bytes()
    assert content.count(b"<probability>0.5000</probability>") == 2
    assert [label.class_name for label in parse_annotation(content).objects] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["a.jpg", "a.png"], ["a", "a.png"]),
        (["a.png", "a.jpeg", "b/a.jpg"], ["a.png", "a", "b/a"]),
        (["twin.jpg", "twin.jpg.png"], ["twin", "twin.jpg.png"]),
        (["twin.jpg", "twin.png", "twin.jpg.png"], ["twin", "twin.png", "twin.jpg.png"]),
        (["a.jpg", "a.png", "a.png.jpg"], ["a", "a.png", "a.png.jpg"]),
        (
            ["a.jpg", "a.png", "a.png.jpg", "a.png.jpg.gif", "a.png.gif"],
            ["a", "a.png", "a.png.jpg", "a.png.jpg.gif", "a.png.gif"],
        ),
        (["A.jpg", "a.png"], ["A", "a"]),
        (["a.JPG", "a.jpg"], ["a", "a.jpg"]),
    ],
)
def test_each_picture_has_a_voc_file_of_its_own(tmp_path: Path, names: list[str], files: list[str]) -> None:
    write("voc", tmp_path, [picture(name, f"in {name}") for name in names])

    assert {name: parse_annotation(xml).objects[0].class_name for name, xml in written(tmp_path).items()} == {
        f"{file}.xml": f"in {name}" for file, name in zip(files, names, strict=True)
    }


endings = st.sampled_from([".jpg", ".png", ".JPG", ".jpeg"])
many_names = st.lists(
    st.builds(lambda stem, more: stem + "".join(more), st.sampled_from("aAb"), st.lists(endings, min_size=1)),
    unique=True,
)


@drawn
@given(many_names)
def test_no_two_pictures_write_one_voc_file(tmp_path: Path, names: list[str]) -> None:
    with opened("voc", tmp_path / "out", names) as export:
        assert isinstance(export, VocFolder)
        files = export.files

    assert set(files) == set(names)
    assert len(set(files.values())) == len(names)


@pytest.fixture
def caseless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which names that differ in case alone are equal, as far as an export can see."""
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: exists(path) or path.name.isupper())
    return tmp_path / "out"


def test_names_that_differ_in_case_alone_stay_apart_where_the_file_system_takes_them_for_one(
    caseless: Path,
) -> None:
    write("voc", caseless, [picture("A.jpg", "dog"), picture("a.png", "cat")])

    assert {name: parse_annotation(xml).objects[0].class_name for name, xml in written(caseless).items()} == {
        "A.xml": "dog", "a.png.xml": "cat",
    }  # fmt: skip


def test_names_that_cannot_stay_apart_there_are_refused(caseless: Path) -> None:
    with pytest.raises(DatasetError, match=r"found A\.JPG and a\.jpg, which would share"):
        opened("yolo", caseless, ["A.JPG", "a.jpg"])

    assert written(caseless) == {}


# YOLO


def read_yolo(out: Path) -> dict[str, list[tuple[str, list[float]]]]:
    """Stem -> class and centre, width, height of each object."""
    names = yaml.safe_load((out / "data.yaml").read_text(encoding="utf-8"))["names"]
    found = {}
    for path in sorted((out / "labels").rglob("*.txt")):
        lines = [line.split(" ") for line in path.read_text().splitlines()]
        stem = path.relative_to(out / "labels").with_suffix("").as_posix()
        found[stem] = [(names[int(first)], [float(one) for one in rest]) for first, *rest in lines]
    return found


@drawn
@given(tagged_pictures())
def test_yolo_has_a_line_of_five_numbers_for_each_object(tmp_path: Path, tagged: list[TaggedPicture]) -> None:
    write("yolo", tmp_path / "out", tagged)

    read = read_yolo(tmp_path / "out")

    for one in tagged:
        lines = read[PurePath(one.name).with_suffix("").as_posix()]
        assert [name for name, _ in lines] == [found.class_name for found in one.objects]
        for (_, shares), found in zip(lines, one.objects, strict=True):
            x, y, width, height = shares
            corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            assert np.multiply(corners, (one.width, one.height) * 2) == pytest.approx(found.box.corners, abs=0.005)
            assert all(0 <= share <= 1 for share in shares)


def test_yolo_names_all_classes_and_where_the_pictures_are_to_lie(tmp_path: Path) -> None:
    classes = ["cat", 'a "b" \\ c: #d', "Ähre 🐄", "x\x7f\n"]

    write("yolo", tmp_path, [picture("in/a.jpg", "Ähre 🐄"), picture("b.jpg")], classes=classes)

    data = yaml.safe_load((tmp_path / "data.yaml").read_text(encoding="utf-8"))
    assert data == {"train": "images", "val": "images", "names": dict(enumerate(classes))}
    assert set(read_yolo(tmp_path)) == {"in/a", "b"}


def test_pictures_that_yolo_cannot_tell_apart_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"found in/a\.jpg and in/a\.png, which would share labels/in/a\.txt"):
        opened("yolo", tmp_path / "out", ["in/a.jpg", "b.jpg", "in/a.png"])

    assert not (tmp_path / "out").exists()


# COCO


@drawn
@given(tagged_pictures())
def test_coco_s_own_reader_finds_every_box(tmp_path: Path, tagged: list[TaggedPicture]) -> None:
    write("coco", tmp_path / "coco.json", tagged)

    there = open_coco(tmp_path / "coco.json")

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


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own use of numpy
@drawn
@given(tagged_pictures())
def test_coco_s_own_reader_makes_a_mask_of_every_box(tmp_path: Path, tagged: list[TaggedPicture]) -> None:
    write("coco", tmp_path / "coco.json", tagged)

    there = open_coco(tmp_path / "coco.json")

    for annotation in there.dataset["annotations"]:
        x, y, width, height = annotation["bbox"]
        mask = there.annToMask(annotation)
        inside = mask[math.ceil(y) : math.floor(y + height), math.ceil(x) : math.floor(x + width)]
        assert inside.all()
        assert mask.sum() <= (width + 2) * (height + 2)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@drawn
@given(tagged=tagged_pictures(least=1))
def test_coco_s_annotations_are_results_too(tmp_path: Path, tagged: list[TaggedPicture], kind: str) -> None:
    write("coco", tmp_path / "coco.json", tagged)
    there = open_coco(tmp_path / "coco.json")

    with contextlib.redirect_stdout(io.StringIO()):
        results = there.loadRes(there.dataset["annotations"])
        evaluation = COCOeval(there, results, kind)
        evaluation.evaluate()

    found = sum(len(one.objects) for one in tagged)
    assert len(results.anns) == found
    assert sum(len(one["dtIds"]) for one in evaluation.evalImgs if one and one["aRng"] == [0, 1e10]) == found


def test_coco_names_every_class_whether_it_was_found_or_not(tmp_path: Path) -> None:
    write("coco", tmp_path / "coco.json", [picture()])

    there = open_coco(tmp_path / "coco.json")

    assert [one["name"] for one in there.loadCats(there.getCatIds())] == list(CLASSES)
    assert there.anns[1]["bbox"] == [10.25, 20.5, 20.5, 20.5]


def test_coco_s_classes_are_numbered_from_one_as_converters_to_yolo_expect(tmp_path: Path) -> None:
    write("coco", tmp_path / "coco.json", [picture("a.jpg", *CLASSES)])
    write("yolo", tmp_path / "yolo", [picture("a.jpg", *CLASSES)])

    numbers = [one["category_id"] - 1 for one in open_coco(tmp_path / "coco.json").dataset["annotations"]]
    assert [name for name, _ in read_yolo(tmp_path / "yolo")["a"]] == [CLASSES[number] for number in numbers]


# Label Studio


@drawn
@given(tagged_pictures())
def test_label_studio_finds_regions_in_percent(tmp_path: Path, tagged: list[TaggedPicture]) -> None:
    write("label-studio", tmp_path / "tasks.json", tagged)

    tasks = json.loads((tmp_path / "tasks.json").read_text())

    assert names_in("label-studio", tmp_path / "tasks.json") == [one.name for one in tagged]
    for task, one in zip(tasks, tagged, strict=True):
        [prediction] = task["predictions"]
        scores = [found.probability for found in one.objects]
        assert prediction["score"] == pytest.approx(np.mean(scores) if scores else 0, abs=1e-4)
        assert len({region["id"] for region in prediction["result"]}) == len(one.objects)
        for region, found in zip(prediction["result"], one.objects, strict=True):
            assert (region["type"], region["from_name"], region["to_name"]) == (
                "rectanglelabels",
                "label",
                "image",
            )
            assert (region["original_width"], region["original_height"]) == (one.width, one.height)
            assert region["score"] == pytest.approx(found.probability, abs=1e-4)
            value = region["value"]
            assert value["rectanglelabels"] == [found.class_name]
            xmin, ymin = value["x"] / 100 * one.width, value["y"] / 100 * one.height
            width, height = value["width"] / 100 * one.width, value["height"] / 100 * one.height
            assert (xmin, ymin, xmin + width, ymin + height) == pytest.approx(found.box.corners, abs=0.005)
            assert all(0 <= value[side] <= 100 for side in ("x", "y", "width", "height"))


def test_label_studio_is_told_which_heads_predicted_and_what_is_without_objects(tmp_path: Path) -> None:
    empty = TaggedPicture(name="a.jpg", width=10, height=10, objects=())

    write("label-studio", tmp_path / "tasks.json", [empty])

    [task] = json.loads((tmp_path / "tasks.json").read_text())
    assert task["predictions"] == [{"model_version": "heads 1", "score": 0, "result": []}]


def test_label_studio_s_addresses_hold_any_name(tmp_path: Path) -> None:
    name = "100% & more?#1.jpg"

    write("label-studio", tmp_path / "tasks.json", [picture(name)], folder="the farm")

    [task] = json.loads((tmp_path / "tasks.json").read_text())
    address = urlsplit(task["data"]["image"])
    assert (address.path, parse_qs(address.query)) == ("/data/local-files/", {"d": [f"the farm/{name}"]})


# CSV


@drawn
@given(tagged_pictures())
def test_csv_comes_back_line_by_line(tmp_path: Path, tagged: list[TaggedPicture]) -> None:
    write("csv", tmp_path / "tags.csv", tagged)

    rows = read_csv(tmp_path / "tags.csv")

    found = [(one, each) for one in tagged for each in one.objects]
    assert len(rows) == len(found)
    for row, (one, each) in zip(rows, found, strict=True):
        assert row["file"] == ("'=1+1.jpg" if one.name == "=1+1.jpg" else one.name)
        assert (row["width"], row["height"]) == (str(one.width), str(one.height))
        assert row["class"] == each.class_name
        assert float(row["probability"]) == pytest.approx(each.probability, abs=1e-4)
        assert float(row["predicted_iou"]) == pytest.approx(each.predicted_iou, abs=1e-4)
        corners = [float(row[name]) for name in ("xmin", "ymin", "xmax", "ymax")]
        assert corners == pytest.approx(each.box.corners, abs=0.051)


def test_a_class_in_csv_is_no_formula(tmp_path: Path) -> None:
    write("csv", tmp_path / "tags.csv", [picture("a.jpg", "=1+1")], classes=["=1+1"])

    assert read_csv(tmp_path / "tags.csv")[0]["class"] == "'=1+1"


# Every format


def has_an_object(kind: str, out: Path) -> bool:
    if kind == "voc":
        return any(parse_annotation(xml).objects for xml in written(out).values())
    if kind == "yolo":
        return any(read_yolo(out).values())
    if kind == "coco":
        return bool(open_coco(out).anns)
    if kind == "csv":
        return bool(read_csv(out))
    return any(task["predictions"][0]["result"] for task in json.loads(out.read_text()))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_without_objects_makes_a_file_without_objects(tmp_path: Path, kind: str) -> None:
    empty = TaggedPicture(name="a.jpg", width=10, height=10, objects=())

    write(kind, tmp_path / "out", [empty])

    assert not has_an_object(kind, tmp_path / "out")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"bell\x07.jpg", "e\u0301\u3000\u200d\xa0.jpg".encode()])
def test_a_file_name_of_any_bytes_breaks_no_format(tmp_path: Path, kind: str, name: bytes) -> None:
    write(kind, tmp_path / "out", [picture(os.fsdecode(name))])

    assert has_an_object(kind, tmp_path / "out")


def test_what_xml_can_hold_of_a_name_is_kept(tmp_path: Path) -> None:
    name = "e\u0301\u3000\u200d\xa0 \U0001f404.jpg"
    assert not name.isprintable()

    write("voc", tmp_path, [picture(name)])

    [content] = written(tmp_path).values()
    assert f"<filename>{name}</filename>".encode() in content
    assert unicodedata.normalize("NFC", name) != name


@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_written_before_is_replaced(tmp_path: Path, kind: str) -> None:
    write(kind, tmp_path / "new" / "out", [picture("a.jpg"), picture("deep/b.jpg")])
    before = written(tmp_path)

    write(kind, tmp_path / "new" / "out", [picture("a.jpg"), picture("deep/b.jpg")])

    assert written(tmp_path) == before
    assert not [name for name in before if name.endswith(".part")]


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_file_of_a_picture_is_there_as_soon_as_it_was_added(tmp_path: Path, kind: str) -> None:
    with opened(kind, tmp_path, ["a.jpg", "b.jpg"]) as export:
        export.add(picture("a.jpg"))

        assert [PurePath(name).stem for name in written(tmp_path) if name != "data.yaml"] == ["a"]


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_all_pictures_has_its_name_from_the_end_on_and_is_whole_before(
    tmp_path: Path, kind: str
) -> None:
    names = [f"{number}.jpg" for number in range(4)]
    out, part = tmp_path / "tags", tmp_path / "tags.part"
    out.write_text("of a former run")

    with opened(kind, out, names) as export:
        for count, name in enumerate(names):
            assert names_in(kind, part) == names[:count]
            export.add(picture(name, "cat", "dog"))
        assert out.read_text() == "of a former run"

    assert [path.name for path in tmp_path.iterdir()] == ["tags"]
    assert names_in(kind, out) == names


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError])
def test_what_was_added_before_the_work_ended_early_is_kept(
    tmp_path: Path, kind: str, end: type[BaseException]
) -> None:
    with contextlib.suppress(end), opened(kind, tmp_path / "tags", ["a.jpg", "skipped.jpg", "b.jpg"]) as export:
        export.add(picture("a.jpg"))
        export.add(picture("b.jpg"))
        raise end

    assert [path.name for path in tmp_path.iterdir()] == ["tags"]
    assert names_in(kind, tmp_path / "tags") == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("kind", FILES)
def test_work_that_ended_before_the_first_picture_leaves_the_former_file(tmp_path: Path, kind: str) -> None:
    (tmp_path / "tags").write_text("of a former run")

    with pytest.raises(KeyboardInterrupt), opened(kind, tmp_path / "tags", ["a.jpg"]):
        raise KeyboardInterrupt

    assert written(tmp_path) == {"tags": b"of a former run"}


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize(
    "name", [f"{'x' * 252}.jpg", "taken.jpg", f"{'deep/' * 1000}a.jpg", "file/a.jpg"], ids=lambda name: name[:8]
)
def test_a_name_that_cannot_be_written_costs_its_picture_alone(tmp_path: Path, kind: str, name: str) -> None:
    inside = tmp_path if kind == "voc" else tmp_path / "labels"
    for suffix in (".xml", ".txt"):
        (inside / f"taken{suffix}").mkdir(parents=True)
    (inside / "file").write_text("no folder")

    with opened(kind, tmp_path, [name, "b.jpg"]) as export:
        with pytest.raises(StorageError, match="its file cannot be written"):
            export.add(picture(name))
        export.add(picture("b.jpg"))

    assert [path.stem for path in tmp_path.rglob("b.*")] == ["b"]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("kind", FORMATS)
def test_the_longest_name_there_is_can_be_written(tmp_path: Path, kind: str) -> None:
    write(kind, tmp_path / "out", [picture(f"{'x' * 251}.jpg")])

    assert has_an_object(kind, tmp_path / "out")


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_refused_for_a_file(tmp_path: Path, kind: str, make: Callable[[Path], None]) -> None:
    make(tmp_path / "out")

    with pytest.raises(StorageError, match="expected a file to write to"):
        opened(kind, tmp_path / "out", ["a.jpg"])


@pytest.mark.parametrize("kind", FILES)
def test_a_picture_is_not_written_over(tmp_path: Path, kind: str) -> None:
    with pytest.raises(StorageError, match="found the name of a picture"):
        opened(kind, tmp_path / "a.JPG", ["a.jpg"])


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_file_is_refused_for_a_folder(tmp_path: Path, kind: str) -> None:
    (tmp_path / "out").write_text("a file")

    with pytest.raises(StorageError, match="expected a folder to write to"):
        opened(kind, tmp_path / "out", ["a.jpg"])


@pytest.mark.parametrize("kind", FILES)
def test_a_link_to_a_file_stays_one(tmp_path: Path, kind: str) -> None:
    (tmp_path / "link").symlink_to("there")

    write(kind, tmp_path / "link", [picture("a.jpg")])

    assert (tmp_path / "link").is_symlink()
    assert names_in(kind, tmp_path / "there") == ["a.jpg"]

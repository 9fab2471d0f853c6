"""`localizer tag` as it is typed: which files it tags, what it writes where, what is left when it ends early."""

import csv
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pycocotools.coco import COCO

from indexer import voc
from indexer.annotation_xml import parse_annotation
from indexer.errors import ImageError
from indexer.pipeline import Size
from localizer.__main__ import main
from localizer.exports import FORMATS
from localizer.records import Localization
from localizer.tagging import Tagger
from tests.test_full_disk import disk, fill  # noqa: F401 - a fixture

FOLDERS, FILES = ("voc", "yolo"), ("coco", "label-studio", "csv")


@pytest.fixture
def tag(trained_path: Path) -> "Tag":
    """Tags a folder with all that the heads find."""
    return Tag(trained_path)


class Tag:
    """The command, on a collection."""

    def __init__(self, collection: Path) -> None:
        self._collection = collection

    def __call__(self, folder: Path, kind: str, out: Path | str) -> Result:
        arguments = ["tag", folder, "--collection", self._collection, "--format", kind, "--out", out]
        return CliRunner().invoke(main, [str(one) for one in (*arguments, "--min-probability", 0)])


def tagged(kind: str, out: Path) -> list[str]:
    """Names, in order and without endings, of the pictures that something was found in."""
    if kind == "voc":
        return sorted(
            _inside(path, out) for path in out.rglob("*.xml") if parse_annotation(path.read_bytes()).objects
        )
    if kind == "yolo":
        return sorted(_inside(path, out / "labels") for path in out.rglob("*.txt") if path.read_text())
    if kind == "coco":
        there = COCO(out)
        return sorted({_stem(there.imgs[one["image_id"]]["file_name"]) for one in there.anns.values()})
    if kind == "csv":
        with out.open(newline="") as file:
            return sorted({_stem(row["file"]) for row in csv.DictReader(file)})
    tasks = json.loads(out.read_text())
    return sorted(
        _stem(one["data"]["image"].partition("pictures/")[2]) for one in tasks if one["predictions"][0]["result"]
    )


def _inside(path: Path, folder: Path) -> str:
    return _stem(path.relative_to(folder).as_posix())


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def assert_refused(result: Result) -> None:
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("kind", FORMATS)
def test_every_picture_is_tagged_and_what_is_none_is_named(
    tmp_path: Path, pictures: Path, tag: Tag, kind: str
) -> None:
    (pictures / "broken.jpg").write_bytes(b"no picture")
    (pictures / "notes.txt").write_text("not looked at")

    result = tag(pictures, kind, tmp_path / "tags")

    assert result.exit_code == 0, result.output
    assert "in 3 pictures, 1 skipped" in result.stdout
    assert "skipped broken.jpg: expected a picture" in result.stderr
    assert tagged(kind, tmp_path / "tags") == ["a", "b", "deeper/c"]


def test_a_voc_export_beside_its_pictures_is_read_by_build(tmp_path: Path, devkit: Path, tag: Tag) -> None:
    root = tmp_path / "own"
    (root / "JPEGImages").mkdir(parents=True)
    for source, ending in zip(
        sorted((devkit / "JPEGImages").iterdir()), (".jpg", ".png", ".jpg.png"), strict=False
    ):
        shutil.copy(source, root / "JPEGImages" / f"twin{ending}")

    tag(root / "JPEGImages", "voc", root / "Annotations")

    images = voc.read_split(root).images
    assert [image.filename for image in images] == ["twin.jpg", "twin.jpg.png", "twin.png"]
    for image, file in zip(images, ("twin.xml", "twin.jpg.png.xml", "twin.png.xml"), strict=True):
        assert image.objects
        assert f"<filename>{image.filename}<" in (root / "Annotations" / file).read_text()


# Which files


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path, pictures: Path, tag: Tag) -> None:
    (pictures / "._a.jpg").write_bytes(b"what macOS leaves")
    (pictures / ".hidden").mkdir()
    shutil.copy(pictures / "a.jpg", pictures / ".hidden")

    result = tag(pictures, "csv", tmp_path / "tags.csv")

    assert (result.exit_code, result.stderr) == (0, "")
    assert tagged("csv", tmp_path / "tags.csv") == ["a", "b", "deeper/c"]


def test_a_linked_file_counts_as_one_and_a_linked_folder_is_named_and_not_followed(
    tmp_path: Path, pictures: Path, tag: Tag
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(pictures / "a.jpg", tmp_path / "elsewhere" / "d.jpg")
    (pictures / "linked.jpg").symlink_to(tmp_path / "elsewhere" / "d.jpg")
    (pictures / "album").symlink_to(tmp_path / "elsewhere")
    (pictures / "deeper" / "circle").symlink_to(pictures)
    (pictures / "dangling.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(pictures / "pipe.jpg")

    result = tag(pictures, "csv", tmp_path / "tags.csv")

    assert tagged("csv", tmp_path / "tags.csv") == ["a", "b", "deeper/c", "linked"]
    assert sorted(result.stderr.splitlines()) == [
        "skipped album: expected a folder, found a link to one, which is not followed",
        "skipped dangling.jpg: expected a file, found a pipe, or a link that leads nowhere",
        "skipped deeper/circle: expected a folder, found a link to one, which is not followed",
        "skipped pipe.jpg: expected a file, found a pipe, or a link that leads nowhere",
    ]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, pictures: Path, tag: Tag) -> None:
    inside = os.open(pictures, os.O_RDONLY)
    for _ in range(17):  # to a path that is too long
        os.mkdir("x" * 250, dir_fd=inside)
        parent, inside = inside, os.open("x" * 250, os.O_RDONLY, dir_fd=inside)
        os.close(parent)
    os.close(inside)

    result = tag(pictures, "csv", tmp_path / "tags.csv")

    assert result.exit_code == 0, result.output
    assert result.stderr.endswith("x: the folder cannot be read (File name too long)\n")
    assert tagged("csv", tmp_path / "tags.csv") == ["a", "b", "deeper/c"]


def test_a_folder_that_is_given_by_a_link_is_tagged(tmp_path: Path, pictures: Path, tag: Tag) -> None:
    (tmp_path / "link").symlink_to(pictures)

    assert tag(tmp_path / "link", "csv", tmp_path / "tags.csv").exit_code == 0
    assert tagged("csv", tmp_path / "tags.csv") == ["a", "b", "deeper/c"]


@pytest.mark.parametrize("kind", FORMATS)
def test_output_inside_the_folder_is_nothing_to_tag(pictures: Path, tag: Tag, kind: str) -> None:
    first = tag(pictures, kind, pictures / "tags")
    before = {path: path.read_bytes() for path in pictures.rglob("*") if path.is_file()}

    again = tag(pictures, kind, pictures / "tags")

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert again.stdout == first.stdout
    assert {path: path.read_bytes() for path in pictures.rglob("*") if path.is_file()} == before


def test_a_folder_without_pictures_is_refused(tmp_path: Path, tag: Tag) -> None:
    (tmp_path / "empty").mkdir()

    result = tag(tmp_path / "empty", "voc", tmp_path / "out")

    assert_refused(result)
    assert "expected pictures in" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", FILES)
def test_a_folder_without_a_picture_that_can_be_decoded_is_refused_and_writes_over_nothing(
    tmp_path: Path, tag: Tag, kind: str
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "tags").write_text("of a former run")

    result = tag(tmp_path / "broken", kind, tmp_path / "tags")

    assert result.exit_code == 1
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["skipped a.jpg", "error"]
    assert (tmp_path / "tags").read_text() == "of a former run"
    assert not (tmp_path / "tags.part").exists()


# Where to


@pytest.mark.parametrize("kind", FILES)
def test_a_folder_given_for_a_file_is_refused_before_the_work(
    tmp_path: Path, pictures: Path, tag: Tag, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    for out in (".", "..", "", str(pictures)):
        result = tag(pictures, kind, out)
        assert_refused(result)
        assert "expected a file to write to, found a folder" in result.stderr


@pytest.mark.parametrize("kind", FOLDERS)
def test_the_folder_one_is_in_can_be_the_output(
    tmp_path: Path, pictures: Path, tag: Tag, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")

    assert tag(pictures, kind, ".").exit_code == 0
    assert tagged(kind, tmp_path / "out") == ["a", "b", "deeper/c"]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_cannot_be_written_to_is_told_before_the_work(
    tmp_path: Path, pictures: Path, tag: Tag, kind: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    (pictures / "broken.jpg").write_bytes(b"which would be named, were the pictures looked at")

    result = tag(pictures, kind, tmp_path / "file" / "tags")

    assert_refused(result)
    assert "the system refused at" in result.stderr


def test_pictures_that_would_share_a_file_are_refused_before_anything_is_written(
    tmp_path: Path, pictures: Path, tag: Tag
) -> None:
    shutil.copy(pictures / "a.jpg", pictures / "a.png")

    result = tag(pictures, "yolo", tmp_path / "out")

    assert_refused(result)
    assert "a.jpg and a.png" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_name_that_is_too_long_costs_that_picture_where_it_needs_a_file(
    tmp_path: Path, pictures: Path, tag: Tag, kind: str
) -> None:
    (pictures / "b.JPG").rename(pictures / f"{'x' * 250}.jpeg")
    shutil.copy(pictures / "a.jpg", pictures / f"{'x' * 250}.jpg")
    (pictures / "a.jpg").rename(pictures / os.fsdecode(b"\xe9\n.jpg"))

    result = tag(pictures, kind, tmp_path / "tags")

    if kind == "voc":
        assert result.exit_code == 0, result.output
        assert "x.jpeg: its file cannot be written (File name too long)" in result.stderr
        assert "in 3 pictures, 1 skipped" in result.stdout
    elif kind == "yolo":
        assert_refused(result)
    else:
        assert "in 4 pictures, 0 skipped" in result.stdout


# The end before the end


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after two pictures."""
    whole = Tagger.tag

    def tag(tagger: Tagger, paths: Sequence[Path]) -> Iterator[tuple[Localization, Size] | ImageError]:
        outcomes = whole(tagger, paths)
        yield from (next(outcomes), next(outcomes))
        raise KeyboardInterrupt

    monkeypatch.setattr(Tagger, "tag", tag)


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_done_before_ctrl_c_is_kept_and_named(
    tmp_path: Path, pictures: Path, tag: Tag, kind: str
) -> None:
    (pictures / "a.jpg").write_bytes(b"no picture")

    result = tag(pictures, kind, tmp_path / "tags")

    assert result.exit_code == 130
    assert result.stderr.splitlines()[0] == "Stopped before the end; what is done is kept."
    assert "skipped a.jpg: expected a picture" in result.stderr
    assert "in 1 pictures, 1 skipped" in result.stdout
    assert tagged(kind, tmp_path / "tags") == ["b"]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_done_before_the_disk_was_full_is_kept_and_named(
    disk: Path,  # noqa: F811 - the fixture
    pictures: Path,
    tag: Tag,
    kind: str,
) -> None:
    for number in range(60):
        shutil.copy(pictures / "a.jpg", pictures / f"a{number:02}{'-' * 200}.jpg")
    fill(disk, {"csv": 8, "coco": 24, "label-studio": 24}.get(kind, 44))

    result = tag(pictures, kind, disk / "tags")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: the system refused")
    assert "No space left on device" in result.stderr
    done = len(tagged(kind, disk / "tags"))
    assert 0 < done < 63
    assert f"in {done} pictures, 0 skipped" in result.stdout
    assert not list(disk.rglob("*.part"))

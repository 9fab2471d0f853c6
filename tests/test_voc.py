"""A devkit on disk: which pictures a split has, and what is said where it has none."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import voc
from indexer.errors import DatasetError


def names(devkit: voc.DevkitImages) -> list[str]:
    return [image.filename for image in devkit.images]


def test_a_split_gives_its_own_pictures_sorted(devkit: Path) -> None:
    train, val = voc.read_split(devkit, "train"), voc.read_split(devkit, "val")

    assert names(train) == sorted(names(train))
    assert {image.split for image in train.images} == {"train"}
    assert {image.split for image in val.images} == {"val"}
    assert not set(names(train)) & set(names(val))


def test_trainval_and_all_keep_the_split_that_each_picture_is_of(devkit: Path) -> None:
    for split in ("trainval", "all"):
        read = voc.read_split(devkit, split)

        assert len(read.images) == 40
        assert {image.split for image in read.images} == {"train", "val"}


def test_the_folder_around_a_single_devkit_will_do(devkit: Path) -> None:
    assert voc.read_split(devkit.parent, "all").root == devkit


def test_a_folder_around_several_devkits_asks_which(tmp_path: Path) -> None:
    for year in ("VOC2007", "VOC2012"):
        (tmp_path / year / "JPEGImages").mkdir(parents=True)

    with pytest.raises(DatasetError, match=r"several devkits \(VOC2007, VOC2012\)"):
        voc.read_split(tmp_path)


def test_a_folder_without_pictures_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a folder JPEGImages"):
        voc.read_split(tmp_path)


def test_an_unknown_split_names_those_that_are_there(devkit: Path) -> None:
    with pytest.raises(DatasetError, match="splits there: train, trainval, val, all, unannotated"):
        voc.read_split(devkit, "holdout")


def test_a_list_of_another_name_is_a_split_and_may_have_two_columns(own_devkit: Path) -> None:
    (own_devkit / "ImageSets/Main/night.txt").write_text("000001  1\n000002 -1\n\n000003  0\n")
    shutil.rmtree(own_devkit / "Annotations")
    for listed in ("train", "val", "trainval"):
        (own_devkit / f"ImageSets/Main/{listed}.txt").unlink()

    read = voc.read_split(own_devkit, "night")

    assert names(read) == ["000001.jpg", "000003.jpg"]
    assert {image.split for image in read.images} == {"night"}


def test_unannotated_are_those_without_a_file_of_annotations(own_devkit: Path) -> None:
    (own_devkit / "Annotations/000004.xml").unlink()

    read = voc.read_split(own_devkit, "unannotated")

    assert names(read) == ["000004.jpg"]
    assert read.images[0].objects == ()


@pytest.mark.parametrize("name", ["000000.PNG", "000000.jfif", "000000.jpe", "000000.JFIF", "000000.JPG"])
def test_pictures_of_other_endings_count_and_other_files_do_not(own_devkit: Path, name: str) -> None:
    (own_devkit / "JPEGImages/000000.jpg").rename(own_devkit / "JPEGImages" / name)
    (own_devkit / "JPEGImages/Thumbs.db").touch()

    assert name in names(voc.read_split(own_devkit, "all"))
    assert len(names(voc.read_split(own_devkit, "all"))) == 12


@pytest.mark.parametrize("ending", ["jpg", "jfif", "jpe"])
def test_two_pictures_of_one_name_both_count_and_the_jpeg_owns_the_annotation(
    own_devkit: Path, ending: str
) -> None:
    (own_devkit / "JPEGImages/000000.jpg").rename(own_devkit / f"JPEGImages/000000.{ending}")
    shutil.copy(own_devkit / f"JPEGImages/000000.{ending}", own_devkit / "JPEGImages/000000.png")

    jpeg, png = sorted(voc.read_split(own_devkit).images[:2], key=lambda image: image.filename.endswith("png"))

    assert (jpeg.filename, png.filename) == (f"000000.{ending}", "000000.png")
    assert jpeg.objects
    assert not png.objects


def test_pictures_whose_names_are_parts_of_each_other_are_as_many_as_there_are(own_devkit: Path) -> None:
    first = own_devkit / "JPEGImages/000000.jpg"
    for name in ("000000.png", "000000.png.jpg"):
        shutil.copy(first, first.with_name(name))
        shutil.copy(own_devkit / "Annotations/000000.xml", own_devkit / f"Annotations/{name}.xml")

    read = voc.read_split(own_devkit)

    assert names(read)[:3] == ["000000.jpg", "000000.png", "000000.png.jpg"]
    assert [image.annotation for image in read.images[:3]] == [
        "Annotations/000000.xml", "Annotations/000000.png.xml", "Annotations/000000.png.jpg.xml",
    ]  # fmt: skip
    assert not read.notices


@pytest.mark.parametrize("name", ["000003.xml", "000003.XML", "000003.jpg.xml", "../JPEGImages/000003.xml"])
def test_an_annotation_may_be_named_by_stem_or_in_full_and_lie_beside_its_picture(
    own_devkit: Path, name: str
) -> None:
    expected = voc.read_split(own_devkit).images[3].objects
    (own_devkit / "Annotations/000003.xml").rename(own_devkit / "Annotations" / name)

    read = voc.read_split(own_devkit)

    assert read.images[3].objects == expected
    assert not read.notices


def test_all_that_lies_in_a_devkit_and_is_not_used_is_named(own_devkit: Path) -> None:
    pictures, annotations, lists = (own_devkit / name for name in ("JPEGImages", "Annotations", "ImageSets/Main"))
    os.mkfifo(pictures / "pipe.jpg")
    (pictures / "folder").mkdir()
    (pictures / "link.jpg").symlink_to(pictures / "nowhere.jpg")
    (pictures / "loop.jpg").symlink_to(pictures / "loop.jpg")
    (pictures / "phone.heic").touch()
    (annotations / "nobody.xml").write_bytes((annotations / "000000.xml").read_bytes())
    (annotations / "000000.jpg.xml").write_bytes((annotations / "000000.xml").read_bytes())
    (annotations / "yolo.txt").touch()
    (annotations / "dangling.xml").symlink_to("nowhere.xml")
    (lists / "train.csv").touch()
    for passed_over in (pictures / "Thumbs.db", pictures / "._000000.jpg", annotations / ".DS_Store"):
        passed_over.touch()

    read = voc.read_split(own_devkit)

    assert [(notice.kind, notice.name) for notice in read.notices] == [
        ("annotation", "Annotations/000000.xml"),
        ("annotation", "Annotations/dangling.xml"),
        ("annotation", "Annotations/nobody.xml"),
        ("annotation", "Annotations/yolo.txt"),
        ("line", "ImageSets/Main/train.csv"),
        *[("picture", name) for name in ("folder", "link.jpg", "loop.jpg", "phone.heic", "pipe.jpg")],
    ]
    assert not any(notice.used for notice in read.notices)
    assert (read.given["annotation"], read.used["annotation"], len(read.images)) == (16, 12, 12)


def test_a_list_of_junk_is_named_and_ends_nothing(own_devkit: Path) -> None:
    (own_devkit / "ImageSets/Main/val.txt").write_bytes(bytes(range(128, 256)))

    read = voc.read_split(own_devkit)

    assert [notice.kind for notice in read.notices] == ["line"]
    assert read.given["line"] - read.used["line"] == 1


@pytest.mark.parametrize("split", ["", "../Main/train", "."])
def test_a_split_is_a_plain_name(own_devkit: Path, split: str) -> None:
    with pytest.raises(DatasetError, match="splits there: train, trainval, val, all, unannotated"):
        voc.read_split(own_devkit, split)


def test_a_devkit_without_any_picture_says_so(tmp_path: Path) -> None:
    (tmp_path / "JPEGImages").mkdir()

    with pytest.raises(DatasetError, match=r"expected pictures in .*JPEGImages, found none; formats"):
        voc.read_split(tmp_path)


def test_a_listed_picture_that_is_missing_is_named(own_devkit: Path) -> None:
    (own_devkit / "JPEGImages/000003.jpg").unlink()
    (own_devkit / "Annotations/000003.xml").unlink()

    read = voc.read_split(own_devkit, "train")

    assert [(notice.kind, notice.name) for notice in read.notices] == [("line", "000003")]
    assert "no picture in JPEGImages has this name" in read.notices[0].reason


def test_a_split_of_strangers_alone_says_whom_it_names(own_devkit: Path) -> None:
    (own_devkit / "ImageSets/Main/night.txt").write_text("gone\n")

    with pytest.raises(DatasetError, match=r"in split 'night' of .* found none \(gone: no picture"):
        voc.read_split(own_devkit, "night")


def test_annotations_of_pictures_outside_the_split_are_counted_as_such(own_devkit: Path) -> None:
    read = voc.read_split(own_devkit, "train")

    assert (read.given["annotation"], read.used["annotation"], read.outside) == (12, 8, 4)
    assert not read.notices


def test_a_broken_annotation_is_named_and_its_picture_stays(own_devkit: Path) -> None:
    (own_devkit / "Annotations/000003.xml").write_text("<annotation><object>")

    read = voc.read_split(own_devkit)

    assert [notice.name for notice in read.notices] == ["Annotations/000003.xml"]
    assert read.notices[0].reason.startswith("expected an XML annotation")
    assert len(read.images) == 12
    assert not read.images[3].objects


@given(st.lists(st.sampled_from([*voc.CLASS_NAMES, "zebra", "ant", "Zebra"])))
def test_classes_stand_in_the_order_of_voc_then_by_alphabet(found: list[str]) -> None:
    ordered = voc.order_classes(found)

    assert set(ordered) == set(found)
    known = [name for name in ordered if name in voc.CLASS_NAMES]
    assert known == sorted(known, key=voc.CLASS_NAMES.index)
    assert list(ordered[len(known) :]) == sorted(set(found) - set(voc.CLASS_NAMES))

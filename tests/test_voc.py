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
    (own_devkit / "ImageSets/Main/night.txt").write_text("000001  1\n000002 -1\n\n")
    shutil.rmtree(own_devkit / "Annotations")
    for listed in ("train", "val", "trainval"):
        (own_devkit / f"ImageSets/Main/{listed}.txt").unlink()

    read = voc.read_split(own_devkit, "night")

    assert names(read) == ["000001.jpg", "000002.jpg"]
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


def test_what_is_no_regular_file_is_skipped(own_devkit: Path) -> None:
    pictures = own_devkit / "JPEGImages"
    os.mkfifo(pictures / "pipe.jpg")
    (pictures / "folder.jpg").mkdir()
    (pictures / "link.jpg").symlink_to(pictures / "nowhere.jpg")

    read = voc.read_split(own_devkit)

    assert [skipped.filename for skipped in read.skipped] == ["folder.jpg", "link.jpg", "pipe.jpg"]
    assert len(read.images) == 12


def test_a_list_of_junk_is_named(own_devkit: Path) -> None:
    (own_devkit / "ImageSets/Main/val.txt").write_bytes(bytes(range(128, 256)))

    with pytest.raises(DatasetError, match=r"expected names in .*val\.txt, one a line in UTF-8"):
        voc.read_split(own_devkit)


@pytest.mark.parametrize("split", ["", "../Main/train", "."])
def test_a_split_is_a_plain_name(own_devkit: Path, split: str) -> None:
    with pytest.raises(DatasetError, match="splits there: train, trainval, val, all, unannotated"):
        voc.read_split(own_devkit, split)


def test_a_devkit_without_any_picture_says_so(tmp_path: Path) -> None:
    (tmp_path / "JPEGImages").mkdir()

    with pytest.raises(DatasetError, match=r"expected pictures in .*JPEGImages, found none; formats"):
        voc.read_split(tmp_path)


def test_a_listed_picture_that_is_missing_is_skipped_by_name(own_devkit: Path) -> None:
    (own_devkit / "JPEGImages/000003.jpg").unlink()

    read = voc.read_split(own_devkit, "train")

    assert [skipped.filename for skipped in read.skipped] == ["000003"]
    assert "expected a picture" in read.skipped[0].reason


def test_a_broken_annotation_skips_its_picture_alone(own_devkit: Path) -> None:
    (own_devkit / "Annotations/000003.xml").write_text("<annotation><object>")

    read = voc.read_split(own_devkit)

    assert [skipped.filename for skipped in read.skipped] == ["000003.jpg"]
    assert read.skipped[0].reason.startswith("000003.xml: expected an XML annotation")
    assert len(read.images) == 11


@given(st.lists(st.sampled_from([*voc.CLASS_NAMES, "zebra", "ant", "Zebra"])))
def test_classes_stand_in_the_order_of_voc_then_by_alphabet(found: list[str]) -> None:
    ordered = voc.order_classes(found)

    assert set(ordered) == set(found)
    known = [name for name in ordered if name in voc.CLASS_NAMES]
    assert known == sorted(known, key=voc.CLASS_NAMES.index)
    assert list(ordered[len(known) :]) == sorted(set(found) - set(voc.CLASS_NAMES))

"""Lists of pictures as people and tools write them, and the split of each picture."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.image_lists import ImageList, PictureNames, assign_splits, name_strangers, parse_list
from indexer.records import LINE, Notice

names = st.text("ab 01.-é", min_size=1, max_size=8).map(str.strip).filter(lambda name: name.strip(". "))


def read(content: bytes | str, *filenames: str, path: str = "ImageSets/Main/train.txt") -> ImageList:
    return parse_list(path, content.encode() if isinstance(content, str) else content, PictureNames(filenames))


def plain(split: str, *members: str) -> ImageList:
    return ImageList(f"ImageSets/Main/{split}.txt", frozenset(members), frozenset(), (), of_class=False, lines=1)


@pytest.mark.parametrize(
    "line",
    [
        "my photo 1", "my photo 1.jpg", "JPEGImages/my photo 1.jpg", "C:\\data\\my photo 1.jpg",
        "/data/my photo 1", "  my photo 1\t", "my photo 1 1", "my photo 1.jpg  0", "my photo 1 +1",
        "My Photo 1.JPG", "MY PHOTO 1",
    ],
)  # fmt: skip
def test_a_line_names_its_picture_however_it_is_written(line: str) -> None:
    found = read(line, "my photo 1.jpg", "my photo 2.jpg", "my.jpg")

    assert found.members == {"my photo 1.jpg"}
    assert not found.strangers


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines_of_other_systems_are_read(encoding: str, end: str) -> None:
    found = read(f"é1{end}a2{end}{end}".encode(encoding), "é1.jpg", "a2.jpg", "a3.jpg")

    assert found.members == {"é1.jpg", "a2.jpg"}
    assert found.lines == 2


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_that_are_encoded_otherwise_are_the_same(form: str) -> None:
    filename = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "café.jpg")

    assert read(unicodedata.normalize(form, "café"), filename).members == {filename}  # type: ignore[arg-type]


def test_a_line_that_is_not_utf_8_is_a_stranger_and_the_others_count() -> None:
    found = read(b"a1\n\xe9\na2\n", "a1.jpg", "a2.jpg")

    assert found.members == {"a1.jpg", "a2.jpg"}
    assert [number for _, number in found.strangers] == [2]


def test_minus_one_excludes_from_a_list_of_a_class_and_nought_does_not() -> None:
    found = read("a1  1\na2  0\na3 -1\ngone -1\n", "a1.jpg", "a2.jpg", "a3.jpg")

    assert found.of_class
    assert found.members == {"a1.jpg", "a2.jpg"}
    assert found.others == {"a3.jpg"}
    assert found.strangers == (("gone", 4),)


def test_a_name_that_ends_in_a_number_is_a_name_where_such_a_picture_is() -> None:
    found = read("ali 1\nali 0\n", "ali 1.jpg", "ali.jpg")

    assert found.members == {"ali 1.jpg", "ali.jpg"}
    assert not found.of_class


def test_names_that_differ_in_capitals_alone_are_told_apart() -> None:
    filenames = ("A.jpg", "a.jpg")

    assert read("A\n", *filenames).members == {"A.jpg"}
    assert read("a\n", *filenames).members == {"a.jpg"}


def test_a_name_without_ending_means_the_jpeg_and_every_file_can_be_named() -> None:
    found = PictureNames(["a.jpg", "a.png", "a.png.jpg"])

    assert [found.find(name) for name in ("a", "a.jpg", "a.png", "a.png.jpg", "a.gif")] == [
        "a.jpg", "a.jpg", "a.png", "a.png.jpg", None,
    ]  # fmt: skip


@given(st.sets(names, min_size=1, max_size=6), st.data())
def test_every_picture_is_found_by_its_own_name(stems: set[str], data: st.DataObject) -> None:
    filenames = [f"{stem}{data.draw(st.sampled_from(['.jpg', '.png', '.JPG']))}" for stem in sorted(stems)]

    found = read("\n".join(filenames), *filenames)

    assert found.members == set(filenames)


def test_lists_of_other_names_are_splits_where_vocs_are_not() -> None:
    split_of, notices = assign_splits(
        {"default": plain("default", "a.jpg"), "night": plain("night", "b.jpg")}, "all"
    )

    assert split_of == {"a.jpg": "default", "b.jpg": "night"}
    assert not notices


def test_vocs_own_lists_come_first_and_others_count_for_the_rest() -> None:
    lists = {
        "train": plain("train", "a.jpg"), "trainval": plain("trainval", "a.jpg", "b.jpg"),
        "val": plain("val", "b.jpg"), "night": plain("night", "a.jpg", "c.jpg"),
    }  # fmt: skip

    split_of, notices = assign_splits(lists, "all")

    assert split_of == {"a.jpg": "train", "b.jpg": "val", "c.jpg": "night"}
    assert not notices


def test_lists_of_classes_are_splits_only_where_there_are_no_others() -> None:
    of_class = ImageList(
        "ImageSets/Main/cup_train.txt", frozenset({"a.jpg"}), frozenset(), (), of_class=True, lines=1
    )

    assert assign_splits({"cup_train": of_class}, "all")[0] == {"a.jpg": "cup_train"}
    assert assign_splits({"cup_train": of_class, "val": plain("val", "b.jpg")}, "all")[0] == {"b.jpg": "val"}


def test_a_picture_of_two_splits_counts_to_the_later_and_it_is_told() -> None:
    split_of, notices = assign_splits({"train": plain("train", "a.jpg"), "val": plain("val", "a.jpg")}, "all")

    assert split_of == {"a.jpg": "val"}
    assert notices == [
        Notice(LINE, "a.jpg", "ImageSets/Main/train.txt and ImageSets/Main/val.txt both name it; it counts to val")
    ]


def test_a_name_that_no_picture_has_is_told_once() -> None:
    lists = [read("gone\na1\n", "a1.jpg", path=f"ImageSets/Main/{split}.txt") for split in ("train", "trainval")]

    assert name_strangers(lists) == [
        Notice(
            LINE, "gone", "no picture in JPEGImages has this name (line 1 of ImageSets/Main/train.txt, and 1 more)"
        )
    ]

"""Records in a SQLite file, and in PostgreSQL: what goes in comes out."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.database import Database
from indexer.errors import CollectionError
from indexer.records import Box, IndexedImage, Notice, ObjectLabel
from tests.postgres import Stored
from tests.test_annotation_xml import labels, names

splits = st.none() | st.sampled_from(["train", "val", "test"])
contents = st.lists(st.tuples(splits, st.lists(labels, max_size=3).map(tuple)), max_size=6)


def as_image(image_id: int, split: str | None, objects: tuple[ObjectLabel, ...]) -> IndexedImage:
    return IndexedImage(
        image_id=image_id,
        filename=f"{image_id:06d}.jpg",
        sha256=f"{image_id:064x}",
        split=split,
        width=500,
        height=375,
        objects=objects,
    )


@settings(deadline=None, max_examples=40)
@given(content=contents, reasons=st.dictionaries(names, names, max_size=3))
def test_what_is_written_comes_back(
    stored: Stored,
    content: list[tuple[str | None, tuple[ObjectLabel, ...]]],
    reasons: dict[str, str],
) -> None:
    images = [as_image(image_id, *one) for image_id, one in enumerate(content)]
    notices = [Notice("picture", name, reason, used=len(name) > 1) for name, reason in reasons.items()]
    with stored(images, notices) as read:
        assert read.count() == len(images)
        assert read.all_images() == images
        assert read.notices() == notices
        assert read.splits() == [image.split for image in images]
        assert read.main_classes(len(images)) == [main_class(image) for image in images]
        assert read.poses() == sorted({label.pose for image in images for label in image.objects if label.pose})
        assert read.class_counts() == Counter(label.class_name for image in images for label in image.objects)
        objects = [label for image in images for label in image.objects]
        assert read.labels(range(len(objects))) == objects


def main_class(image: IndexedImage) -> str | None:
    return None if image.main_object is None else image.main_object.class_name


def test_images_come_in_the_order_asked_for_without_those_that_are_not_there(stored: Stored) -> None:
    with stored([as_image(image_id, None, ()) for image_id in range(1_200)], []) as read:
        found = read.images([1_100, 3, 5_000, 2**40, 700])

    assert [image.image_id for image in found] == [1_100, 3, 700]


def test_content_is_found_by_how_its_checksum_begins_to_the_letter(stored: Stored) -> None:
    with stored([replace(as_image(0, None, ()), sha256="ab%_" * 16), as_image(1, None, ())], []) as read:
        found = {
            start: len(read.images_of_content(start))
            for start in ("", "ab%", "ab%_" * 16, "AB", "a_", "%", "ab\0", "\0", "0" * 62)
        }

    assert found == {"": 2, "ab%": 1, "ab%_" * 16: 1, "AB": 0, "a_": 0, "%": 0, "ab\0": 0, "\0": 0, "0" * 62: 1}


def test_text_is_ordered_by_its_bytes(stored: Stored) -> None:
    texts = ["a", "B", "Z", "_", "b", "é", "~", "10", "9", "\U0001f600", "\uffee"]
    objects = tuple(ObjectLabel("cat", Box(0, 0, 1, 1), pose) for pose in texts)
    with stored([as_image(0, None, objects)], []) as read:
        assert read.poses() == sorted(texts)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"no database, but long enough to look like one" * 99)

    with pytest.raises(CollectionError, match="expected a database of images"):
        Database(tmp_path / "a.sqlite").count()

"""Records in a SQLite file: what goes in comes out."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import database
from indexer.database import Database
from indexer.errors import CollectionError
from indexer.records import IndexedImage, ObjectLabel, SkippedImage
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
@given(contents, st.dictionaries(names, names, max_size=3))
def test_what_is_written_comes_back(
    content: list[tuple[str | None, tuple[ObjectLabel, ...]]], reasons: dict[str, str]
) -> None:
    images = [as_image(image_id, *one) for image_id, one in enumerate(content)]
    skipped = [SkippedImage(name, reason) for name, reason in sorted(reasons.items())]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "metadata.sqlite"
        database.write(path, images, skipped)
        read = Database(path)

        assert read.count() == len(images)
        assert read.all_images() == images
        assert sorted(read.skipped(), key=lambda one: one.filename) == skipped
        assert sum(read.class_counts().values()) == sum(len(image.objects) for image in images)
        read.close()


def test_images_come_in_the_order_asked_for_without_those_that_are_not_there(tmp_path: Path) -> None:
    database.write(tmp_path / "a.sqlite", [as_image(image_id, None, ()) for image_id in range(1_200)], [])

    found = Database(tmp_path / "a.sqlite").images([1_100, 3, 5_000, 700])

    assert [image.image_id for image in found] == [1_100, 3, 700]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"no database, but long enough to look like one" * 99)

    with pytest.raises(CollectionError, match="expected a database of images"):
        Database(tmp_path / "a.sqlite").count()

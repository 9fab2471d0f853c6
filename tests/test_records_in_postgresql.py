"""The same records in SQLite and in PostgreSQL: whatever is asked, both answer the same."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalogue import Catalogue
from indexer.filters import Filters
from indexer.records import Box, IndexedImage, ObjectLabel
from tests.postgres import ask, in_file, in_schema, new_database

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
any_of = st.lists(texts, max_size=2, unique=True).map(tuple)
flags = st.none() | st.booleans()
numbers = st.none() | st.integers(0, 2**63 - 1) | st.integers(0, 4)
shares = st.none() | st.floats(0, 1)
objects = st.builds(
    ObjectLabel,
    texts,
    st.builds(Box, st.floats(0, 1), st.floats(0, 1), st.floats(1.5, 1e9), st.floats(1.5, 300)),
    st.none() | texts,
    flags,
    flags,
    flags,
)
images = st.builds(
    IndexedImage,
    image_id=st.just(0),
    filename=texts,
    sha256=texts,
    split=st.none() | texts,
    width=st.integers(1, 2**31),
    height=st.integers(1, 500),
    objects=st.lists(objects, max_size=3).map(tuple),
)
filters = st.builds(
    Filters,
    class_any=any_of, class_all=any_of, class_none=any_of, split=any_of, pose=any_of,
    truncated=flags, occluded=flags, difficult=flags,
    min_objects=numbers, max_objects=numbers, min_share=shares, max_share=shares,
)  # fmt: skip


@pytest.fixture(scope="module")
def catalogue(postgres_server: str) -> Iterator[Catalogue]:
    """For records that are written over by the next ones."""
    with new_database(postgres_server) as url:
        one = Catalogue(url, "voc")
        one.migrate()
        yield one
        one.close()


def numbered(drawn: list[IndexedImage]) -> list[IndexedImage]:
    kept = {image.filename: image for image in drawn}
    for number, image in enumerate(kept.values()):
        object.__setattr__(image, "image_id", number)
    return list(kept.values())


@settings(deadline=None, max_examples=25)
@given(
    drawn=st.lists(images, max_size=6),
    asked=st.lists(filters, min_size=1, max_size=5),
    ids=st.lists(st.integers(-5, 20) | st.integers(-(2**63), 2**63 - 1), max_size=5),
    start=texts,
)
def test_both_answer_alike(
    catalogue: Catalogue, drawn: list[IndexedImage], asked: list[Filters], ids: list[int], start: str
) -> None:
    drawn = numbered(drawn)
    with in_file(drawn, []) as file, in_schema(catalogue, drawn, []) as schema:
        for one in asked:
            assert file.matching_images(one).tolist() == schema.matching_images(one).tolist()
            assert file.matching_objects(one).tolist() == schema.matching_objects(one).tolist()
            assert file.matching_images_count(one, ids) == schema.matching_images_count(one, ids)
            assert file.matching_objects_count(one, ids) == schema.matching_objects_count(one, ids)
        assert file.all_images() == schema.all_images() == drawn
        assert file.images(ids) == schema.images(ids)
        assert file.images_of_content(start) == schema.images_of_content(start)
        assert file.images_of_objects().tolist() == schema.images_of_objects().tolist()
        assert file.main_classes(len(drawn)) == schema.main_classes(len(drawn))
        assert (file.poses(), file.splits()) == (schema.poses(), schema.splits())
        assert file.class_counts() == schema.class_counts()


def test_what_is_asked_often_is_found_by_indexes(catalogue: Catalogue, postgres_server: str) -> None:
    with new_database(postgres_server) as url:
        own = Catalogue(url, "voc")
        own.migrate()
        own.write_records(1, [], [])
        found = ask(url, "SELECT indexname FROM pg_indexes WHERE schemaname = 'lookalike_voc_000001'")
        own.close()

    assert catalogue.numbers()
    assert {str(name) for (name,) in found} >= {
        "ix_images_split", "ix_images_objects", "ix_objects_image_id", "ix_objects_class_name_image_id",
        "ix_objects_truncated_image_id", "ix_objects_occluded_image_id", "ix_objects_difficult_image_id",
    }  # fmt: skip

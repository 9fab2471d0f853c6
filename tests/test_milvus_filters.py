"""Filters as Milvus expressions against the same filters in SQL, both asked for real."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import database
from indexer.database import Database
from indexer.errors import CollectionError
from indexer.filters import NO_FILTERS, Filters
from indexer.index_settings import IndexSettings
from indexer.milvus_filters import expression
from indexer.milvus_index import write_index
from indexer.milvus_rows import MOST_SLOTS, NAME_BYTES, ROW, Facts
from indexer.milvus_server import MilvusServer
from indexer.records import Box, IndexedImage, ObjectLabel
from indexer.reduction import unit_rows
from tests.milvus import CLASSES, POSES, SHARES, SPLITS, made_up_images, needs_milvus

IMAGES = made_up_images(150, seed=4)
IN_IMAGES, IN_OBJECTS = "filters_of_images", "filters_of_objects"

flags = st.none() | st.booleans()
counts = st.none() | st.integers(0, 6)
shares = st.none() | st.sampled_from([0, 1, *SHARES]) | st.floats(0, 1)


def some_of(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    known = st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)
    others = st.lists(st.sampled_from([*names, "", "nobody"]) | st.text(st.characters(codec="utf-8")), max_size=3)
    return (known | others).map(tuple)


ANY_OF = {
    "class_any": some_of(CLASSES),
    "class_all": some_of(CLASSES[:2]),
    "class_none": some_of(CLASSES),
    "split": some_of(SPLITS),
    "pose": some_of(POSES),
    "truncated": flags,
    "occluded": flags,
    "difficult": flags,
    "min_objects": counts,
    "max_objects": counts,
    "min_share": shares,
    "max_share": shares,
}


@st.composite
def filters(draw: st.DrawFn) -> Filters:
    """A few conditions: many together would leave nothing to be right about."""
    names = draw(st.lists(st.sampled_from(sorted(ANY_OF)), max_size=4, unique=True))
    return Filters(**{name: draw(ANY_OF[name]) for name in names})  # type: ignore[arg-type]


excluded = st.lists(st.integers(0, 400), max_size=5)


def write(server: MilvusServer, name: str, facts: Facts) -> None:
    vectors = unit_rows(np.random.default_rng(0).normal(size=(len(facts), 4)).astype(np.float32))
    write_index(server, name, vectors, facts, IndexSettings("flat"))


def open_database(path: Path, images: list[IndexedImage]) -> Database:
    database.write(path, images, [])
    return Database(path)


@pytest.fixture(scope="module")
def server(milvus_uri: str) -> Iterator[MilvusServer]:
    opened = MilvusServer(milvus_uri)
    write(opened, IN_IMAGES, Facts.of_images(IMAGES))
    write(opened, IN_OBJECTS, Facts.of_objects(IMAGES))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = open_database(tmp_path_factory.mktemp("metadata") / "metadata.sqlite", IMAGES)
    yield opened
    opened.close()


def selected(server: MilvusServer, name: str, text: str) -> list[int]:
    return sorted(int(row[ROW]) for row in server.query(name, text or f"{ROW} >= 0", [ROW]))


def without(rows: Any, exclude: list[int]) -> list[int]:  # noqa: ANN401 - an array of ids
    return [row for row in rows.tolist() if row not in exclude]


@needs_milvus
@settings(deadline=None, max_examples=100)
@given(filters(), excluded)
def test_an_expression_selects_what_sql_selects(
    server: MilvusServer, metadata: Database, asked: Filters, exclude: list[int]
) -> None:
    of_images = expression(asked, exclude, 5, objects=False)
    of_objects = expression(asked, exclude, 5, objects=True)

    assert selected(server, IN_IMAGES, of_images) == without(metadata.matching_images(asked), exclude)
    assert selected(server, IN_OBJECTS, of_objects) == without(metadata.matching_objects(asked), exclude)


@needs_milvus
def test_every_name_is_found_as_it_is_spelt(server: MilvusServer, metadata: Database) -> None:
    for name in CLASSES:
        asked = Filters(class_any=(name,), truncated=True)
        found = selected(server, IN_IMAGES, expression(asked, [], 5, objects=False))
        assert found == metadata.matching_images(asked).tolist() != []


@needs_milvus
def test_where_no_image_has_an_object_none_is_found(server: MilvusServer, tmp_path: Path) -> None:
    images = made_up_images(6, seed=1, objects=0)
    write(server, "filters_of_nothing", Facts.of_images(images))
    bare = open_database(tmp_path / "metadata.sqlite", images)

    for asked in (Filters(class_any=("dog",)), Filters(class_any=("dog",), truncated=True), Filters(min_share=0)):
        assert selected(server, "filters_of_nothing", expression(asked, [], 0, objects=False)) == []
    asked = Filters(class_none=("dog",), max_objects=0)
    assert selected(server, "filters_of_nothing", expression(asked, [], 0, objects=False)) == list(range(6))
    assert bare.matching_images(asked).tolist() == list(range(6))
    bare.close()


def test_no_filters_are_no_expression() -> None:
    assert expression(NO_FILTERS, [], 7, objects=False) == ""
    assert expression(NO_FILTERS, [3, 4], 7, objects=True) == "row not in [3, 4]"


def test_conditions_on_an_object_are_asked_of_one_object_after_the_other() -> None:
    asked = Filters(class_any=("dog",), truncated=True, min_share=0.1)

    assert expression(asked, [], 2, objects=False) == (
        '(ARRAY_CONTAINS_ANY(truncated, [1]) and (ARRAY_CONTAINS_ANY(classes, ["dog"]) and '
        '((truncated[0] == 1 and (shares[0] >= 0.1 and classes[0] == "dog")) or '
        '(truncated[1] == 1 and (shares[1] >= 0.1 and classes[1] == "dog")))))'
    )
    assert expression(asked, [], 2, objects=True) == (
        '(own_truncated in [1] and (own_share >= 0.1 and own_class in ["dog"]))'
    )


def test_classes_alone_are_asked_of_the_array() -> None:
    asked = Filters(class_any=("dog", "cat"), class_none=("cow",))

    assert expression(asked, [], 40, objects=False) == (
        '(not ARRAY_CONTAINS_ANY(classes, ["cow"]) and ARRAY_CONTAINS_ANY(classes, ["dog", "cat"]))'
    )
    assert expression(Filters(class_all=("dog", "cat")), [], 40, objects=False) == (
        'ARRAY_CONTAINS_ALL(classes, ["dog", "cat"])'
    )


def test_brackets_are_not_nested_deeper_for_more_objects_than_they_have_to_be() -> None:
    text = expression(Filters(class_any=("dog",), truncated=True), [], 200, objects=False)

    depths = np.cumsum([{"(": 1, ")": -1}.get(letter, 0) for letter in text])
    assert max(depths) <= 11


def test_names_that_cannot_be_stored_are_names_that_nothing_has() -> None:
    for name in ("\ud800", "x" * (NAME_BYTES + 1)):
        assert expression(Filters(class_all=(name, "dog")), [], 3, objects=False) == "row < 0"
        assert expression(Filters(class_any=(name,)), [], 3, objects=True) == "row < 0"
        assert expression(Filters(class_none=(name,)), [], 3, objects=False) == ""
        assert expression(Filters(split=(name,)), [], 3, objects=False) == "row < 0"


def one_image(*labels: ObjectLabel) -> IndexedImage:
    return IndexedImage(
        image_id=0, filename="0.jpg", sha256="0" * 64, split=None, width=100, height=80, objects=labels
    )


def test_facts_tell_of_an_image_and_of_its_objects() -> None:
    image = one_image(
        ObjectLabel("dog", Box(0, 0, 50, 40), "Left", truncated=True, occluded=False),
        ObjectLabel("cat", Box(0, 0, 10, 8)),
    )
    told = {
        "split": "", "objects": 2, "classes": ["dog", "cat"], "poses": ["Left", ""], "truncated": [1, -1],
        "occluded": [0, -1], "difficult": [-1, -1], "shares": [0.25, 0.01],
    }  # fmt: skip
    own = {
        "image_id": 0, "own_class": "cat", "own_pose": "", "own_truncated": -1, "own_occluded": -1,
        "own_difficult": -1, "own_share": 0.01,
    }  # fmt: skip

    assert Facts.of_images([image]).rows(0, 9) == [told]
    assert Facts.of_objects([image]).rows(1, 9) == [told | own]
    for facts in (Facts.of_images([image]), Facts.of_objects([image])):
        assert facts.slots == 2
        assert [field.name for field in facts.fields] == list(facts.rows(0, 1)[0])


@pytest.mark.parametrize("name", ["ü" * (NAME_BYTES // 2 + 1), "\udcff"])
def test_a_name_that_cannot_be_stored_is_refused(name: str) -> None:
    with pytest.raises(CollectionError, match="expected names of at most 1024 bytes of UTF-8, found '"):
        Facts.of_images([one_image(ObjectLabel(name, Box(0, 0, 1, 1)))])


def test_more_objects_than_an_array_holds_are_refused() -> None:
    crowd = [ObjectLabel("person", Box(0, 0, 1, 1))] * (MOST_SLOTS + 1)

    with pytest.raises(CollectionError, match="expected at most 4096 objects in an image"):
        Facts.of_images([one_image(*crowd)])

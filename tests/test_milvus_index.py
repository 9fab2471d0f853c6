"""Search in a Milvus collection against a brute-force search in numpy."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import database, milvus_index
from indexer.database import Database
from indexer.errors import CollectionError
from indexer.filters import NO_FILTERS, Filters
from indexer.index_settings import IndexNote, IndexSettings
from indexer.milvus_index import MilvusIndex, write_index
from indexer.milvus_rows import Facts
from indexer.milvus_server import MilvusServer
from indexer.milvus_words import INDEX_PARAMETERS
from indexer.reduction import Floats, unit_rows
from indexer.subset import Subset
from tests.milvus import CLASSES, made_up_images, needs_milvus

pytestmark = needs_milvus

HOME = Path(__file__).parents[1]
FEW, FEW_IMAGES = 60, made_up_images(60, seed=9)
VECTORS = unit_rows(np.random.default_rng(0).normal(size=(FEW, 8)).astype(np.float32))
VECTORS[50:] = VECTORS[3]  # copies

MANY = 3_000
MANY_IMAGES = made_up_images(MANY, seed=10, objects=2, classes=CLASSES[:3])


def clustered(rows: int, seed: int) -> Floats:
    """Unit rows of 16 numbers around forty centres, those of every seed the same."""
    centres = np.random.default_rng(0).normal(size=(40, 16))
    generator = np.random.default_rng(seed)
    spread = 0.6 * generator.normal(size=(rows, 16))
    return unit_rows((centres[generator.integers(0, 40, rows)] + spread).astype(np.float32))


CLUSTERED, QUERIES = clustered(MANY, seed=1), clustered(20, seed=2)


def subset(filters: Filters) -> Subset | None:
    """As a search is told of it; nobody asks for its rows' numbers."""
    return Subset.of(filters, lambda _: pytest.fail("the numbers of rows were asked for"))


@dataclass(frozen=True)
class Known:
    """An index, and what numpy needs to say what it should find."""

    index: MilvusIndex
    vectors: Floats
    metadata: Database

    def best(self, query: Floats, k: int, exclude: set[int], filters: Filters) -> tuple[list[int], Floats]:
        scores = self.vectors @ query
        allowed = [row for row in self.metadata.matching_images(filters).tolist() if row not in exclude]
        ranked = sorted(allowed, key=lambda row: -scores[row])[:k]
        return ranked, scores[ranked]

    def recall(self, k: int, filters: Filters = NO_FILTERS) -> float:
        shares = []
        for query in QUERIES:
            ranked, _ = self.best(query, k, set(), filters)
            found = {hit.image_id for hit in self.index.nearest(query, k, among=subset(filters))}
            shares.append(len(found & set(ranked)) / len(ranked))
        return sum(shares) / len(shares)


@pytest.fixture(scope="module")
def server(milvus_uri: str) -> Iterator[MilvusServer]:
    opened = MilvusServer(milvus_uri, timeout=60)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def few(server: MilvusServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    path = tmp_path_factory.mktemp("few") / "metadata.sqlite"
    database.write(path, FEW_IMAGES, [])
    note = write_index(server, "index_few", VECTORS, Facts.of_images(FEW_IMAGES), IndexSettings())
    known = Known(MilvusIndex.open(server, "index_few", note), VECTORS, Database(path))
    yield known
    known.metadata.close()


@pytest.fixture(scope="module", params=["ivf", "hnsw"])
def approximate(
    request: pytest.FixtureRequest, server: MilvusServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Known]:
    path = tmp_path_factory.mktemp(request.param) / "metadata.sqlite"
    database.write(path, MANY_IMAGES, [])
    name, asked = f"index_{request.param}", IndexSettings(request.param, recall=0.95)
    note = write_index(server, name, CLUSTERED, Facts.of_images(MANY_IMAGES), asked)
    known = Known(MilvusIndex.open(server, name, note), CLUSTERED, Database(path))
    yield known
    known.metadata.close()


asked_filters = st.builds(
    Filters,
    class_any=st.lists(st.sampled_from(CLASSES), max_size=4).map(tuple),
    truncated=st.none() | st.booleans(),
    split=st.sampled_from([(), ("train",), ("train", "val")]),
)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, FEW - 1),
    st.integers(1, 80),
    st.sets(st.integers(0, FEW - 1)),
    st.just(NO_FILTERS) | asked_filters,
)
def test_nearest_is_what_brute_force_finds(
    few: Known, query: int, k: int, exclude: set[int], filters: Filters
) -> None:
    hits = few.index.nearest(VECTORS[query], k, sorted(exclude), subset(filters))

    ranked, scores = few.best(VECTORS[query], k, exclude, filters)
    found = [hit.image_id for hit in hits]
    assert len(found) == len(ranked)
    assert np.allclose([hit.score for hit in hits], scores, atol=1e-6)
    assert np.allclose(VECTORS[found] @ VECTORS[query], scores, atol=1e-6)
    assert set(found) <= set(few.best(VECTORS[query], FEW, exclude, filters)[0])
    assert len(set(found)) == len(found)
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.image_id))
    assert all(-1 <= hit.score <= 1 for hit in hits)


@pytest.mark.parametrize("k", [1, 2, 5, 11, 12])
def test_rows_that_are_equal_come_by_their_number_however_many_are_asked_for(few: Known, k: int) -> None:
    hits = few.index.nearest(VECTORS[3], k)

    assert [hit.image_id for hit in hits][:11] == [3, *range(50, 60)][:k]


def test_more_than_the_server_gives_at_once_are_found_all_the_same(
    few: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(milvus_index, "MOST_HITS", 7)

    hits = few.index.nearest(VECTORS[0], 40, [5], subset(Filters(min_objects=1)))

    ranked, scores = few.best(VECTORS[0], 40, {5}, Filters(min_objects=1))
    assert len(hits) == len(ranked) > 30
    assert np.allclose([hit.score for hit in hits], scores, atol=1e-6)


def test_vectors_come_back_as_they_went_in(few: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    index = few.index
    assert (len(index), index.dim) == (FEW, 8)
    for read_at_once in (8_000_000, 4 * 8 * 7):
        monkeypatch.setattr(milvus_index, "_READ_BYTES", read_at_once)
        assert np.array_equal(index.vectors(), VECTORS)
        assert index.vectors().dtype == np.float32
        assert np.array_equal(index.vector(7), VECTORS[7])
        assert np.array_equal(index.rows([31, 2, 31, 59, 4]), VECTORS[[31, 2, 31, 59, 4]])
    assert index.rows([]).shape == (0, 8)


def test_rows_that_are_not_there_are_missed(few: Known) -> None:
    with pytest.raises(CollectionError, match="expected 2 rows from 3 to 60 in the collection index_few, found 1"):
        few.index.rows([3, FEW])


def test_rows_that_fulfil_filters_are_counted(few: Known) -> None:
    asked = Filters(class_any=("dog", "cat"))
    expected = few.metadata.matching_images(asked).tolist()

    assert few.index.count(asked) == len(expected)
    assert few.index.count(asked, expected[:2]) == len(expected) - 2
    assert few.index.count(NO_FILTERS) == FEW


def test_a_collection_of_objects_is_filtered_by_its_objects(server: MilvusServer, few: Known) -> None:
    facts = Facts.of_objects(FEW_IMAGES)
    vectors = unit_rows(np.random.default_rng(5).normal(size=(len(facts), 8)).astype(np.float32))
    index = MilvusIndex.open(
        server, "index_objects", write_index(server, "index_objects", vectors, facts, IndexSettings())
    )
    asked = Filters(class_any=("dog",), class_none=("cat",), truncated=False)

    found = {hit.image_id for hit in index.nearest(vectors[0], len(facts), among=subset(asked))}

    assert found == set(few.metadata.matching_objects(asked).tolist()) != set()


def test_the_note_tells_of_an_exact_index(few: Known) -> None:
    assert few.index.note == IndexNote(milliseconds=few.index.note.milliseconds)
    assert few.index.note.milliseconds > 0


def test_an_approximate_index_finds_what_is_asked_of_it_and_scores_it_exactly(approximate: Known) -> None:
    note = approximate.index.note
    assert note.kind in ("ivf", "hnsw")
    assert note.recall >= 0.95
    assert [depth for depth, _ in note.efforts] == [16, 32, 128, 1_024]
    assert approximate.recall(10) >= 0.93
    for query in QUERIES:
        hits = approximate.index.nearest(query, 10)
        expected = [float(CLUSTERED[hit.image_id] @ query) for hit in hits]
        assert np.allclose([hit.score for hit in hits], expected, atol=1e-6)


@pytest.mark.parametrize("k", [120, 1_000, 2_500, 4_000])
def test_deep_pages_lose_no_recall(approximate: Known, k: int) -> None:
    hits = approximate.index.nearest(QUERIES[0], k)

    ranked, _ = approximate.best(QUERIES[0], k, set(), NO_FILTERS)
    assert len(hits) == len(ranked) == min(k, MANY)
    assert len({hit.image_id for hit in hits} & set(ranked)) >= 0.93 * len(ranked)


@pytest.mark.parametrize(
    "asked",
    [
        Filters(class_any=("dog",)),
        Filters(class_all=("dog", "cat"), truncated=True, split=("val",)),
        Filters(split=("train",), max_objects=0),
    ],
)
def test_filters_cost_no_results_and_hardly_any_recall(approximate: Known, asked: Filters) -> None:
    matching = approximate.metadata.matching_images(asked).tolist()

    assert approximate.recall(10, asked) >= 0.9
    hits = approximate.index.nearest(QUERIES[1], len(matching) + 1, [matching[0]], subset(asked))
    assert sorted(hit.image_id for hit in hits) == matching[1:]


def test_an_index_is_built_with_the_parameters_that_its_note_tells(approximate: Known, milvus_uri: str) -> None:
    from pymilvus import MilvusClient  # noqa: PLC0415 - it may not be installed

    note, client = approximate.index.note, MilvusClient(milvus_uri)
    told = str(client.describe_index(f"index_{note.kind}", "vector")).replace("'", "").replace('"', "")
    client.close()

    assert all(f"{INDEX_PARAMETERS[name]}: {value}" in told for name, value in note.parameters.items())


def test_where_an_index_finds_too_few_every_row_is_looked_at(server: MilvusServer, approximate: Known) -> None:
    note = replace(approximate.index.note, parameters={"lists": 1}, efforts=((1_024, 1),))
    index = MilvusIndex.open(server, f"index_{note.kind}", note)

    hits = index.nearest(QUERIES[0], MANY, [7])

    ranked, scores = approximate.best(QUERIES[0], MANY, {7}, NO_FILTERS)
    assert len(hits) == len(ranked) == MANY - 1
    assert np.allclose([hit.score for hit in hits], scores, atol=1e-6)

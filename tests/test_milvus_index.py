"""Search in a Milvus collection against a brute-force search in numpy."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import database, milvus_index, milvus_writing
from indexer.database import Database
from indexer.errors import CollectionError, StoreBusyError, StoreUnreachableError
from indexer.filters import NO_FILTERS, Filters
from indexer.index_settings import FLAT, IndexNote, IndexSettings
from indexer.milvus_index import MilvusIndex, write_index
from indexer.milvus_rows import Facts, Row
from indexer.milvus_server import MilvusServer
from indexer.reduction import Floats, unit_rows
from indexer.subset import Subset
from tests.milvus import CLASSES, free_port, made_up_images, needs_milvus

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


def test_the_kind_follows_the_size_unless_it_is_said(
    server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(milvus_writing, "is_quick", lambda *_: False)

    note = write_index(server, "index_auto", VECTORS, Facts.of_images(FEW_IMAGES), IndexSettings(recall=0.5))

    assert (note.kind, note.storage, set(note.parameters)) == ("ivf", "float32", {"lists"})


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("kind", ["auto", "ivf", "hnsw"])
def test_hardly_any_rows_will_do(server: MilvusServer, rows: int, kind: str) -> None:
    facts = Facts.of_images(FEW_IMAGES[:rows])

    note = write_index(server, "index_tiny", VECTORS[:rows], facts, IndexSettings(kind))

    index = MilvusIndex.open(server, "index_tiny", note)
    assert len(index.nearest(VECTORS[0], 5)) == len(index) == rows
    assert index.vectors().shape == (rows, 8)


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


def test_a_recall_that_cannot_be_had_makes_the_index_exact(
    server: MilvusServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(milvus_writing, "efforts", lambda *_: [])

    note = write_index(server, "index_exact", VECTORS, Facts.of_images(FEW_IMAGES), IndexSettings("ivf", 0.9))

    assert (note.kind, note.parameters, note.efforts, note.recall) == (FLAT, {}, (), 1.0)
    assert caplog.messages == ["Searching exactly: in 60 vectors, ivf finds less than 0.9 of the first results"]
    assert len(MilvusIndex.open(server, "index_exact", note).nearest(VECTORS[0], 9)) == 9


KILLED = """
import os, signal, numpy, sys
from indexer import milvus_writing
from tests.test_milvus_index import *
wrote = milvus_writing._write
def write_and_die(server, name, rows):
    wrote(server, name, rows)
    if rows[0]["row"] >= 20: os.kill(os.getpid(), signal.SIGKILL)
milvus_writing._BATCH_BYTES, milvus_writing._write = 4 * 8 * 10, write_and_die
write_index(MilvusServer(sys.argv[1]), "index_killed", VECTORS, Facts.of_images(FEW_IMAGES), IndexSettings())
"""


def test_what_was_killed_half_way_is_made_anew(server: MilvusServer, milvus_uri: str) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, milvus_uri], cwd=HOME, check=False).returncode == -9
    assert server.has("index_killed")

    note = write_index(server, "index_killed", VECTORS[::-1], Facts.of_images(FEW_IMAGES), IndexSettings())

    assert np.array_equal(MilvusIndex.open(server, "index_killed", note).vectors(), VECTORS[::-1])


def test_a_server_that_takes_no_more_is_waited_for_but_not_for_ever(
    server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    clock = SimpleNamespace(sleep=waited.append, perf_counter=time.perf_counter)
    monkeypatch.setattr(milvus_writing, "time", clock)
    upsert, troubles = MilvusServer.upsert, [2]

    def sometimes(self: MilvusServer, name: str, rows: list[Row]) -> None:
        if troubles[0]:
            troubles[0] -= 1
            raise StoreBusyError("no more")
        upsert(self, name, rows)

    monkeypatch.setattr(MilvusServer, "upsert", sometimes)
    facts = Facts.of_images(FEW_IMAGES)
    write_index(server, "index_busy", VECTORS, facts, IndexSettings())
    assert waited == [1, 2]

    troubles[0] = 100
    with pytest.raises(StoreBusyError):
        write_index(server, "index_busy", VECTORS, facts, IndexSettings())
    assert sum(waited) < 300


def test_rows_that_got_lost_are_missed(server: MilvusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milvus_writing, "_fill", lambda *_: None)

    with pytest.raises(
        CollectionError, match=r"expected 60 rows in the collection index_lost .*, found 0; build again"
    ):
        write_index(server, "index_lost", VECTORS, Facts.of_images(FEW_IMAGES), IndexSettings())


def test_facts_of_other_rows_are_refused(server: MilvusServer) -> None:
    with pytest.raises(CollectionError, match="expected facts of 60 rows, found 59"):
        write_index(server, "index_lost", VECTORS, Facts.of_images(FEW_IMAGES[1:]), IndexSettings())


def test_a_collection_that_is_not_there_is_missed(server: MilvusServer) -> None:
    with pytest.raises(CollectionError, match="expected the collection nowhere on the Milvus server, found none"):
        MilvusIndex.open(server, "nowhere", IndexNote())


def test_a_server_that_is_not_there_is_missed() -> None:
    with pytest.raises(StoreUnreachableError):
        MilvusIndex.open(MilvusServer(f"http://127.0.0.1:{free_port()}", timeout=0.5), "index_few", IndexNote())

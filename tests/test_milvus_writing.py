"""Writing an index to Milvus: its kind and recall, what is lost or killed on the way, a server that is busy."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from indexer import milvus_writing
from indexer.errors import CollectionError, StoreBusyError, StoreUnreachableError
from indexer.index_settings import FLAT, IndexNote, IndexSettings
from indexer.milvus_index import MilvusIndex, write_index
from indexer.milvus_rows import Facts, Row
from indexer.milvus_server import MilvusServer
from tests.milvus import needs_milvus
from tests.postgres import free_port
from tests.test_milvus_index import FEW_IMAGES, VECTORS

pytestmark = needs_milvus

HOME = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def server(milvus_uri: str) -> Iterator[MilvusServer]:
    opened = MilvusServer(milvus_uri, timeout=60)
    yield opened
    opened.close()


def test_the_kind_follows_the_size_unless_it_is_said(
    server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(milvus_writing, "is_quick", lambda *_: False)

    note = write_index(server, "index_auto", VECTORS, Facts.of_images(FEW_IMAGES), IndexSettings(recall=0.5))

    assert (note.kind, note.storage, set(note.parameters)) == ("ivf", "float32", {"lists"})


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        (IndexSettings("ivf", 0.1, lists=7), {"lists": 7}),
        (IndexSettings("ivf", 0.1, lists=1_000), {"lists": 60}),
        (IndexSettings("hnsw", 0.1, links=8, candidates=40), {"links": 8, "candidates": 40}),
    ],
)
def test_an_index_is_built_with_the_parameters_that_are_asked_for(
    server: MilvusServer, settings: IndexSettings, parameters: dict[str, int]
) -> None:
    note = write_index(server, "index_asked", VECTORS, Facts.of_images(FEW_IMAGES), settings)

    assert note.parameters == parameters


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("kind", ["auto", "ivf", "hnsw"])
def test_hardly_any_rows_will_do(server: MilvusServer, rows: int, kind: str) -> None:
    facts = Facts.of_images(FEW_IMAGES[:rows])

    note = write_index(server, "index_tiny", VECTORS[:rows], facts, IndexSettings(kind))

    index = MilvusIndex.open(server, "index_tiny", note)
    assert len(index.nearest(VECTORS[0], 5)) == len(index) == rows
    assert index.vectors().shape == (rows, 8)


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
from indexer.milvus_index import write_index
from indexer.milvus_rows import Facts
from indexer.index_settings import IndexSettings
from indexer.milvus_server import MilvusServer
from tests.test_milvus_index import FEW_IMAGES, VECTORS
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

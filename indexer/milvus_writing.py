"""Vectors and what is known of them -> a collection on a Milvus server, its index tuned and measured."""

import logging
import math
import statistics
import time

import numpy as np

from indexer.errors import CollectionError, StoreBusyError
from indexer.exact_index import is_quick
from indexer.index_settings import AUTO, FLAT, FLOAT32, HNSW, IVF, RECALL_AT, IndexNote, IndexSettings
from indexer.milvus_rows import ROW, VECTOR, Facts, Row
from indexer.milvus_server import MilvusServer
from indexer.milvus_tuning import Sample, efforts, recall_of, tune
from indexer.milvus_words import Effort, Question
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.thread_pools import all_cores

_BATCH_BYTES = 4_000_000  # of vectors: a server takes 64 MB at once, a queue of it rather less
_WAITS = (1, 2, 4, 8, 16, 30, 60, 60, 60)  # seconds, before each further try where the server takes no more
_LISTS = 2  # times the square root of the number of rows; a server has as many in each of its segments
_MOST_LISTS = 65_536
_TIMED = 20  # queries

logger = logging.getLogger(__name__)


def write_index(
    server: MilvusServer, name: str, vectors: Floats, facts: Facts, settings: IndexSettings
) -> IndexNote:
    """Make a collection of (N, d) float32 unit rows, in place of what of that name was left half made.

    Where the recall asked for cannot be had, a warning says so, and the index is exact.

    Args:
        server: to write to.
        name: of the collection; no alias may point at it.
        vectors: their numbers become the keys.
        facts: of the same rows.
        settings: what is asked for; vectors are always stored as they are.

    Raises:
        CollectionError: the server refuses it, or has other rows in the end than it was given.
        StoreBusyError: it took no more rows, for minutes.
        StoreUnreachableError: it cannot be reached, or does not answer in time.
    """
    if len(vectors) != len(facts):
        raise CollectionError(f"expected facts of {len(vectors)} rows, found {len(facts)}; give them of the same")
    server.drop(name)
    server.create(name, vectors.shape[1], facts.fields, facts.slots)
    _fill(server, name, vectors, facts)
    server.flush(name)
    return _Building(server, name, vectors, settings).run()


def _fill(server: MilvusServer, name: str, vectors: Floats, facts: Facts) -> None:
    batch = max(_BATCH_BYTES // (4 * vectors.shape[1]), 1)
    for start in range(0, len(vectors), batch):
        told = enumerate(facts.rows(start, start + batch), start)
        _write(server, name, [{ROW: number, VECTOR: vectors[number], **row} for number, row in told])


def _write(server: MilvusServer, name: str, rows: list[Row]) -> None:
    """One batch, again and again where the server takes no more, for which rows of the same key are the same."""
    for wait in _WAITS:
        try:
            server.upsert(name, rows)
        except StoreBusyError:
            logger.info("The Milvus server takes no more; waiting %d s", wait)
            time.sleep(wait)
        else:
            return
    server.upsert(name, rows)


class _Building:
    """The index of one collection in the making."""

    def __init__(self, server: MilvusServer, name: str, vectors: Floats, settings: IndexSettings) -> None:
        self._server = server
        self._name = name
        self._vectors = vectors
        self._settings = settings

    def run(self) -> IndexNote:
        kind = self._kind()
        note = self._built(kind)
        self._check()
        if len(self._vectors) <= 1:
            return note  # there is no second one to find
        with all_cores():
            sample = Sample.draw(self._vectors)
        if kind != FLAT:
            note = self._tuned(note, sample)
        return self._measured(note, sample)

    def _kind(self) -> str:
        rows, dim = self._vectors.shape
        if rows <= 1:
            return FLAT
        if self._settings.kind != AUTO:
            return self._settings.kind
        return FLAT if is_quick(rows, dim) else IVF

    def _built(self, kind: str) -> IndexNote:
        asked, rows = self._settings, max(len(self._vectors), 1)
        lists = min(asked.lists or round(_LISTS * math.sqrt(rows)), _MOST_LISTS, rows)
        graph = {"links": asked.links, "candidates": asked.candidates}
        parameters = {FLAT: {}, IVF: {"lists": lists}, HNSW: graph}[kind]
        self._server.build(self._name, kind, parameters)
        return IndexNote(kind=kind, storage=FLOAT32, parameters=parameters)

    def _check(self) -> None:
        found = self._server.count(self._name)
        if found != len(self._vectors):
            raise CollectionError(
                f"expected {len(self._vectors)} rows in the collection {self._name} on the Milvus server, found "
                f"{found}; build again"
            )

    def _tuned(self, note: IndexNote, sample: Sample) -> IndexNote:
        lists = note.parameters.get("lists", 0)
        found = tune(
            lambda *asked: self._search(note.kind, *asked),
            lambda depth: efforts(note.kind, lists, depth),
            sample,
            self._settings.recall,
        )
        if found:
            return IndexNote(kind=note.kind, storage=FLOAT32, parameters=note.parameters, efforts=found)
        logger.warning(
            "Searching exactly: in %d vectors, %s finds less than %g of the first results",
            len(self._vectors), note.kind, self._settings.recall,
        )  # fmt: skip
        return self._built(FLAT)

    def _measured(self, note: IndexNote, sample: Sample) -> IndexNote:
        effort = note.effort_for(RECALL_AT) or 0
        recall = recall_of(lambda *asked: self._search(note.kind, *asked), effort, sample)
        taken = []
        for query in sample.queries[:_TIMED]:
            started = time.perf_counter()
            self._search(note.kind, query[np.newaxis], RECALL_AT, effort, strong=False)  # as queries come
            taken.append(1_000 * (time.perf_counter() - started))
        return IndexNote(
            kind=note.kind, storage=FLOAT32, parameters=note.parameters, efforts=note.efforts,
            recall=recall, milliseconds=round(statistics.median(taken), 3),
        )  # fmt: skip

    def _search(
        self, kind: str, queries: Floats, limit: int, effort: int, *, strong: bool = True
    ) -> list[list[Hit]]:
        amount = max(effort, limit) if kind == HNSW else effort
        return self._server.search(self._name, queries, Question(limit, Effort(kind, amount), strong=strong))

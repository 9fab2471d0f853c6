"""Measures an index on a Milvus server beside the one on disk; `./scripts/bench far [ROWS ...]` runs it.

Both hold the vectors of `made_up_vectors`, of images with up to two objects each, and are built, tuned and asked
as a collection does it: the one on disk by faiss, with filters by SQLite; the other by milvus-lite in a process of
its own, which is Milvus in Python: it tells what talking to a server costs, and not how fast Milvus is. For that,
`--milvus URI` measures a server that is running. Queries come one at a time, and are not in the index; recall is
that of the first ten results against exact search.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil

from indexer import database
from indexer.database import Database
from indexer.exact_index import ExactIndex
from indexer.filters import NO_FILTERS, Filters
from indexer.index_building import build_index
from indexer.index_settings import DEFAULT_SETTINGS, IndexNote
from indexer.milvus_index import MilvusIndex, write_index
from indexer.milvus_rows import Facts
from indexer.milvus_server import MilvusServer
from indexer.records import Hit, IndexedImage
from indexer.reduction import Floats
from indexer.subset import Subset
from indexer.vector_index import VectorIndex
from tests.made_up_vectors import make_vectors
from tests.measuring import Report
from tests.milvus import made_up_images, serving

ROWS = (100_000,)
K, ASKED, FILTERED = 10, 100, 5  # results, queries without filters, and with them
DIFFERENT = 10_000  # images that facts are made up of; further ones are told of the same
NAME = "lookalike_bench"
CLASSES = tuple(f"class {number}" for number in range(20))
ASKED_FOR = {
    "no filters": NO_FILTERS,
    "split": Filters(split=("train",)),
    "class": Filters(class_any=(CLASSES[0],)),
    "class of a cut object": Filters(class_any=(CLASSES[0],), truncated=True, min_share=0.1),
}
PATIENCE = 600.0  # seconds for an answer: milvus-lite takes minutes where Milvus takes none

Search = Callable[[Floats, Filters], list[Hit]]


@dataclass(frozen=True)
class Subject:
    """What is searched in, and what exact search finds of it."""

    vectors: Floats
    queries: Floats
    images: Sequence[IndexedImage]
    metadata: Database
    exact: ExactIndex

    def recall(self, answers: Sequence[list[Hit]], filters: Filters) -> float:
        """Share of the true first ten of the first queries that is found."""
        among = self.metadata.matching_images(filters)
        found = 0
        for query, hits in zip(self.queries, answers, strict=False):
            true = set(self.exact.best_of(among, query, K)[0].tolist())
            found += len({hit.image_id for hit in hits} & true)
        return found / (len(answers) * K)


@contextmanager
def made_up(rows: int, folder: Path) -> Iterator[Subject]:
    """So many vectors, and images to go with them."""
    vectors, queries = make_vectors(rows)
    different = made_up_images(min(rows, DIFFERENT), seed=0, objects=2, classes=CLASSES)
    images = [
        replace(different[number % len(different)], image_id=number, filename=f"{number}.jpg")
        for number in range(rows)
    ]
    database.write(folder / "metadata.sqlite", images, [])
    metadata = Database(folder / "metadata.sqlite")
    yield Subject(vectors, queries, images, metadata, ExactIndex.build(vectors))
    metadata.close()


def ask(subject: Subject, search: Search, side: str, report: Report) -> None:
    """One query at a time, without and with filters."""
    for name, filters in ASKED_FOR.items():
        answers, taken = [], []
        search(subject.queries[0], filters)
        for query in subject.queries[: ASKED if filters.ask_nothing else FILTERED]:
            started = time.perf_counter()
            answers.append(search(query, filters))
            taken.append(1_000 * (time.perf_counter() - started))
        report.add(f"{side}, {name}, query", "ms", [statistics.median(taken)])
        report.add(f"{side}, {name}, recall@10", "", [subject.recall(answers, filters)])


def measure_disk(subject: Subject, folder: Path, side: str, report: Report) -> None:
    """The index that a collection on disk has."""
    started = time.perf_counter()
    built = build_index(subject.vectors)
    report.add(f"{side}, build", "s", [time.perf_counter() - started])
    print(built.note, flush=True)  # noqa: T201
    built.save(folder / "index.faiss")
    report.add(f"{side}, on disk", "MB", [megabytes(folder)])
    before = psutil.Process().memory_info().rss
    index = VectorIndex.load(folder / "index.faiss", built.note)

    def search(query: Floats, filters: Filters) -> list[Hit]:
        among = None if filters.ask_nothing else subject.metadata.matching_images(filters)
        return index.nearest(query, K, among=among)

    ask(subject, search, side, report)
    report.add(f"{side}, memory", "MB", [(psutil.Process().memory_info().rss - before) / 1e6])


def measure_milvus(subject: Subject, server: MilvusServer, side: str, report: Report) -> None:
    """The index that a collection on a server has."""
    started = time.perf_counter()
    stages: dict[str, float] = {}
    note = write_timed(subject, server, stages)
    report.add(f"{side}, build", "s", [time.perf_counter() - started])
    report.add(f"{side}, rows written", "rows/s", [len(subject.vectors) / stages["upsert"]])
    for stage in ("flush", "build"):
        report.add(f"{side}, {'indexed and loaded' if stage == 'build' else 'flushed'}", "s", [stages[stage]])
    print(note, flush=True)  # noqa: T201
    index = MilvusIndex.open(server, NAME, note)
    ask(subject, lambda query, filters: index.nearest(query, K, among=_subset(filters)), side, report)


def write_timed(subject: Subject, server: MilvusServer, stages: dict[str, float]) -> IndexNote:
    """Written as a build does it; `stages` tells seconds by the call that they were spent in."""
    timed = _Timed(server, stages)
    return write_index(timed, NAME, subject.vectors, Facts.of_images(subject.images), DEFAULT_SETTINGS)


def _subset(filters: Filters) -> Subset | None:
    """As a search is told of it; nobody asks for its rows' numbers."""
    return Subset.of(filters, lambda _: np.empty(0, dtype=np.int64))


class _Timed(MilvusServer):
    """A server whose calls are timed."""

    def __init__(self, server: MilvusServer, stages: dict[str, float]) -> None:
        self.__dict__.update(server.__dict__)
        self._stages = stages

    def _ask(self, call: str, *arguments: object, **keywords: object) -> object:
        started = time.perf_counter()
        answer = super()._ask(call, *arguments, **keywords)  # type: ignore[arg-type]
        stage = "build" if call in {"create_index", "load_collection"} else call
        self._stages[stage] = self._stages.get(stage, 0.0) + time.perf_counter() - started
        return answer


def megabytes(folder: Path) -> float:
    """Of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def measure(rows: int, uri: str | None, report: Report) -> None:
    """Both at one size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("metadata", "disk", "milvus"):
            (folder / part).mkdir()
        with made_up(rows, folder / "metadata") as subject:
            measure_disk(subject, folder / "disk", f"{rows:,} rows, disk", report)
            if uri is not None:
                measure_milvus(subject, MilvusServer(uri, PATIENCE), f"{rows:,} rows, Milvus", report)
                return
            side = f"{rows:,} rows, milvus-lite"
            with serving(folder / "milvus") as (address, process):
                measure_milvus(subject, MilvusServer(address, PATIENCE), side, report)
                report.add(f"{side}, memory", "MB", [psutil.Process(process.pid).memory_info().rss / 1e6])
                report.add(f"{side}, on disk", "MB", [megabytes(folder / "milvus")])


def main() -> None:
    """Measure at each size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, help="how many; 100,000 where nothing is said")
    parser.add_argument("--milvus", metavar="URI", help="a server to measure in place of milvus-lite")
    asked = parser.parse_args()
    report = Report("far")
    for rows in asked.rows or ROWS:
        measure(rows, asked.milvus, report)
    report.finish()


if __name__ == "__main__":
    main()

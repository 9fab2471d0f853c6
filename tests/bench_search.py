"""Measures search in made-up vectors beside numpy, scikit-learn, hnswlib and usearch.

The vectors are those of `made_up_vectors`; queries are not in the index. Every side answers one query at a time on
one core; recall is that of the first ten results against exact search. hnswlib and usearch work as hard as it
takes to find as much as Lookalike's index does. `python -m tests.bench_search 17000` measures that size alone.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import hnswlib
import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits
from usearch.index import Index

from indexer.exact_index import ExactIndex
from indexer.index_building import build_index
from indexer.index_settings import IndexNote
from indexer.manifest import file_sha256
from indexer.reduction import Floats
from indexer.vector_index import VectorIndex
from tests.made_up_vectors import DIM, QUERIES, make_vectors
from tests.measuring import Report, Taken, ratios, take_turns

ROWS = (17_000, 1_000_000)
ROUNDS, K = 5, 10
LINKS, BUILD_CANDIDATES = 16, 100  # of both graphs
EFFORTS = (10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640, 960, 1_280, 1_920, 2_560)
SHARES = (0.01, 0.1, 0.5)
OURS = "lookalike"

Found = NDArray[np.int64]
Search = Callable[[Floats], Found]


class Contest:
    """The sides at one size: each is built, tuned, and then asked in turns."""

    def __init__(self, vectors: Floats, queries: Floats, report: Report) -> None:
        self._vectors = vectors
        self._queries = queries
        self._report = report
        self._truth = ExactIndex.build(vectors).nearest(queries, K)[0]
        self._searches: dict[str, Search] = {}
        self._size = f"{len(vectors):,} rows"

    def enter(self, name: str, search: Search, seconds: float, size: int) -> None:
        """Take in a side that was built in so many seconds, and holds so many bytes."""
        self._searches[name] = search
        self._tell(name, "recall@10", "", self.recall(search))
        self._tell(name, "build", "s", seconds)
        self._tell(name, "index", "MB", size / 1e6)

    def recall(self, search: Search) -> float:
        """Share of the true first ten that a side finds."""
        asked = self._queries[: self._asked_of(search)]
        found = [len(set(search(query)) & set(true)) for query, true in zip(asked, self._truth, strict=False)]
        return sum(found) / (K * len(found))

    def tuned(self, search: Search, set_effort: Callable[[int], None]) -> Search:
        """With the least effort that finds as much as our own index."""
        wanted = self.recall(self._searches[OURS])
        for effort in EFFORTS:
            set_effort(effort)
            if self.recall(search) >= wanted:
                break
        return search

    def run(self) -> None:
        """Ask in turns, and report medians of a query, and how many times as long as ours each side takes."""
        sides = {name: self._asked(search) for name, search in self._searches.items()}
        with threadpool_limits(limits=1):
            taken: Taken = take_turns(sides, ROUNDS)
        for name, times in taken.items():
            self._report.add(f"{self._size}, {name}, query", "ms", times)
        for name in [name for name in taken if name != OURS]:
            self._report.add(f"{self._size}, {name} / {OURS}", "times", ratios(taken[name], taken[OURS]))

    def _asked(self, search: Search) -> Callable[[], float]:
        return lambda: median_milliseconds(search, self._queries[: self._asked_of(search)])

    def _asked_of(self, search: Search) -> int:
        slow = len(self._vectors) > 100_000 and search.__name__ in {"brute_force", "neighbours"}
        return 3 if slow else QUERIES

    def _tell(self, name: str, what: str, unit: str, value: float) -> None:
        self._report.add(f"{self._size}, {name}, {what}", unit, [value])


def median_milliseconds(search: Search, queries: Floats) -> float:
    """Of one query at a time."""
    taken = []
    for query in queries:
        started = time.perf_counter()
        search(query)
        taken.append(1_000 * (time.perf_counter() - started))
    return statistics.median(taken)


def enter_ours(contest: Contest, vectors: Floats, queries: Floats, folder: Path, report: Report) -> None:
    """Build as a collection does, save, open mapped from disk, and ask that; also under filters."""
    started = time.perf_counter()
    built = build_index(vectors)
    seconds = time.perf_counter() - started
    print(built.note, flush=True)  # noqa: T201
    built.save(folder / "index.faiss")
    size = sum(path.stat().st_size for path in folder.iterdir())
    (folder / "note.json").write_text(built.note.to_text())
    np.save(folder / "queries.npy", queries)
    index = VectorIndex.load(folder / "index.faiss", built.note)

    def ours(query: Floats) -> Found:
        return np.array([hit.image_id for hit in index.nearest(query, K)])

    contest.enter(OURS, ours, seconds, size)
    measure_opening(folder, len(vectors), report)
    measure_filters(index, vectors, queries, report)


def measure_opening(folder: Path, rows: int, report: Report) -> None:
    """In a process of its own: how long it takes to check and open the files, and what is held in memory."""
    program = f"from tests.bench_search import open_and_ask; open_and_ask({str(folder)!r})"
    told = [subprocess.check_output([sys.executable, "-c", program], text=True).split() for _ in range(3)]
    for name, unit, values in zip(
        ("checksums", "opened after these", "first 500 queries", "memory of its own", "mapped from files"),
        ("s", "ms", "s", "MB", "MB"),
        zip(*told, strict=True),
        strict=True,
    ):
        report.add(f"{rows:,} rows, {name}", unit, [float(value) for value in values])


def open_and_ask(folder: str) -> None:
    """Print seconds to check, milliseconds to open, seconds of the first queries, and MB held by all that."""
    path = Path(folder)
    queries, note = np.load(path / "queries.npy"), IndexNote.from_text((path / "note.json").read_text())
    before, started = held_megabytes(), time.perf_counter()
    for file in path.glob("*.faiss"):
        file_sha256(file)
    checked = time.perf_counter()
    index = VectorIndex.load(path / "index.faiss", note)
    opened = time.perf_counter()
    for query in queries:
        index.nearest(query, K)
    asked = time.perf_counter()
    held = np.subtract(held_megabytes(), before)
    print(checked - started, 1_000 * (opened - checked), asked - opened, *held)  # noqa: T201


def held_megabytes() -> tuple[float, float]:
    """What this process has in memory of its own, and of files, which the system may take back."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    told = {line.split(":")[0]: int(line.split()[1]) / 1_000 for line in lines if line.startswith("Rss")}
    return told["RssAnon"], told["RssFile"]


def measure_filters(index: VectorIndex, vectors: Floats, queries: Floats, report: Report) -> None:
    """Where a filter leaves some rows, drawn at random: milliseconds, and recall against exact search in these."""
    exact = ExactIndex.build(vectors)
    for share in SHARES:
        among = np.flatnonzero(np.random.default_rng(1).random(len(vectors)) < share)
        taken, found = [], 0
        for query in queries[:50]:
            started = time.perf_counter()
            hits = index.nearest(query, K, among=among)
            taken.append(1_000 * (time.perf_counter() - started))
            found += len({hit.image_id for hit in hits} & set(exact.best_of(among, query, K)[0].tolist()))
        name = f"{len(vectors):,} rows, {OURS}, a filter leaves {share:.0%}"
        report.add(f"{name}, query", "ms", taken)
        report.add(f"{name}, recall@10", "", [found / (50 * K)])


def enter_exact(contest: Contest, vectors: Floats) -> None:
    """What needs no building, or hardly any."""

    def brute_force(query: Floats) -> Found:
        scores = vectors @ query
        best = np.argpartition(scores, -K)[-K:]
        return np.asarray(best[np.argsort(-scores[best])])

    contest.enter("numpy", brute_force, 0.0, vectors.nbytes)
    started = time.perf_counter()
    fitted = NearestNeighbors(n_neighbors=K, algorithm="brute", metric="cosine").fit(vectors)
    seconds = time.perf_counter() - started

    def neighbours(query: Floats) -> Found:
        return np.asarray(fitted.kneighbors(query[np.newaxis], return_distance=False)[0])

    contest.enter("scikit-learn", neighbours, seconds, vectors.nbytes)


def enter_hnswlib(contest: Contest, vectors: Floats, folder: Path) -> None:
    """Built on all cores."""
    started = time.perf_counter()
    graph = hnswlib.Index("ip", DIM)
    graph.init_index(len(vectors), M=LINKS, ef_construction=BUILD_CANDIDATES, random_seed=0)
    graph.add_items(vectors, num_threads=os.cpu_count())
    seconds = time.perf_counter() - started
    graph.save_index(str(folder / "hnswlib"))

    def search(query: Floats) -> Found:
        return np.asarray(graph.knn_query(query, K, num_threads=1)[0][0])

    contest.enter("hnswlib", contest.tuned(search, graph.set_ef), seconds, (folder / "hnswlib").stat().st_size)


def enter_usearch(contest: Contest, vectors: Floats, folder: Path) -> None:
    """Built on all cores."""
    started = time.perf_counter()
    graph = Index(ndim=DIM, metric="ip", dtype="f32", connectivity=LINKS, expansion_add=BUILD_CANDIDATES)
    graph.add(np.arange(len(vectors)), vectors, threads=os.cpu_count() or 0)
    seconds = time.perf_counter() - started
    graph.save(str(folder / "usearch"))

    def set_effort(effort: int) -> None:
        graph.expansion_search = effort

    def search(query: Floats) -> Found:
        return np.asarray(graph.search(query, K, threads=1).keys, dtype=np.int64)

    contest.enter("usearch", contest.tuned(search, set_effort), seconds, (folder / "usearch").stat().st_size)


def main(sizes: Sequence[int]) -> None:
    """Measure at each size, and print a table."""
    report = Report("search")
    for rows in sizes:
        vectors, queries = make_vectors(rows)
        contest = Contest(vectors, queries, report)
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as others:
            enter_ours(contest, vectors, queries, Path(folder), report)
            enter_exact(contest, vectors)
            enter_hnswlib(contest, vectors, Path(others))
            enter_usearch(contest, vectors, Path(others))
            contest.run()
    report.finish()


if __name__ == "__main__":
    main([int(rows) for rows in sys.argv[1:]] or ROWS)

"""Measures records in a SQLite file and in PostgreSQL: how fast they are written, how large, how soon found.

Made up like those of Pascal VOC: 20 classes of falling frequency, two objects to an image, poses and splits.
PostgreSQL is that of LOOKALIKE_TEST_POSTGRES, or one of its own in a temporary folder, as it comes and on this
machine. `python -m tests.bench_records 100000` measures that number of images alone.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from indexer import database
from indexer.catalogue import Catalogue
from indexer.database import Database
from indexer.filters import Filters
from indexer.records import Box, IndexedImage, ObjectLabel
from indexer.voc import CLASS_NAMES
from tests.measuring import Report, Taken, ratios, take_turns
from tests.postgres import VARIABLE, ask, new_database, programs, running_server

IMAGES = (100_000, 1_000_000)
PAGE, ROUNDS, REPEATS = 24, 5, 20
FILE, SERVER = "sqlite", "postgresql"
POSES = (None, "Unspecified", "Frontal", "Left")
FILTERS = Filters(class_any=("cat",), split=("train",), truncated=False, min_share=0.05)

Ask = Callable[[Database], object]


def make_images(count: int) -> list[IndexedImage]:
    """Images of two objects each, always the same."""
    generator = np.random.default_rng(0)
    odds = 1 / np.arange(1, len(CLASS_NAMES) + 1)
    classes = generator.choice(CLASS_NAMES, 2 * count, p=odds / odds.sum()).tolist()
    corners = np.sort(generator.integers(0, 300, (2 * count, 2, 2)), axis=1)
    corners[:, 1] += 1
    flags = (generator.random((2 * count, 3)) < (0.4, 0.1, 0.1)).tolist()
    labels = [
        ObjectLabel(name, Box(*map(float, box.ravel().tolist())), POSES[number % 4], *told)
        for number, (name, box, told) in enumerate(zip(classes, corners, flags, strict=True))
    ]
    return [
        IndexedImage(
            image_id=number, filename=f"2012_{number:09d}.jpg", sha256=f"{number:064x}",
            split=("train", "val", None)[number % 3], width=500, height=375,
            objects=(labels[2 * number], labels[2 * number + 1]),
        )
        for number in range(count)
    ]  # fmt: skip


def questions(count: int) -> dict[str, Ask]:
    """What a page of search asks for."""
    ids = np.random.default_rng(1).integers(0, count, PAGE).tolist()
    return {
        f"images({PAGE} ids)": lambda read: read.images(ids),
        "ids of a filter": lambda read: read.matching_images(FILTERS),
        "ids of its objects": lambda read: read.matching_objects(FILTERS),
        "count of a filter": lambda read: read.matching_images_count(FILTERS, ids),
    }


def measure(count: int, url: str, report: Report) -> None:
    """Write to both, and ask both in turns."""
    before, size = psutil.Process().memory_info().rss, f"{count:,} images"
    images = make_images(count)
    report.add(f"{size}, in memory", "MB", [(psutil.Process().memory_info().rss - before) / 1e6])
    catalogue = Catalogue(url, "bench", timeout=60)
    catalogue.migrate()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metadata.sqlite"
        written = {
            FILE: lambda: database.write(path, images, []),
            SERVER: lambda: catalogue.write_records(1, images, []),
        }
        for side, write in written.items():
            report.add(f"{size}, {side}, written", "rows/s", [3 * count / seconds(write)])
        report.add(f"{size}, {FILE}, size", "MB", [path.stat().st_size / 1e6])
        report.add(f"{size}, {SERVER}, size", "MB", [schema_bytes(url) / 1e6])
        opened = {FILE: Database(path), SERVER: catalogue.open_records(1)}
        for name, asked in questions(count).items():
            tell(f"{size}, {name}", take_turns(asking(opened, asked), ROUNDS), report)
        for read in opened.values():
            read.close()
    catalogue.forget()
    catalogue.close()


def asking(opened: dict[str, Database], asked: Ask) -> dict[str, Callable[[], float]]:
    """For each side, what tells the milliseconds of a question."""
    repeats = range(REPEATS)

    def timed(read: Database) -> Callable[[], float]:
        return lambda: 1_000 * seconds(lambda: [asked(read) for _ in repeats]) / REPEATS

    return {side: timed(read) for side, read in opened.items()}


def tell(name: str, taken: Taken, report: Report) -> None:
    """Both sides' figures, and how they compare."""
    for side, values in taken.items():
        report.add(f"{name}, {side}", "ms", values)
    report.add(f"{name}, {SERVER} / {FILE}", "times", ratios(taken[SERVER], taken[FILE]))


def seconds(act: Callable[[], object]) -> float:
    """That an act takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def schema_bytes(url: str) -> int:
    """Of the tables and indexes of the first generation."""
    asked = (
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    )
    ((found,),) = ask(url, f"{asked} WHERE c.relkind = 'r' AND n.nspname = 'lookalike_bench_000001'")
    return int(str(found))


@contextmanager
def server() -> Iterator[str]:
    """The URL of the one that is named, or of one of its own."""
    found = programs()
    if os.environ.get(VARIABLE) or found is None:
        yield os.environ[VARIABLE]
    else:
        with running_server(found) as url:
            yield url


def main(sizes: Sequence[int]) -> None:
    """Measure at each size, and print a table."""
    report = Report("records")
    with server() as url, new_database(url) as own:
        for count in sizes:
            measure(count, own, report)
    report.finish()


if __name__ == "__main__":
    main([int(rows) for rows in sys.argv[1:]] or IMAGES)

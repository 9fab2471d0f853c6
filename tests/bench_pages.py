"""Measures pages and filtered search on collections of made-up vectors; `./scripts/bench pages` runs it.

Each page is opened in a browser that has seen nothing before, and is ready when its load event ends; the map, when
its points are drawn and it listens. Prints medians in milliseconds, and the spread.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from indexer.command_line import table
from indexer.filters import Filters
from search_service.engine import SearchEngine
from search_service.records import IndexedPicture, Query, Wishes
from search_service.settings import Settings
from tests.browsing import DESKTOP, launch
from tests.synthetic import make_collection
from tests.test_serve import free_port

ROUNDS, SEARCHES = 7, 25
IMAGES, POINTS = 17_000, 20_000

FILTERS = {
    "class car": Filters(class_any=("car",)),
    "class car or dog, split val": Filters(class_any=("car", "dog"), split=("val",)),
    "cars and dogs": Filters(class_all=("car", "dog")),
    "no person": Filters(class_none=("person",)),
    "not truncated": Filters(truncated=False),
    "dog facing left, a tenth of the picture": Filters(class_any=("dog",), pose=("Left",), min_share=0.1),
    "none": Filters(),
}

Row = tuple[str, ...]


def summarise(name: str, taken: list[float]) -> Row:
    """Name, median, least and most."""
    return (name, *(f"{value:.1f}" for value in (statistics.median(taken), min(taken), max(taken))))


def measure_searches(path: Path) -> list[Row]:
    """Filtered search inside the engine: the filter's SQL, made anew each time, and the search of what it left."""
    engine = SearchEngine.open(Settings(collection=path))
    rows = []
    for name, filters in FILTERS.items():
        taken = []
        for number in range(SEARCHES):
            engine.collection.matching_images.cache_clear()
            answer = engine.answer(Query((IndexedPicture(number * 7),)), Wishes(filters=filters, localize=False))
            taken.append(answer.timings.stages["search"])
        rows.append(summarise(f"search, {name} ({answer.searched:,} left)", taken))
    engine.close()
    return rows


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address of a service of its own over a collection."""
    port = free_port()
    command = [sys.executable, "-m", "search_service", "serve", "--collection", str(path), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline() if server.stdout else None
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def open_cold(browser: Browser, address: str, ready: Callable[[Page], object]) -> float:
    """Milliseconds from the request until the page is ready, in a browser without a cache."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    started = time.perf_counter()
    page.goto(address, wait_until="load")
    ready(page)
    taken = 1_000 * (time.perf_counter() - started)
    context.close()
    return taken


def measure_pages(browser: Browser, address: str, pages: dict[str, str]) -> list[Row]:
    """Each page in turn, round by round."""
    taken: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(ROUNDS):
        for name, path in pages.items():
            taken[name].append(open_cold(browser, address + path, lambda _: None))
    return [summarise(name, times) for name, times in taken.items()]


def measure_map(browser: Browser, address: str) -> list[Row]:
    """The map, until it is drawn and can be used."""
    times = [
        open_cold(browser, f"{address}/map", lambda page: page.wait_for_selector(".map.drawn"))
        for _ in range(ROUNDS)
    ]
    return [summarise(f"map of {POINTS:,} points, usable", times)]


def main() -> None:
    """Measure all of it, and print a table."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright)
        pages_of = make_collection(Path(folder) / "pages" / "collection", IMAGES)
        rows = measure_searches(pages_of)
        with served(pages_of) as address:
            rows += measure_pages(
                browser,
                address,
                {
                    "first page": "/",
                    "answer, 24 results": "/?positive=12",
                    "answer, 96 results": "/?positive=12&k=96",
                    "picture": "/images/12",
                    "browse, filtered": "/browse?class=dog&truncated=false",
                },
            )
        with served(make_collection(Path(folder) / "map" / "collection", POINTS)) as address:
            rows += measure_map(browser, address)
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; {IMAGES:,} images")  # noqa: T201
    print(table(rows, ("ms", "median", "least", "most")))  # noqa: T201


if __name__ == "__main__":
    main()

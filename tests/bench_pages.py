"""Measures pages and filtered search on collections of made-up vectors; `./scripts/bench pages` runs it.

Each page is opened in a browser that has seen nothing before, and is ready when its load event ends; the map, when
its points are drawn and it listens. Prints medians in milliseconds, and the spread.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from indexer.filters import Filters
from search_service.engine import SearchEngine
from search_service.records import IndexedPicture, Query, Wishes
from search_service.settings import Settings
from tests.browsing import DESKTOP, launch
from tests.load import served
from tests.measuring import Report, Taken, take_turns
from tests.synthetic import make_collection

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
PAGES = {
    "first page": "/",
    "answer, 24 results": "/?positive=12",
    "answer, 96 results": "/?positive=12&k=96",
    "picture": "/images/12",
    "browse, filtered": "/browse?class=dog&truncated=false",
}


def measure_searches(path: Path) -> Taken:
    """Filtered search inside the engine: the filter's SQL, made anew each time, and the search of what it left."""
    engine = SearchEngine.open(Settings(collection=path))
    taken: Taken = {}
    for name, filters in FILTERS.items():
        times = []
        for number in range(SEARCHES):
            engine.collection.matching_images.cache_clear()
            answer = engine.answer(Query((IndexedPicture(number * 7),)), Wishes(filters=filters, localize=False))
            times.append(answer.timings.stages["search"])
        taken[f"search, {name} ({answer.searched:,} left)"] = times
    engine.close()
    return taken


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


def measure_pages(browser: Browser, address: str, pages: dict[str, str]) -> Taken:
    """Each page in turn, round by round."""
    return take_turns(
        {name: partial(open_cold, browser, address + path, lambda _: None) for name, path in pages.items()}, ROUNDS
    )


def measure_map(browser: Browser, address: str) -> Taken:
    """The map, until it is drawn and can be used."""
    times = [
        open_cold(browser, f"{address}/map", lambda page: page.wait_for_selector(".map.drawn"))
        for _ in range(ROUNDS)
    ]
    return {f"map of {POINTS:,} points, usable": times}


def main() -> None:
    """Measure all of it, and print a table."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright)
        pages_of = make_collection(Path(folder) / "pages" / "collection", IMAGES)
        taken = measure_searches(pages_of)
        with served(pages_of) as port:
            taken |= measure_pages(browser, f"http://127.0.0.1:{port}", PAGES)
        with served(make_collection(Path(folder) / "map" / "collection", POINTS)) as port:
            taken |= measure_map(browser, f"http://127.0.0.1:{port}")
    report = Report("pages")
    for name, times in taken.items():
        report.add(name, "ms", times)
    report.finish()


if __name__ == "__main__":
    main()

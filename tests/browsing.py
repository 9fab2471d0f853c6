"""A real browser on a real server: pages that note every console error, failed request and violation."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Playwright, Request, Response, ViewportSize
from werkzeug.serving import make_server

SCREENSHOTS = Path(__file__).parents[1] / "artifacts" / "screenshots"
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_DRIVER_TALK = "GL Driver Message"  # what WebGL without a graphics card says of its own speed
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


def find_chromium() -> str | None:
    """Path of the system's Chromium: that of LOOKALIKE_CHROMIUM, or the first on PATH."""
    return os.environ.get("LOOKALIKE_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium without a window; the test is skipped where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on PATH and none in LOOKALIKE_CHROMIUM; ./scripts/test installs it as root")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=path, args=as_root)


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The address of an application that is served for as long as the block runs."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Visitor:
    """Someone with a browser: opens pages of one server, and notes what goes wrong there.

    Attributes:
        page: of Playwright.
        troubles: console errors, uncaught errors, failed requests and answers above 399, in words.
        expected: status codes that are no trouble in this test.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.troubles: list[str] = []
        self.expected: set[int] = set()
        page.on("console", self._note_message)
        page.on("pageerror", self._note_error)
        page.on("requestfailed", self._note_failure)
        page.on("response", self._note_status)
        page.on("request", self._note_stranger)

    def open(self, path: str) -> Page:
        """Go to a page, and wait until it and the pictures in sight are there."""
        self.page.goto(self.address + path)
        return self.page

    def look(self, name: str) -> Path:
        """Keep a picture of what is seen, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=True)
        return path

    def violations(self) -> list[str]:
        """What axe-core finds that keeps people from using the page."""
        found: list[dict[str, Any]] = Axe().run(self.page, options=_RULES).response["violations"]
        return [f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:3]}" for one in found]

    def _note_message(self, message: ConsoleMessage) -> None:
        known = any(f"status of {status}" in message.text for status in self.expected)
        if message.type in ("error", "warning") and not known and _DRIVER_TALK not in message.text:
            self.troubles.append(f"console: {message.text}")

    def _note_error(self, error: Error) -> None:
        self.troubles.append(f"uncaught: {error}")

    def _note_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the visitor went on before it was there
            self.troubles.append(f"failed: {request.url} {request.failure}")

    def _note_status(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.troubles.append(f"status {response.status}: {response.url}")

    def _note_stranger(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.troubles.append(f"request to elsewhere: {request.url}")

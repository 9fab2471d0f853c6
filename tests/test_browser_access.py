"""A service with keys in a real browser, which asks its user for one and sends it as a password."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from search_service.access import Access
from search_service.api_keys import read_keys
from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.settings import Settings
from tests import browsing
from tests.browsing import Visitor
from tests.keys import READER, key_file

CREDENTIALS = {"username": "anyone", "password": READER}


@pytest.fixture(scope="module")
def guarded_site(mapped_engine: SearchEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that asks for a key."""
    access = Access(keys=read_keys(key_file(tmp_path_factory.mktemp("keys"))))
    app = create_app(mapped_engine, Settings(collection=mapped_engine.collection.path, access=access))
    with browsing.serving(app) as address:
        yield address


@pytest.mark.parametrize("first", ["/", "/images/3", "/browse?class=dog", "/quality", "/api/docs"])
def test_a_page_comes_whole_with_a_key_for_password_whichever_is_opened_first(
    visit: Callable[..., Visitor], guarded_site: str, first: str
) -> None:
    visitor = visit(guarded_site, http_credentials=CREDENTIALS)
    visitor.expected = {401}

    page = visitor.open(first)

    page.wait_for_load_state("networkidle")
    broken = "[...document.images].filter((one) => one.complete && !one.naturalWidth).map((one) => one.src)"
    assert page.evaluate(broken) == []


def test_the_map_is_drawn_with_a_key_for_password(visit: Callable[..., Visitor], guarded_site: str) -> None:
    visitor = visit(guarded_site, http_credentials=CREDENTIALS)
    visitor.expected = {401}

    page = visitor.open("/map")

    expect(page.locator(".map-state")).to_be_hidden()


def test_a_picture_is_sent_with_a_key_for_password(
    visit: Callable[..., Visitor], guarded_site: str, devkit: Path
) -> None:
    visitor = visit(guarded_site, http_credentials=CREDENTIALS)
    visitor.expected = {401}
    page = visitor.open("/")

    page.set_input_files("input[type=file]", devkit / "JPEGImages/000008.jpg")

    page.wait_for_url("**/?positive=~*")
    expect(page.locator(".gallery .card-link").first).to_be_visible()


def test_who_is_not_let_in_sees_a_page_that_tells_nothing_of_the_collection(
    visit: Callable[..., Visitor], guarded_site: str
) -> None:
    visitor = visit(guarded_site)
    visitor.expected = {404}

    page = visitor.open("/static/nowhere.css")

    expect(page.get_by_role("heading")).to_have_text("Not answered")
    assert "generation" not in page.content()
    visitor.look("not-answered")
    assert visitor.violations() == []

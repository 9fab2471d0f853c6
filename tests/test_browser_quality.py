"""The quality page in a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.settings import Settings
from tests import browsing
from tests.browsing import PHONE, Visitor

_FITS = "document.documentElement.scrollWidth <= window.innerWidth"


@pytest.fixture(scope="module")
def evaluated_site(evaluated_path: Path) -> Iterator[str]:
    """The address of the service over the evaluated collection."""
    with browsing.serving(create_app(SearchEngine.open(Settings(collection=evaluated_path)))) as address:
        yield address


@pytest.fixture
def guest(visit: Callable[..., Visitor], evaluated_site: str) -> Visitor:
    """A visitor of it at a desk."""
    return visit(evaluated_site)


def test_the_page_is_whole_and_usable(guest: Visitor) -> None:
    page = guest.open("/quality")

    assert page.get_by_role("heading", level=2).all_inner_texts() == [
        "Search", "The main object", "What is taken for what", "All objects", "The worst mistakes",
    ]  # fmt: skip
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    guest.look("quality")
    assert guest.violations() == []


def test_a_number_of_the_matrix_leads_to_its_pictures_and_back(guest: Visitor) -> None:
    page = guest.open("/quality")
    everything = page.locator(".mistake").count()

    cell = page.locator(".matrix td.wrong a").first
    count = int(cell.inner_text())
    cell.click()
    page.wait_for_url("**/quality?true=*&predicted=*#mistakes")
    assert page.locator(".mistake").count() == count
    assert page.get_by_role("heading", name="The worst mistakes").is_visible()
    assert page.locator(".matrix a[aria-current=true]").count() == 1
    picture = page.locator(".mistake img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert picture.evaluate("image => image.naturalWidth") > 0
    guest.look("quality-filtered")

    page.locator(".mistake a").first.click()
    page.wait_for_url("**/images/*")
    page.go_back()
    assert page.locator(".mistake").count() == count
    page.go_back()
    page.wait_for_url("**/quality")
    assert page.locator(".mistake").count() == everything


def test_mistakes_and_curve_are_chosen_by_the_keyboard(guest: Visitor) -> None:
    page = guest.open("/quality")

    page.get_by_label("Wrong is").select_option("class")
    page.locator("#mistakes button").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/quality?wrong=class#mistakes")
    chosen = page.get_by_label("Curve of").evaluate("select => select.options[1].value")
    page.get_by_label("Curve of").select_option(chosen)
    page.locator("#objects button").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/quality?wrong=class&class={chosen}#objects")
    assert page.get_by_role("img", name=f"Precision against recall of {chosen}").is_visible()
    assert page.get_by_label("Wrong is").input_value() == "class"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_tables_and_not_the_page(
    visit: Callable[..., Visitor], evaluated_site: str, scheme: str
) -> None:
    guest = visit(evaluated_site, viewport=PHONE, color_scheme=scheme)

    page = guest.open("/quality")

    assert page.evaluate(_FITS)
    matrix = page.get_by_role("region", name="What is taken for what")
    matrix.evaluate("one => one.addEventListener('scroll', () => one.classList.add('scrolled'))")
    matrix.focus()
    page.keyboard.press("ArrowRight")
    page.locator(".scrolling.scrolled").wait_for()
    guest.look(f"quality-phone-{scheme}")
    assert scheme == "light" or guest.violations() == []  # the light page is asked at a desk


def test_nothing_measured_yet_is_a_page_too(visitor: Visitor) -> None:
    page = visitor.open("/quality")

    assert page.get_by_role("heading", name="Nothing has been measured yet").is_visible()
    visitor.look("quality-nothing")
    assert visitor.violations() == []

"""Searching in a real browser: by every way in, on every kind of page."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from search_service.app import create_app
from search_service.engine import SearchEngine
from tests import browsing
from tests.browsing import PHONE, Visitor

PLAIN = {
    "answer": "/?positive=3",
    "picture": "/images/3",
    "browse": "/browse",
    "map": "/map",
    "quality": "/quality",
}
PAGES = {
    "start": "/",
    "answer": "/?positive=3&negative=7&class=dog&split=train",
    "picture": "/images/3",
    "browse": "/browse?class=dog",
    "docs": "/api/docs",
    "nothing-left": "/?positive=3&min_objects=50",
    "beyond-the-last": "/?positive=3&offset=120",
}
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {}, "phone": {"viewport": PHONE, "has_touch": True}, "dark": {"color_scheme": "dark"},
}  # fmt: skip
REFUSED = {"unknown-image": ("/images/4000", 404), "bad-filter": ("/browse?class=unicorn", 400)}

DROP = """([name, base64, kind]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
    : new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


def picture(devkit: Path, number: int = 8) -> Path:
    return devkit / f"JPEGImages/{number:06d}.jpg"


def found(page: Page) -> list[str]:
    """Addresses of the results."""
    links = page.locator(".gallery .card-link").all()
    return [link.get_attribute("href") or "" for link in links]


def upload(visitor: Visitor, *files: Path) -> Page:
    page = visitor.open("/")
    page.set_input_files("input[type=file]", files)
    page.wait_for_url("**/?positive=~*")
    return page


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_usable_by_all(visit: Callable[..., Visitor], site: str, name: str, look: str) -> None:
    visitor = visit(site, **LOOKS[look])

    page = visitor.open(PAGES[name])

    visitor.look(f"{name}-{look}")
    assert visitor.violations() == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("look", ["desktop", "phone", "dark"])
def test_pages_without_annotations_are_whole(visit: Callable[..., Visitor], plain_site: str, look: str) -> None:
    visitor = visit(plain_site, **LOOKS[look])

    for name, address in PLAIN.items():
        page = visitor.open(address)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        visitor.look(f"plain-{name}-{look}")
        assert visitor.violations() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", REFUSED)
def test_an_error_has_a_face(visitor: Visitor, name: str) -> None:
    address, status = REFUSED[name]
    visitor.expected = {status}

    page = visitor.open(address)

    expect(page.get_by_role("alert")).to_contain_text("Expected")
    visitor.look(name)
    assert visitor.violations() == []


def test_a_chosen_picture_is_searched_with_at_once_and_shown_again(visitor: Visitor, devkit: Path) -> None:
    page = upload(visitor, picture(devkit))

    assert found(page)[0].startswith("/images/8?")
    expect(page.locator(".query .drawable img")).to_have_attribute("src", re.compile("^data:image/jpeg"))
    visitor.look("uploaded")
    assert visitor.violations() == []


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_dropped_or_pasted_picture_is_searched_with(visitor: Visitor, devkit: Path, way: str) -> None:
    page = visitor.open("/")
    data = picture(devkit).read_bytes()
    page.evaluate(DROP, ["a.jpg", base64.b64encode(data).decode(), way])
    page.wait_for_url("**/?positive=~*")

    assert found(page)[0].startswith("/images/8?")


def test_a_picture_held_over_the_page_is_invited(visitor: Visitor) -> None:
    page = visitor.open("/")

    page.evaluate(DROP, ["a.jpg", "", "dragover"])

    expect(page.locator(".drop-hint")).to_be_visible()


def test_several_chosen_pictures_search_together(visitor: Visitor, devkit: Path) -> None:
    page = upload(visitor, picture(devkit, 8), picture(devkit, 9))

    assert {address.partition("?")[0] for address in found(page)[:2]} == {"/images/8", "/images/9"}
    expect(page.locator(".parts li")).to_have_count(2)


def test_a_file_that_is_no_picture_is_told_about(visitor: Visitor, tmp_path: Path) -> None:
    visitor.expected = {400}
    (tmp_path / "text.jpg").write_text("no picture")
    page = visitor.open("/")

    page.set_input_files("input[type=file]", tmp_path / "text.jpg")

    expect(page.get_by_role("alert")).to_contain_text("Expected a picture")


def test_an_uploaded_picture_stays_beside_its_results_through_filters_reload_and_back(
    visitor: Visitor, devkit: Path
) -> None:
    page = upload(visitor, picture(devkit))
    first = page.url
    page.locator(".filters summary").click()
    page.get_by_role("group", name="Split").get_by_label("train").check()
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**split=train**")

    for step in (lambda: None, page.reload, page.go_back):
        step()
        page.wait_for_load_state()
        expect(page.locator(".query .drawable img")).to_have_attribute("src", re.compile("^data:image/jpeg"))

    assert page.url == first
    assert found(page)[0].startswith("/images/8?")


def test_a_picture_sent_as_less_like_this_is_in_the_address_too(visitor: Visitor, devkit: Path) -> None:
    page = visitor.open("/?positive=3")
    page.get_by_label("Take it as").select_option("negative")

    page.set_input_files("input[type=file]", picture(devkit))

    expect(page).to_have_url(re.compile(r"/\?positive=3&negative=~"))


def test_all_uploaded_pictures_stay_and_what_was_seen_in_the_first(visitor: Visitor, devkit: Path) -> None:
    page = upload(visitor, picture(devkit, 8), picture(devkit, 9))

    page.reload()

    expect(page.locator(".parts img")).to_have_count(2)
    expect(page.locator(".query dl")).to_contain_text("Main object")
    expect(page.get_by_role("checkbox", name="predicted")).to_be_visible()
    page.get_by_role("link", name="Remove from the query: your picture").first.click()
    expect(page.locator(".query .large img")).to_be_visible()


def test_the_link_of_an_uploaded_picture_shows_its_results_to_others(
    visitor: Visitor, visit: Callable[..., Visitor], site: str, devkit: Path
) -> None:
    page = upload(visitor, picture(devkit))

    other = visit(site).open(page.url.removeprefix(site))

    assert found(other) == found(page)
    expect(other.locator(".forgotten")).to_be_visible()


def test_boxes_are_switched_off_and_stay_so(visitor: Visitor) -> None:
    page = visitor.open("/images/3")

    page.get_by_role("checkbox", name="true boxes").uncheck()
    page.reload()

    expect(page.locator(".large .true-box").first).to_be_hidden()
    expect(page.get_by_role("checkbox", name="true boxes")).not_to_be_checked()


def test_a_box_that_was_found_is_hidden_by_the_switch_for_true_boxes_on_every_page_that_follows(
    visit: Callable[..., Visitor], objects_site: str
) -> None:
    visitor = visit(objects_site)
    page = visitor.open("/?positive=3&target=objects")
    visitor.look("objects")
    assert visitor.violations() == []

    page.get_by_role("checkbox", name="true boxes").uncheck()
    expect(page.locator(".card .match-box").first).to_be_hidden()

    page.locator(".card-link").first.click()
    page.wait_for_url("**/images/*box=*")
    expect(page.get_by_role("checkbox", name="true boxes")).not_to_be_checked()
    expect(page.locator(".card rect").first).to_be_hidden()
    expect(page.locator(".large .region-box")).to_be_visible()
    visitor.look("picture-of-an-object")
    page.get_by_role("checkbox", name="true boxes").check()
    page.go_back()
    expect(page.get_by_role("checkbox", name="true boxes")).to_be_checked()
    expect(page.locator(".card .match-box").first).to_be_visible()


def test_predicted_boxes_are_switched_beside_the_picture_that_has_them(visitor: Visitor) -> None:
    page = visitor.open("/?positive=3")

    page.locator(".query").get_by_role("checkbox", name="predicted boxes").uncheck()

    expect(page.locator(".query .predicted-box").first).to_be_hidden()
    page.reload()
    expect(page.locator(".query .predicted-box").first).to_be_hidden()
    assert page.locator(".results").get_by_role("checkbox", name="predicted boxes").count() == 0


def test_an_uploaded_picture_keeps_its_thumbnail_when_another_joins_it(visitor: Visitor, devkit: Path) -> None:
    page = upload(visitor, picture(devkit))

    page.locator(".card").nth(1).hover()
    page.get_by_role("link", name=re.compile("^More like")).nth(1).click()
    page.wait_for_url(re.compile("positive=~.*&positive="))

    chips = page.locator(".parts img")
    expect(chips).to_have_count(2)
    expect(chips.first).to_have_attribute("src", re.compile("^data:image/jpeg"))
    assert page.locator(".no-preview").count() == 0
    visitor.look("uploaded-and-another")


def test_pictures_that_no_longer_fit_beside_the_newest_are_forgotten_oldest_first(
    visitor: Visitor, devkit: Path
) -> None:
    page = upload(visitor, picture(devkit))
    page.evaluate(
        "sessionStorage.setItem('filler', 'x'.repeat(5_000_000 - JSON.stringify(sessionStorage).length))"
    )

    page.set_input_files("input[type=file]", picture(devkit, 9))
    page.wait_for_function("document.querySelector('.drawable img')?.src.startsWith('data:')")
    newest = page.locator(".query .drawable img").get_attribute("src")
    page.wait_for_url("**/?positive=~*")
    page.reload()

    assert newest
    expect(page.locator(".query .large")).to_be_visible()


def test_previous_and_next_go_through_the_results_and_back(visitor: Visitor) -> None:
    page = visitor.open("/?positive=3&split=train")
    shown = found(page)

    page.locator(".card-link").first.click()
    page.wait_for_url("**/images/**")
    page.get_by_role("link", name="Next →").click()
    page.wait_for_url("**at=1")

    assert page.url.endswith(shown[1])
    page.get_by_role("link", name="Back to the results").click()
    page.wait_for_url("**/?positive=3&split=train")


def test_filters_narrow_the_results_and_chips_take_them_back(visitor: Visitor) -> None:
    page = visitor.open("/?positive=3")
    page.locator(".filters summary").click()
    page.locator("fieldset", has_text="With objects of").get_by_role("checkbox", name="dog").check()
    page.get_by_label("truncated").select_option("no")
    visitor.look("filters-open")
    assert visitor.violations() == []
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**class=dog**")

    assert "min_objects" not in page.url
    assert "class_match" not in page.url
    page.get_by_role("link", name="Remove the filter: not truncated").click()
    page.wait_for_url("**/?positive=3&class=dog")
    page.go_back()
    expect(page.get_by_role("link", name="Remove the filter: not truncated")).to_be_visible()


def test_more_and_less_like_this_build_a_query_and_back_undoes_it(visitor: Visitor) -> None:
    page = visitor.open("/?positive=3")
    page.locator(".card").nth(1).hover()
    page.get_by_role("link", name=re.compile("^More like")).nth(1).click()
    page.wait_for_url(re.compile("positive=.*positive="))
    page.get_by_role("link", name=re.compile("^Less like")).nth(4).click()
    page.wait_for_url("**negative=**")

    expect(page.locator(".parts li")).to_have_count(3)
    visitor.look("several")
    page.go_back()
    expect(page.locator(".parts li")).to_have_count(2)
    page.get_by_role("link", name=re.compile("^Remove from the query")).first.click()
    expect(page.locator(".parts li")).to_have_count(0)


def test_results_are_paged_through_by_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.open("/?positive=3")
    first = found(page)

    page.get_by_role("link", name="Next →").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**offset=24**")

    assert not set(first) & set(found(page))


def test_the_keyboard_reaches_the_content_past_the_header(visitor: Visitor) -> None:
    page = visitor.open("/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    assert page.evaluate("location.hash") == "#main"


def test_without_javascript_a_search_works_all_the_same(
    visit: Callable[..., Visitor], site: str, devkit: Path
) -> None:
    page = visit(site, java_script_enabled=False).open("/")

    page.set_input_files("input[type=file]", picture(devkit))
    page.get_by_role("button", name="Search", exact=True).click()

    assert found(page)[0].startswith("/images/8?")


def test_without_heads_pages_say_what_is_missing(visit: Callable[..., Visitor], engine: SearchEngine) -> None:
    with browsing.serving(create_app(engine)) as address:
        visitor = visit(address)
        page = visitor.open("/images/3")

        expect(page.get_by_text("No head is trained")).to_be_visible()
        visitor.look("no-head")
        assert visitor.violations() == []


def test_nothing_moves_for_those_who_ask_for_stillness(visit: Callable[..., Visitor], site: str) -> None:
    page = visit(site, reduced_motion="reduce").open("/")

    page.locator(".card").first.hover()

    assert page.locator(".card").first.evaluate("card => getComputedStyle(card).transform") == "none"


def test_thumbnails_below_the_fold_wait_until_they_are_needed(visitor: Visitor) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))

    page = visitor.open("/?positive=3&k=48")

    cards = page.locator(".card img")
    assert cards.count() == 39
    assert cards.nth(38).get_attribute("loading") == "lazy"
    again = [url for url in asked if "/thumbnail" in url]
    asked.clear()
    page.reload()
    page.wait_for_load_state()
    assert not [url for url in asked if url in again and "?v=" not in url]

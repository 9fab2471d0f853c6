"""Drawing regions in a real browser: by mouse, by finger and by keyboard."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browsing import PHONE, Visitor
from tests.test_browser_search import picture, upload


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Over the large picture, in shares of its sides."""
    frame = page.locator(".drawable").bounding_box()
    assert frame is not None
    at = [(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=4)
    page.mouse.up()


def test_a_region_drawn_by_mouse_is_searched_with(visitor: Visitor) -> None:
    page = visitor.open("/?positive=3")

    drag(page, (0.1, 0.2), (0.6, 0.7))
    visitor.look("region-drawn")
    page.get_by_role("button", name="Search region").click()
    page.wait_for_url("**region_of=3**")

    expect(page.locator(".query dd", has_text=re.compile(r"^\d+, \d+, \d+, \d+$"))).to_be_visible()
    assert page.locator(".region-box").count() == 1


def test_a_region_drawn_on_an_uploaded_picture_is_searched_with(visitor: Visitor, devkit: Path) -> None:
    page = upload(visitor, picture(devkit))
    whole = page.url

    drag(page, (0.1, 0.1), (0.5, 0.6))
    page.get_by_role("button", name="Search region").click()
    page.wait_for_function("url => location.href !== url", arg=whole)

    expect(page.locator(".query dt", has_text="Region")).to_be_visible()
    expect(page.locator(".query .drawable img")).to_have_attribute("src", re.compile("^data:image/jpeg"))


def test_a_region_is_drawn_by_a_finger_where_it_is_asked_for(visit: Callable[..., Visitor], site: str) -> None:
    visitor = visit(site, viewport=PHONE, has_touch=True, is_mobile=True)
    page = visitor.open("/?positive=3")
    page.get_by_role("button", name="Draw a region").click()
    before = page.locator("input[name=box]").input_value()
    frame = page.locator(".drawable").bounding_box()
    assert frame is not None

    touch = page.context.new_cdp_session(page)
    for kind, share in (("touchStart", 0.2), ("touchMove", 0.5), ("touchMove", 0.8), ("touchEnd", None)):
        points = (
            [{"x": frame["x"] + share * frame["width"], "y": frame["y"] + share * frame["height"]}]
            if share
            else []
        )
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    assert page.locator("input[name=box]").input_value() != before
    visitor.look("region-by-finger")


def test_a_region_is_placed_sized_and_searched_with_by_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.open("/?positive=3")
    page.get_by_role("button", name="Draw a region").focus()
    page.keyboard.press("Enter")
    middle = page.locator("input[name=box]").input_value()

    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    moved = page.locator("input[name=box]").input_value()
    page.keyboard.press("Enter")
    page.wait_for_url("**region_of=3**")

    left, top, right, bottom = (int(corner) for corner in middle.split(","))
    corners = [int(corner) for corner in moved.split(",")]
    assert corners[0] < left
    assert corners[1] < top
    assert abs(corners[2] - right) <= 1
    assert abs(corners[3] - bottom) <= 1


def test_one_click_on_a_true_box_searches_with_that_object(visitor: Visitor) -> None:
    page = visitor.open("/images/3")

    page.locator(".large a:has(.true-box)").first.click()
    page.wait_for_url("**positive=3@**")

    assert page.locator(".region-box").count() == 1

"""The map in a real browser: pointer, keyboard, colours, selection, and a query on it."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests import draw_programs
from tests.browsing import DESKTOP, PHONE, Visitor

PLOT, CARD, PICKED = ".map-plot", ".map-card", ".map-picked"
DATA = "document.querySelector('.map-points').data"
LAYOUT = "document.querySelector('.map-points').layout"
Visit = Callable[..., Visitor]


@pytest.fixture
def mapped(visit: Visit, mapped_site: str) -> Visitor:
    return visit(mapped_site)


def draw(visitor: Visitor, path: str = "/map") -> Page:
    """Open the page, and wait for the points."""
    visitor.page.goto(visitor.address + path)
    visitor.page.wait_for_selector(".map.drawn")
    return visitor.page


def told_of(page: Page) -> dict[str, list[Any]]:
    data: dict[str, list[Any]] = page.evaluate("fetch('/api/v1/map').then((response) => response.json())")
    return data


def drawn(page: Page) -> list[dict[str, Any]]:
    """The traces as plotly has them."""
    names = "{type, name, x, y, visible, marker, selectedpoints}"
    traces: list[dict[str, Any]] = page.evaluate(f"{DATA}.map(({names}) => ({names}))")
    return traces


def pixel(page: Page, image_id: int) -> tuple[float, float]:
    """Where on the screen a picture's point is."""
    data, frame = told_of(page), page.locator(PLOT).bounding_box()
    (left, right), (bottom, top) = ranges(page)
    assert frame
    across, up = (data["x"][image_id] - left) / (right - left), (data["y"][image_id] - bottom) / (top - bottom)
    return frame["x"] + across * frame["width"], frame["y"] + (1 - up) * frame["height"]


def ranges(page: Page) -> list[list[float]]:
    """The part of the map that is in view: [left, right], [bottom, top]."""
    found: list[list[float]] = page.evaluate(f"[{LAYOUT}.xaxis.range, {LAYOUT}.yaxis.range]")
    return found


def alone(page: Page) -> int:
    """The picture whose point is farthest from the others: no other lies under the pointer."""
    data = told_of(page)
    places = list(zip(data["x"], data["y"], strict=True))
    gaps = [
        min((x - u) ** 2 + (y - v) ** 2 for other, (u, v) in enumerate(places) if other != one)
        for one, (x, y) in enumerate(places)
    ]
    return gaps.index(max(gaps))


def drag(page: Page, *corners: tuple[float, float]) -> None:
    """Press at the first, move over the others, let go at the last; in shares of the map's sides."""
    frame = page.locator(PLOT).bounding_box()
    assert frame
    steps = [(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in corners]
    page.mouse.move(*steps[0])
    page.mouse.down()
    for step in steps[1:]:
        page.mouse.move(*step, steps=4)
    page.mouse.up()


def test_every_picture_is_a_point(mapped: Visitor) -> None:
    page = draw(mapped)

    mapped.look("map")
    traces = drawn(page)
    data = told_of(page)
    assert {trace["type"] for trace in traces} == {"scattergl"}
    assert sum(len(trace["x"]) for trace in traces) == len(data["x"])
    assert [trace["name"] for trace in traces] == [
        name for number, name in enumerate(data["classes"]) if number in data["class"]
    ]
    assert page.locator(".no-webgl").count() == 0
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    left, top = pixel(page, alone(page))
    assert picture.getpixel((round(left), round(top))) != (255, 255, 255)


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_the_map_is_usable_on_every_screen_by_day_and_by_night(
    visit: Visit, mapped_site: str, screen: dict[str, int]
) -> None:
    visitor = visit(mapped_site, viewport=screen, color_scheme="light")
    page = draw(visitor, "/map?positive=3")
    before = [trace["marker"]["color"] for trace in drawn(page)[:-1]]  # the star is the same by day and by night

    visitor.look(f"map-light-{screen['width']}")
    assert visitor.violations() == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => {DATA}[0].marker.color !== {before[0]!r}")

    visitor.look(f"map-dark-{screen['width']}")
    assert not set(before) & {trace["marker"]["color"] for trace in drawn(page)}
    assert visitor.violations() == []


def test_pointing_shows_the_picture_and_a_click_opens_it(mapped: Visitor) -> None:
    page = draw(mapped)
    image_id = alone(page)

    page.mouse.move(*pixel(page, image_id))
    expect(page.locator(CARD)).to_be_visible()
    expect(page.locator(f"{CARD} span")).to_contain_text(f"picture {image_id}")
    expect(page.locator(f"{CARD} img")).to_have_attribute("src", f"/api/v1/images/{image_id}/thumbnail")
    page.mouse.move(5, 5)
    expect(page.locator(CARD)).to_be_hidden()

    page.mouse.click(*pixel(page, image_id))
    page.wait_for_url(f"**/images/{image_id}")


def test_the_wheel_zooms_and_dragging_moves(mapped: Visitor) -> None:
    page = draw(mapped)
    [(left, right), _] = before = ranges(page)

    drag(page, (0.5, 0.5), (0.7, 0.5))
    page.wait_for_function(f"() => {LAYOUT}.xaxis.range[0] < {left}")
    assert ranges(page)[0][1] - ranges(page)[0][0] == pytest.approx(right - left)
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"() => {LAYOUT}.xaxis.range[1] - {LAYOUT}.xaxis.range[0] < {0.99 * (right - left)}")

    page.get_by_role("button", name="Whole map").click()
    assert ranges(page) == [pytest.approx(side) for side in before]


def test_a_selection_is_listed_and_leads_on(mapped: Visitor) -> None:
    page = draw(mapped)
    page.get_by_role("button", name="Rectangle").click()

    drag(page, (0.02, 0.02), (0.98, 0.98))

    expect(page.locator(f"{PICKED} h2")).to_have_text("40 pictures selected")
    expect(page.locator(f"{PICKED} li")).to_have_count(40)
    assert (page.locator(f"{PICKED} li a").first.get_attribute("href") or "").startswith("/images/")
    search = page.get_by_role("link", name="Search with the first 10")
    assert (search.get_attribute("href") or "").count("positive=") == 10
    mapped.look("map-selected")
    assert mapped.violations() == []
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(PICKED)).to_be_hidden()
    assert all(trace["selectedpoints"] is None for trace in drawn(page))


def test_a_lasso_takes_what_is_inside(mapped: Visitor) -> None:
    page = draw(mapped)
    page.get_by_role("button", name="Lasso").click()

    drag(page, (0.5, 0.01), (0.99, 0.01), (0.99, 0.99), (0.5, 0.99))

    data, (left, right) = told_of(page), ranges(page)[0]
    inside = [image_id for image_id, x in enumerate(data["x"]) if x > (left + right) / 2]
    expect(page.locator(f"{PICKED} li")).to_have_count(len(inside))
    links = page.locator(f"{PICKED} li a").evaluate_all("(all) => all.map((one) => one.getAttribute('href'))")
    assert sorted(links) == sorted(f"/images/{image_id}" for image_id in inside)


def test_a_large_selection_is_listed_bit_by_bit(mapped: Visitor) -> None:
    page = mapped.page
    count = 150
    side = {"x": list(range(count)), "y": [0] * count, "class": [-1] * count, "split": [-1] * count}
    page.route("**/api/v1/map", lambda route: route.fulfill(json={
        **side, "localized": [-1] * count, "classes": [], "splits": [],
    }))  # fmt: skip
    page.route(
        "**/thumbnail", lambda route: route.fulfill(status=200, content_type="image/svg+xml", body="<svg/>")
    )
    draw(mapped)
    page.get_by_role("button", name="Rectangle").click()

    drag(page, (0.01, 0.2), (0.99, 0.8))

    items = page.locator(f"{PICKED} li")
    expect(items).to_have_count(60)
    page.get_by_role("button", name="Show more").click()
    expect(items).to_have_count(120)
    expect(items.nth(60).get_by_role("link")).to_be_focused()
    page.get_by_role("button", name="Show more").click()
    expect(items).to_have_count(150)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def test_the_colours_are_in_the_address(mapped: Visitor) -> None:
    page = draw(mapped)

    page.get_by_label("Colour by").select_option("split")

    expect(page).to_have_url(f"{mapped.address}/map?colour=split")
    assert {trace["name"] for trace in drawn(page)} == set(told_of(page)["splits"])
    page.mouse.click(*pixel(page, alone(page)))
    page.wait_for_url("**/images/*")
    page.go_back()
    page.wait_for_selector(".map.drawn")
    expect(page.get_by_label("Colour by")).to_have_value("split")
    assert {trace["name"] for trace in drawn(page)} == set(told_of(page)["splits"])
    page.get_by_label("Colour by").select_option("class")
    expect(page).to_have_url(f"{mapped.address}/map")


def test_what_nothing_is_told_of_cannot_be_coloured_by(mapped: Visitor) -> None:
    page = draw(mapped, "/map?colour=localized")

    expect(page.get_by_label("Colour by")).to_have_value("class")
    assert page.locator("option[value=localized]").is_disabled()


def test_right_and_wrong_can_be_told_apart(mapped: Visitor) -> None:
    data = mapped.page.request.get(f"{mapped.address}/api/v1/map").json()
    data["localized"] = [1, 0, *data["localized"][2:]]
    mapped.page.route("**/api/v1/map", lambda route: route.fulfill(json=data))

    page = draw(mapped, "/map?colour=localized")

    groups = {trace["name"]: (len(trace["x"]), trace["marker"]["symbol"]) for trace in drawn(page)}
    assert groups == {"wrong": (1, "diamond"), "right": (1, "circle"), "not tested": (38, "circle")}


def test_groups_can_be_hidden(mapped: Visitor) -> None:
    page = draw(mapped)
    legend = page.get_by_role("group", name="Shown")

    legend.get_by_role("checkbox").first.uncheck()
    assert [trace["visible"] for trace in drawn(page)].count(False) == 1
    legend.get_by_role("button", name="None").click()
    assert not any(trace["visible"] for trace in drawn(page))
    legend.get_by_role("button", name="All").click()
    assert all(trace["visible"] for trace in drawn(page))


def test_the_keyboard_goes_from_picture_to_picture(mapped: Visitor) -> None:
    page = draw(mapped)
    data = told_of(page)
    page.locator("[data-zoom=all]").focus()

    page.keyboard.press("Tab")
    expect(page.locator(".map-cursor")).to_be_visible()
    first = page.locator(".map-heard").inner_text()
    page.keyboard.press("ArrowRight")
    second = page.locator(".map-heard").inner_text()
    page.keyboard.press("Space")
    expect(page.locator(f"{PICKED} h2")).to_have_text("1 picture selected")
    mapped.look("map-keyboard")
    page.keyboard.press("+")
    page.keyboard.press("Enter")

    from_id, to_id = (int(words.split()[-1]) for words in (first, second))
    assert data["x"][to_id] > data["x"][from_id]
    page.wait_for_url(f"**/images/{to_id}")


def test_a_query_is_marked_with_its_neighbours(mapped: Visitor) -> None:
    page = draw(mapped, "/map?positive=3")

    data = told_of(page)
    *_, rings, star = drawn(page)
    assert (star["x"], star["y"]) == (
        [pytest.approx(data["x"][3], abs=1e-2)],
        [pytest.approx(data["y"][3], abs=1e-2)],
    )
    assert len(rings["x"]) == 10
    (left, right), (bottom, top) = ranges(page)
    assert all(left < x < right and bottom < y < top for x, y in zip(rings["x"], rings["y"], strict=True))
    expect(page.locator(f"{PICKED} li")).to_have_count(10)
    page.get_by_role("link", name="Back to the search").click()
    page.wait_for_url("**/?positive=3")


def test_without_a_map_the_page_says_how_to_make_one(visitor: Visitor) -> None:
    page = visitor.open("/map")

    visitor.look("map-none")
    assert "python -m indexer map --collection" in page.locator("main").inner_text()
    assert visitor.violations() == []


def test_what_goes_wrong_is_told(mapped: Visitor) -> None:
    mapped.expected.add(500)
    error = {"error": {"code": "internal_server_error", "message": "the disk is gone"}}
    mapped.page.route("**/api/v1/map", lambda route: route.fulfill(status=500, json=error))

    page = mapped.open("/map")

    expect(page.get_by_role("alert")).to_contain_text("The map could not be drawn: the disk is gone.")
    mapped.look("map-error")


def test_without_webgl_it_is_drawn_all_the_same(mapped: Visitor) -> None:
    mapped.page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        "  return kind.includes('webgl') ? null : get.call(this, kind, ...rest); };"
    )

    page = draw(mapped)

    assert {trace["type"] for trace in drawn(page)} == {"scatter"}
    assert page.locator(".map-points .point").count() == 40


def test_what_plotly_would_compile_is_served_as_it_is_installed(browser: Browser) -> None:
    context = browser.new_context(bypass_csp=True)

    assert draw_programs.written(context.new_page()) == draw_programs.PROGRAMS.read_text(encoding="utf-8")
    context.close()

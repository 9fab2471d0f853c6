"""A picture's page within the list that it was opened from, and on the object that was found."""

import html
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from indexer.collection import Collection
from localizer import evaluation_record
from search_service import quality_views
from search_service.engine import SearchEngine
from search_service.settings import Settings
from tests.conftest import client_of
from tests.elements import Elements


@pytest.fixture(scope="module")
def evaluated_engine(evaluated_path: object) -> Iterator[SearchEngine]:
    engine = SearchEngine.open(Settings(collection=evaluated_path))  # type: ignore[arg-type]
    yield engine
    engine.close()


def cards(page: str) -> list[str]:
    """Addresses that the cards of a page lead to, in order."""
    return [html.unescape(address) for address in re.findall(r'class="card-link" href="([^"]+)"', page)]


def step(page: str, way: str) -> str | None:
    """Where Previous ("prev") or Next ("next") of a picture's page leads."""
    nav = page[page.index('class="last steps"') :]
    found = Elements(nav[: nav.index("</nav>")]).of("a", rel=way)
    return found[0]["href"] if found else None


def back(page: str) -> str:
    """Where the way back to the list leads."""
    [address] = re.findall(r'<a href="([^"]+)">Back to ', page)
    return html.unescape(address)


LISTS = [
    "/?positive=3",
    "/?positive=3&negative=7&split=train&mode=visual",
    "/?positive=3@20,30,200,210",
    "/?turn=2",
    "/browse?class=dog",
    "/browse?split=val&k=48",
    "/browse",
]


@pytest.mark.parametrize("address", LISTS)
def test_previous_and_next_follow_the_list_that_a_picture_was_opened_from(
    trained_client: FlaskClient, address: str
) -> None:
    shown = cards(trained_client.get(address).text)
    assert len(shown) > 1

    walked, pages = [shown[0]], []
    while len(walked) < len(shown):
        pages.append(trained_client.get(walked[-1]).text)
        walked.append(step(pages[-1], "next") or "the end")

    assert walked == shown
    assert step(pages[0], "prev") is None
    assert [step(page, "prev") for page in pages[1:]] == walked[: len(pages) - 1]
    assert shown[0] in cards(trained_client.get(back(pages[0])).text)


def test_the_last_of_a_list_has_no_next_and_leads_back_to_its_own_page_of_the_list(
    trained_client: FlaskClient,
) -> None:
    last = cards(trained_client.get("/?positive=3&offset=24").text)[-1]

    page = trained_client.get(last).text

    assert step(page, "next") is None
    assert step(page, "prev") is not None
    assert back(page) == "/?positive=3&offset=24"


def test_a_picture_that_was_opened_by_itself_stands_in_the_whole_collection(client: FlaskClient) -> None:
    first, middle, last = (client.get(f"/images/{number}").text for number in (0, 20, 39))

    assert (step(first, "prev"), step(first, "next")) == (None, "/images/1")
    assert (step(middle, "prev"), step(middle, "next")) == ("/images/19", "/images/21")
    assert (step(last, "prev"), step(last, "next")) == ("/images/38", None)


def test_a_mistake_leads_to_the_next_of_the_mistakes_asked_for(
    evaluated_engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(evaluated_engine)
    monkeypatch.setattr(quality_views, "PAGE", 1_000)
    for address in ("/quality", "/quality?wrong=class"):
        shown = cards(client.get(address).text)
        assert len(shown) > 1

        page = client.get(shown[1]).text

        assert step(page, "prev") == shown[0]
        assert step(page, "next") == (shown[2] if len(shown) > 2 else None)
        assert back(page) == f"{address}#mistakes"


def test_a_good_box_of_another_object_of_the_class_is_no_mistake(
    evaluated_engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(evaluated_engine)
    with Collection.open(evaluated_engine.collection.path) as opened:
        record = evaluation_record.load(opened)
    assert record is not None
    monkeypatch.setattr(quality_views, "PAGE", 1_000)

    listed = {int(re.findall(r"\d+", address)[0]) for address in cards(client.get("/quality").text)}

    assert listed == {one.image_id for one in record.verdicts if not one.right and not one.another}


def test_a_found_object_is_added_and_opened_as_that_object(objects_client: FlaskClient) -> None:
    first, *_ = objects_client.get("/api/v1/images/3/similar?target=objects").get_json()["results"]
    corners = ",".join(f"{corner:g}" for corner in first["object"]["box"])
    reference = f"{first['image_id']}@{corners}"

    page = objects_client.get("/?positive=3&target=objects").text

    links = Elements(page).links("positive=3")
    assert f"/?positive=3&positive={reference}&target=objects" in links
    assert f"/?positive=3&negative={reference}&target=objects" in links
    opened = objects_client.get(cards(page)[0]).text
    x, y = first["object"]["box"][:2]
    assert Elements(opened).of("rect", **{"class": "region-box", "x": str(x), "y": str(y)})
    assert f"/?positive={reference}&target=objects" in Elements(opened).links("")
    assert f"/images/{first['image_id']}" in Elements(opened).links("")
    added = objects_client.get(f"/?positive=3&positive={reference}&target=objects")
    assert added.status_code == 200


def test_visual_mode_survives_the_switch_to_objects_and_back(objects_client: FlaskClient) -> None:
    def switch(page: str, words: str) -> str:
        return html.unescape(re.findall(rf'<a href="([^"]+)"[^>]*>{words}</a>', page)[0])

    visual = objects_client.get("/?positive=3&mode=visual").text
    objects = objects_client.get(switch(visual, "Objects"))
    again = objects_client.get(switch(objects.text, "Whole pictures"))

    assert objects.status_code == again.status_code == 200
    assert cards(again.text) == cards(visual)
    assert 'aria-current="page">Looks alone</a>' in again.text
    assert {one["value"] for one in Elements(objects.text).of("input", name="mode")} == {"visual"}
    usual = objects_client.get(switch(objects_client.get("/?positive=3&mode=semantic").text, "Objects"))
    assert usual.status_code == 200


def test_a_part_of_a_picture_searched_in_visual_mode_leads_back_to_it(objects_client: FlaskClient) -> None:
    page = objects_client.get("/?positive=3&mode=visual").text

    parts = Elements(page).links("positive=3@")

    assert parts
    assert all("mode=visual" in part and "target=objects" in part for part in parts)

"""The pages as they come from the server, before any JavaScript."""

import base64
import html
import io
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import MultiDict

from search_service.app import create_app
from search_service.page_state import PAGE_KS, PageState, SearchPageSchema
from search_service.settings import Settings
from tests.elements import Elements
from tests.test_api import send_form
from tests.test_images import encoded

PAGES = ("/", "/?positive=3", "/images/3", "/browse", "/api/docs", "/nowhere")


def cards(page: str) -> list[dict[str, str | None]]:
    return Elements(page).of("li", **{"class": "card"})


def test_the_first_page_offers_a_form_and_pictures_to_start_from(client: FlaskClient) -> None:
    elements = Elements(client.get("/").text)

    (form,) = elements.of("form", method="post", enctype="multipart/form-data")
    assert form["action"] == "/"
    assert elements.of("input", type="file", name="image")
    links = elements.links("/images/")
    assert len(set(links)) == 24
    assert all(client.get(link).status_code == 200 for link in links[:3])


def test_other_pictures_come_with_each_turn(client: FlaskClient) -> None:
    assert client.get("/").text != client.get("/?turn=1").text
    assert client.get("/?turn=nonsense").status_code == 400


def test_a_search_by_an_indexed_picture_answers_with_scores_classes_and_true_boxes(client: FlaskClient) -> None:
    page = client.get("/?positive=3").text

    assert len(cards(page)) == PAGE_KS[0]
    scores = [float(score) for score in re.findall(r'class="score"[^>]*>([-\d.]+)<', page)]
    assert scores == sorted(scores, reverse=True)
    record = client.get("/api/v1/images/3").get_json()
    xmin, ymin, xmax, ymax = record["objects"][0]["box"]
    box = {"x": str(xmin), "y": str(ymin), "width": str(xmax - xmin), "height": str(ymax - ymin)}
    assert Elements(page).of("rect", **{"class": "true-box"}, **box)


def test_the_page_of_a_picture_has_its_objects_its_neighbours_and_the_way_on(client: FlaskClient) -> None:
    page = client.get("/images/3").text

    record = client.get("/api/v1/images/3").get_json()
    assert record["filename"] in page
    assert all(f"<td>{label['class']}</td>" in page for label in record["objects"])
    assert len(cards(page)) == 12
    links = Elements(page).links("")
    assert {"/images/2", "/images/4", "/?positive=3"} <= set(links)


def test_an_object_of_a_picture_leads_to_a_search_with_its_part(client: FlaskClient) -> None:
    [address, *_] = Elements(client.get("/images/3").text).links("positive=3@")

    page = client.get(address).text

    box = client.get("/api/v1/images/3").get_json()["objects"][0]["box"]
    assert parse_qs(urlsplit(address).query)["positive"] == [f"3@{','.join(f'{corner:g}' for corner in box)}"]
    assert Elements(page).of("rect", **{"class": "region-box"})
    assert "<dt>Region</dt>" in page


def test_a_region_typed_in_leads_to_the_same_search(client: FlaskClient) -> None:
    by_form = client.get("/?region_of=3&box=10,+20,+110,+120").text
    by_address = client.get("/?positive=3@10,20,110,120").text

    assert re.findall(r'class="score"[^>]*>([-\d.]+)<', by_form) == re.findall(
        r'class="score"[^>]*>([-\d.]+)<', by_address
    )


def test_an_upload_answers_without_javascript_and_shows_itself(client: FlaskClient, devkit: Path) -> None:
    data = (devkit / "JPEGImages/000008.jpg").read_bytes()

    response = send_form(client, "/", data, k="48")

    assert response.status_code == 200
    assert len(cards(response.text)) == 40
    images = Elements(response.text).of("img")
    assert [one for one in images if (one["src"] or "").startswith("data:image/jpeg;base64,")]
    assert "1.000" in response.text


def test_the_address_of_an_upload_finds_the_same_and_holds_no_picture(client: FlaskClient, devkit: Path) -> None:
    uploaded = send_form(client, "/", (devkit / "JPEGImages/000008.jpg").read_bytes()).text
    [address] = [one["data-address"] or "" for one in Elements(uploaded).of("div") if "data-address" in one]

    again = client.get(address).text

    assert address.startswith("/?positive=~")
    found = re.findall(r'card-link" href="/images/(\d+)', uploaded)
    assert len(found) == PAGE_KS[0]
    assert re.findall(r'card-link" href="/images/(\d+)', again) == found
    assert "not kept" in again


def test_a_region_of_an_upload_is_searched_with_what_the_page_holds(client: FlaskClient, devkit: Path) -> None:
    data = (devkit / "JPEGImages/000008.jpg").read_bytes()
    uploaded = Elements(send_form(client, "/", data).text)
    [held] = uploaded.of("input", type="hidden", name="picture")

    response = client.post("/", data={"picture": held["value"], "box": "20, 30, 200, 210"})

    assert response.status_code == 200
    assert "<dt>Region</dt><dd>20, 30, 200, 210</dd>" in response.text


def test_a_part_of_a_sent_picture_is_searched_with(client: FlaskClient, devkit: Path) -> None:
    data = (devkit / "JPEGImages/000008.jpg").read_bytes()

    inside = send_form(client, "/", data, box="20,30,200,210")
    outside = send_form(client, "/", data, box="9000,9000,9100,9100")

    assert "<dt>Region</dt><dd>20, 30, 200, 210</dd>" in inside.text
    assert outside.status_code == 400


def test_a_detailed_picture_that_the_page_holds_comes_back(client: FlaskClient) -> None:
    noise = encoded(Image.effect_noise((1_100, 1_100), 120).convert("RGB"), "JPEG", quality=95)
    [held] = Elements(send_form(client, "/", noise).text).of("input", type="hidden", name="picture")

    response = client.post("/", data={"picture": held["value"], "box": "20, 30, 200, 210"})

    assert len(held["value"] or "") > 500_000
    assert response.status_code == 200


def test_among_objects_the_filters_ask_for_no_mode(trained_client: FlaskClient) -> None:
    state = PageState.read(MultiDict([("positive", "3"), ("target", "objects")]), SearchPageSchema())
    with trained_client.application.test_request_context("/"):
        form = trained_client.application.jinja_env.get_template("_form.html").make_module(
            {"page_ks": PAGE_KS, "modes": ("semantic", "visual")}
        )

        assert 'name="mode"' not in form.how(state)  # type: ignore[attr-defined]
        assert 'name="mode"' in form.how(state.wishing(target="images"))  # type: ignore[attr-defined]


def test_what_the_page_does_not_hold_is_no_picture(client: FlaskClient) -> None:
    response = client.post("/", data={"picture": "data:image/jpeg;base64,@@@"})

    assert response.status_code == 400
    assert "Expected the picture that the page holds" in response.text


@pytest.mark.parametrize(("role", "sides"), [("new", (1, 0)), ("positive", (2, 0)), ("negative", (1, 1))])
def test_a_picture_joins_the_query_or_begins_a_new_one(
    client: FlaskClient, devkit: Path, role: str, sides: tuple[int, int]
) -> None:
    data = (devkit / "JPEGImages/000008.jpg").read_bytes()

    page = send_form(client, "/", data, positive="3", **{"as": role}).text

    [address] = [one["data-address"] or "" for one in Elements(page).of("div") if "data-address" in one]
    asked = parse_qs(urlsplit(address).query)
    assert (len(asked["positive"]), len(asked.get("negative", []))) == sides


def test_a_card_adds_its_picture_to_the_query_on_either_side(client: FlaskClient) -> None:
    links = Elements(client.get("/?positive=3&k=48").text).links("positive=3&")

    more = [link for link in links if link.endswith("positive=3&k=48&positive=8") or "&positive=8" in link]
    less = [link for link in links if "negative=8" in link]
    assert len(more) == len(less) == 1
    assert "less like 000008.jpg" in client.get(less[0]).text


def test_a_form_without_a_picture_leads_back(client: FlaskClient) -> None:
    assert client.post("/", data={}).headers["Location"] == "/"


def test_filters_hold_on_the_page_and_can_be_taken_back_one_by_one(client: FlaskClient) -> None:
    page = client.get("/?positive=3&class=cat&class=dog&split=train&min_score=-1&truncated=false").text

    words = re.findall(r'aria-label="Remove the filter: ([^"]+)"', page)
    assert words == ["cat", "dog", "split train", "not truncated", "score at least -1"]
    assert Elements(page).links("positive=3&min_score=-1&class=dog&split=train&truncated=false")


def test_filters_that_leave_nothing_say_so_and_offer_a_way_out(client: FlaskClient) -> None:
    for address, out in (("/?positive=3&min_objects=50", "/?positive=3"), ("/browse?min_objects=50", "/browse")):
        page = client.get(address).text

        assert "No picture is left under these filters" in page
        assert out in Elements(page).links("")


def test_all_of_several_classes_are_asked_for_on_request(client: FlaskClient) -> None:
    page = client.get("/browse?class=cat&class=dog&class_match=all").text

    assert re.findall(r'aria-label="Remove the filter: ([^"]+)"', page) == ["with cat", "with dog"]


def test_results_and_collection_are_paged_through(client: FlaskClient) -> None:
    for first in ("/?positive=3", "/browse"):
        page = client.get(first)
        seen = []
        for _ in range(2):
            seen += re.findall(r'class="card-link" href="/images/(\d+)[?"]', page.text)
            following = [one["href"] for one in Elements(page.text).of("a", rel="next") if one["href"]]
            page = client.get(following[0]) if following else page

        assert len(set(seen)) == len(seen) == (39 if first != "/browse" else 40)


def test_beyond_the_last_result_there_is_a_way_back(client: FlaskClient) -> None:
    for filtered in ("", "&class=dog"):
        assert "There are no results beyond" in client.get(f"/?positive=3&offset=72{filtered}").text
        assert "There are no pictures beyond" in client.get(f"/browse?offset=72{filtered}").text


@pytest.mark.parametrize(
    "address",
    [
        "/?colour=red", "/?positive=3&clas=dog", "/?k=24&page=2", "/?positive=3&image=3", "/images/3?class=dog",
        "/images/3?list=browse&turn=1", "/browse?min_score=0.9", "/browse?positive=3", "/map?star=1",
        "/quality?positive=3", "/api/docs?theme=dark",
    ],
)  # fmt: skip
def test_a_parameter_that_a_page_does_not_know_is_refused(client: FlaskClient, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 400
    name = re.findall(r"[?&](\w+)=", address)[-1]
    assert re.search(f"Expected (no fields|fields of .*), found '{name}'", html.unescape(response.text))


@pytest.mark.parametrize("field", ["colour", "turn", "image_id"])
def test_a_field_that_the_form_does_not_know_is_refused(client: FlaskClient, devkit: Path, field: str) -> None:
    response = send_form(client, "/", (devkit / "JPEGImages/000008.jpg").read_bytes(), **{field: "3"})

    assert response.status_code == 400
    assert f"found '{field}'" in html.unescape(response.text)


def test_a_file_under_another_name_is_refused(client: FlaskClient, devkit: Path) -> None:
    with (devkit / "JPEGImages/000008.jpg").open("rb") as file:
        response = client.post("/", data={"photo": (file, "a.jpg")})

    assert response.status_code == 400
    assert "found one under 'photo'" in html.unescape(response.text)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/?positive=3&box=1,2,30,40", "Expected region_of to be the id of an image"),
        ("/?region_of=3", "Expected box to be four numbers"),
        ("/?positive=3&k=200", "Expected k from 1 to 100"),
        ("/images/3?list=nowhere", "Expected list to be collection, search"),
        ("/images/3?list=search&at=3", "Expected a picture to search with"),
        ("/images/3?list=browse&class=unicorn", "Expected a class of this collection"),
        ("/images/3?box=9000,9000,9100,9100", "Expected"),
    ],
)
def test_what_is_given_and_cannot_be_used_is_refused(client: FlaskClient, address: str, said: str) -> None:
    response = client.get(address)

    assert response.status_code == 400
    assert said in html.unescape(response.text)


def test_as_many_results_as_an_address_asks_for_are_shown(client: FlaskClient) -> None:
    page = client.get("/?positive=3&k=30").text

    assert len(cards(page)) == 30
    assert Elements(page).links("positive=3&k=30&offset=30")
    assert "<option selected>30</option>" in page


def test_a_box_goes_with_one_picture_alone(client: FlaskClient, devkit: Path) -> None:
    files = [(io.BytesIO((devkit / f"JPEGImages/{n:06d}.jpg").read_bytes()), f"{n}.jpg") for n in (1, 2)]

    response = client.post("/", data={"image": files, "box": "1,2,30,40"})

    assert response.status_code == 400
    assert "Expected one picture beside a box, found 2" in response.text


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"no picture", 400, "Expected a picture (JPEG"),
        (b"", 400, "Expected a picture"),
        (b"\xff" * (23 * 2**20), 413, "Expected a picture of at most 16 MiB"),
    ],
)
def test_a_bad_upload_gets_a_page_that_says_why(client: FlaskClient, data: bytes, status: int, said: str) -> None:
    response = send_form(client, "/", data)

    assert response.status_code == status
    assert said in response.text
    assert Elements(response.text).of("form")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/?positive=4000", 404),
        ("/images/4000", 404),
        ("/?positive=abc", 400),
        ("/?positive=-1", 400),
        ("/?positive=1@3", 400),
        ("/?positive=1@9,9,3,3", 400),
        ("/?positive=1@9000,9000,9999,9999", 400),
        ("/?positive=~AAAA", 400),
        ("/?positive=1&class=unicorn", 400),
        ("/?positive=1&k=many", 400),
        ("/?positive=1&negative=1@0,0,9", 400),
        ("/browse?split=nowhere", 400),
        ("/browse?offset=-3", 400),
    ],
)
def test_what_cannot_be_shown_gets_a_page(client: FlaskClient, address: str, status: int) -> None:
    response = client.get(address)

    assert response.status_code == status
    assert "That did not work" in response.text


def test_what_a_visitor_sends_is_escaped(client: FlaskClient) -> None:
    for address in ("/?positive=<script>alert(1)</script>", "/browse?class=<script>alert(1)</script>"):
        assert "<script>alert" not in client.get(address).text


@pytest.mark.parametrize("address", PAGES)
def test_pictures_are_described_and_sized(client: FlaskClient, address: str) -> None:
    for image in Elements(client.get(address).text).of("img"):
        assert "alt" in image
        assert image["width"]
        assert image["height"]


@pytest.mark.parametrize("address", PAGES)
def test_whom_the_pictures_are_owed_to_is_named(client: FlaskClient, address: str) -> None:
    assert "CC BY-SA 4.0" in client.get(address).text


@pytest.mark.parametrize("address", PAGES)
def test_a_strict_policy_lets_nothing_in_from_elsewhere(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    elements = Elements(response.text)

    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert not [one for _, one in elements.found if "style" in one or any(name.startswith("on") for name in one)]
    addresses = [one[name] or "" for _, one in elements.found for name in ("src", "href") if name in one]
    assert all(address.startswith(("/", "#", "data:image/")) for address in addresses)
    own = [address for address in addresses if address.startswith("/static/")]
    assert all(client.get(address).status_code == 200 for address in own)


def test_the_documentation_shows_every_route_with_examples(client: FlaskClient) -> None:
    page = client.get("/api/docs").text

    for path in client.get("/api/v1/openapi.json").get_json()["paths"]:
        assert f"<code>{path}</code>" in page
    assert page.count("<figcaption>curl</figcaption>") == page.count("<figcaption>Python</figcaption>") >= 6


def test_a_held_picture_is_a_jpeg_of_bounded_size(client: FlaskClient, devkit: Path) -> None:
    [held] = Elements(send_form(client, "/", (devkit / "JPEGImages/000008.jpg").read_bytes()).text).of(
        "input", type="hidden", name="picture"
    )

    data = base64.b64decode((held["value"] or "").removeprefix("data:image/jpeg;base64,"))

    assert data[:3] == b"\xff\xd8\xff"


def test_before_the_first_build_every_page_says_what_to_do(tmp_path: Path) -> None:
    app = create_app(settings=Settings(collection=tmp_path))
    client = app.test_client()

    for address in (*PAGES[:-2], "/map", "/quality"):
        response = client.get(address)
        assert response.status_code == 503
        assert f"python -m indexer build --voc-root DIR --collection {tmp_path}" in response.text
    refused = client.get("/readyz")
    assert refused.status_code == 503
    assert refused.get_json()["error"]["code"] == "empty_collection"
    assert client.get("/healthz").status_code == 200
    app.extensions["lookalike_reloader"].close()

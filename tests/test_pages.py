"""The pages as they come from the server, before any JavaScript."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from search_service.pages import PAGE_KS
from tests.test_api import send_form


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of every such element."""
        return [one for name, one in self.found if name == tag and attributes.items() <= one.items()]


def test_the_first_page_offers_a_form_and_pictures_to_start_from(client: FlaskClient) -> None:
    elements = Elements(client.get("/").text)

    (form,) = elements.of("form", method="post", enctype="multipart/form-data")
    assert form["action"] == "/"
    assert elements.of("input", type="file", name="image")
    links = [one["href"] or "" for one in elements.of("a") if "image_id=" in (one["href"] or "")]
    assert len(set(links)) == 24
    assert all(client.get(link).status_code == 200 for link in links[:3])


def test_other_pictures_come_with_each_turn(client: FlaskClient) -> None:
    assert client.get("/").text != client.get("/?turn=1").text
    assert client.get("/?turn=nonsense").status_code == 200


def test_a_click_on_a_picture_answers_with_scores_classes_and_true_boxes(client: FlaskClient) -> None:
    page = client.get("/?image_id=3").text
    elements = Elements(page)

    assert len(elements.of("li", **{"class": "card"})) == PAGE_KS[0]
    scores = [float(score) for score in re.findall(r'class="score"[^>]*>([-\d.]+)<', page)]
    assert scores == sorted(scores, reverse=True)
    record = client.get("/api/v1/images/3").get_json()
    xmin, ymin, xmax, ymax = record["objects"][0]["box"]
    box = {"x": str(xmin), "y": str(ymin), "width": str(xmax - xmin), "height": str(ymax - ymin)}
    assert elements.of("rect", **{"class": "true-box"}, **box)


def test_an_upload_answers_without_javascript_and_shows_itself(client: FlaskClient, devkit: Path) -> None:
    data = (devkit / "JPEGImages/000008.jpg").read_bytes()

    response = send_form(client, "/", data, k="24")

    elements = Elements(response.text)
    assert response.status_code == 200
    assert len(elements.of("li", **{"class": "card"})) == 24
    assert [one for one in elements.of("img") if (one["src"] or "").startswith("data:image/jpeg;base64,")]
    assert "1.000" in response.text


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


@pytest.mark.parametrize("address", ["/?image_id=4000", "/?image_id=abc", "/?image_id=-1"])
def test_an_unknown_image_gets_a_page(client: FlaskClient, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 404
    assert "That did not work" in response.text


def test_what_a_visitor_sends_is_escaped(client: FlaskClient) -> None:
    response = client.get("/?image_id=<script>alert(1)</script>")

    assert "<script>alert" not in response.text


def test_pictures_are_described_and_sized(client: FlaskClient) -> None:
    for image in Elements(client.get("/?image_id=3").text).of("img"):
        assert "alt" in image
        assert image["width"]
        assert image["height"]


def test_whom_the_pictures_are_owed_to_is_named(client: FlaskClient) -> None:
    assert "CC BY-SA 4.0" in client.get("/").text
    assert "CC BY-SA 4.0" in client.get("/?image_id=1").text


def test_a_strict_policy_lets_nothing_in_from_elsewhere(client: FlaskClient) -> None:
    response = client.get("/?image_id=3")
    elements = Elements(response.text)

    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert not [one for _, one in elements.found if "style" in one or any(name.startswith("on") for name in one)]
    addresses = [one[name] or "" for _, one in elements.found for name in ("src", "href") if name in one]
    assert all(address.startswith(("/", "data:image/")) for address in addresses)
    own = [address for address in addresses if address.startswith("/static/")]
    assert all(client.get(address).status_code == 200 for address in own)

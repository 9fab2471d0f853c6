"""What pages say holds: of scores, of a collection without annotations, of the sample, of nothing at all."""

import html
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from search_service.access import Access
from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.settings import Settings
from tests.elements import Elements

EVERY_PAGE = ("/", "/?positive=3", "/images/3", "/browse", "/map", "/quality", "/api/docs")


def commands(page: str) -> list[str]:
    """The commands that a page names."""
    return re.findall(r"python -m [^<\n]+", html.unescape(page))


def test_a_result_tells_how_much_of_the_collection_is_less_alike(trained_client: FlaskClient) -> None:
    found = trained_client.get("/api/v1/images/3/similar?k=24").get_json()["results"]

    page = trained_client.get("/?positive=3").text

    told = re.findall(r'class="score"[^>]*>([\d.-]+) <small>([\d.]+)&nbsp;%', page)
    assert [float(score) for score, _ in told] == pytest.approx([one["score"] for one in found], abs=6e-4)
    assert [float(share) for _, share in told] == pytest.approx([one["percentile"] for one in found], abs=0.101)
    assert "the share of the collection that is less like the query" in page
    assert "less like the query" in trained_client.get("/images/3").text


@pytest.mark.parametrize("address", EVERY_PAGE)
def test_where_nothing_is_annotated_no_filter_switch_or_command_asks_for_annotations(
    plain_client: FlaskClient, address: str
) -> None:
    response = plain_client.get(address)

    elements = Elements(response.text)
    names = {one.get("name") for tag in ("input", "select") for one in elements.of(tag)}
    assert response.status_code == 200
    assert not names & {"class", "class_none", "pose", "truncated", "min_objects", "min_share", "split"}
    assert not [one for one in elements.of("input") if one.get("data-hides") == "true"]
    assert not [one for one in elements.of("option") if one.get("value") in ("class", "localized")] or (
        address == "/map" and [one for one in elements.of("label") if "hidden" in one]
    )
    assert [one for one in commands(response.text) if "build" not in one] == []


@pytest.mark.parametrize("address", ["/?positive=3&mode=semantic", "/?positive=3&target=objects"])
def test_what_needs_annotations_says_so_where_there_are_none(plain_client: FlaskClient, address: str) -> None:
    response = plain_client.get(address)

    assert response.status_code == 409
    assert "annotat" in response.text
    assert commands(response.text) == []


def test_what_the_build_did_not_use_is_named_with_the_reason(plain_client: FlaskClient) -> None:
    page = plain_client.get("/browse").text

    assert "What the last build did not use as it stands: 1" in page
    assert "<dt>broken.jpg (picture not used)</dt><dd>" in page


def test_commands_that_pages_name_say_which_collection(client: FlaskClient, trained_client: FlaskClient) -> None:
    for visitor in (client, trained_client):
        for address in ("/images/3", "/quality", "/map"):
            for command in commands(visitor.get(address).text):
                assert re.search("--(collection|into) ", command), command


def test_the_sample_says_what_its_heads_know_and_what_to_do_for_photographs(client: FlaskClient) -> None:
    for address in (*EVERY_PAGE, "/nowhere"):
        page = client.get(address).text

        assert "its heads know drawings only" in page
        assert "python -m indexer fetch voc2012 --into data" in page


def test_other_pictures_are_not_called_a_sample(plain_client: FlaskClient) -> None:
    assert "drawings" not in plain_client.get("/").text


def test_before_the_first_build_the_page_says_how_pictures_have_to_lie(tmp_path: Path) -> None:
    (tmp_path / "with space").mkdir()
    app = create_app(settings=Settings(collection=tmp_path / "with space"))

    page = html.unescape(app.test_client().get("/").text)

    assert "JPEGImages" in page
    assert "folders inside of it are not looked into" in page
    assert f"--collection '{tmp_path / 'with space'}'" in page
    app.extensions["lookalike_reloader"].close()


@pytest.mark.parametrize("address", ["/api/docs", "/api/v1/openapi.json"])
def test_examples_call_the_server_that_shows_them(client: FlaskClient, address: str) -> None:
    page = client.get(address, base_url="http://pictures.test:8123").text
    again = client.get(address, base_url="http://localhost").text

    assert "http://pictures.test:8123/api/v1/search" in page
    assert "127.0.0.1:8000" not in page
    assert "http://localhost/api/v1/search" in again


def test_behind_a_proxy_that_encrypts_examples_do_too(engine: SearchEngine) -> None:
    settings = Settings(collection=engine.collection.path, access=Access(proxies=1))
    client = create_app(engine, settings).test_client()

    page = client.get("/api/docs", headers={"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https"}).text

    assert "https://localhost/api/v1/search" in page

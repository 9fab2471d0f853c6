"""What browsers are told: on every response, and to other sites' pages only where they are named."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from search_service.access import Access
from search_service.engine import SearchEngine
from tests.keys import READER, WRONG, bearer, guarded, keyed
from tests.test_api import send_form

ORIGIN = "https://tool.example.org"
THUMBNAIL, STYLE = "/api/v1/images/3/thumbnail", "/static/lookalike.css"


def responses(client: FlaskClient, devkit: Path) -> dict[str, TestResponse]:
    """One of each kind."""
    thumbnail, style = client.get(THUMBNAIL), client.get(STYLE)
    return {
        "page": client.get("/browse"),
        "answer to a form": send_form(client, "/", (devkit / "JPEGImages/000008.jpg").read_bytes()),
        "redirection": client.post("/"),
        "json": client.get("/api/v1/images"),
        "picture": client.get("/api/v1/images/3/file"),
        "thumbnail": thumbnail,
        "picture as it is known": client.get(THUMBNAIL, headers={"If-None-Match": thumbnail.headers["ETag"]}),
        "style": style,
        "style as it is known": client.get(STYLE, headers={"If-None-Match": style.headers["ETag"]}),
        "script": client.get("/map/plotly.min.js"),
        "unknown page": client.get("/nowhere"),
        "unknown file": client.get("/static/nowhere"),
        "unknown route": client.get("/api/v1/nowhere"),
        "wrong method": client.delete("/api/v1/search"),
        "refusal": client.get("/api/v1/images/4000"),
        "methods": client.options("/api/v1/search"),
    }  # fmt: skip


def directives(response: TestResponse) -> dict[str, str]:
    parts = [one.strip().partition(" ") for one in response.headers["Content-Security-Policy"].split(";")]
    return {name: value for name, _, value in parts}


def test_every_response_tells_browsers_what_they_may_not_do(client: FlaskClient, devkit: Path) -> None:
    answers = responses(client, devkit)

    assert {answers[name].status_code for name in ("picture as it is known", "style as it is known")} == {304}
    for name, answer in answers.items():
        told = answer.headers
        assert told["X-Content-Type-Options"] == "nosniff", name
        assert told["X-Frame-Options"] == "DENY", name
        assert told["Referrer-Policy"] == "no-referrer", name
        assert told["Cross-Origin-Opener-Policy"] == told["Cross-Origin-Resource-Policy"] == "same-origin", name
        assert "camera=()" in told["Permissions-Policy"], name
        assert directives(answer)["default-src"] == directives(answer)["frame-ancestors"] == "'none'", name
        assert "unsafe" not in told["Content-Security-Policy"], name
        assert not [one for one in told.keys() if one.startswith("Access-Control")], name  # noqa: SIM118 - headers repeat


def test_what_is_no_page_may_do_nothing_even_by_itself(client: FlaskClient, devkit: Path) -> None:
    for name, answer in responses(client, devkit).items():
        assert ("sandbox" in directives(answer)) == (answer.mimetype != "text/html"), name


def test_an_error_inside_tells_them_too(client: FlaskClient) -> None:
    client.application.add_url_rule("/broken", view_func=lambda: 1 / 0)  # type: ignore[arg-type]

    answer = client.get("/broken")

    assert answer.status_code == 500
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert directives(answer)["default-src"] == "'none'"


def test_nothing_may_be_kept_by_a_cache_that_others_ask(engine: SearchEngine, tmp_path: Path) -> None:
    client = keyed(engine, tmp_path)

    def caching(address: str, key: str) -> str:
        return client.get(address, headers=bearer(key)).headers["Cache-Control"]

    pages = ("/", "/browse", "/api/v1/images", "/api/v1/images/3/thumbnail?v=1", "/map/plotly.min.js")
    assert all("private" in caching(address, READER) for address in pages)
    assert all(caching(address, WRONG) == "no-store" for address in pages)
    assert caching("/api/v1/images/4000", READER) == "no-store"
    assert caching("/api/v1/admin/stats", READER) == "no-store"


@pytest.mark.parametrize("origin", [ORIGIN, "http://[::1]:3000"])
def test_a_site_that_is_named_may_ask_with_a_key(engine: SearchEngine, tmp_path: Path, origin: str) -> None:
    client = keyed(engine, tmp_path, origins=(origin,))
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }

    before = client.options("/api/v1/search", headers={"Origin": origin, **asked})
    answer = client.post("/api/v1/search", json={"image_id": 3}, headers={"Origin": origin, **bearer(READER)})
    refused = client.get("/api/v1/images/3", headers={"Origin": origin})

    assert before.status_code == answer.status_code == 200
    assert before.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert "POST" in before.headers["Access-Control-Allow-Methods"]
    for response in (before, answer, refused):
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "Origin" in response.headers["Vary"]
    assert refused.status_code == 401
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    "other",
    [f"{ORIGIN}.evil.example", f"{ORIGIN}:8000", "http://tool.example.org", "https://toolxexample.org"],
)
def test_no_other_site_may(engine: SearchEngine, other: str) -> None:
    client = guarded(engine, Access(origins=(ORIGIN,)))

    assert "Access-Control-Allow-Origin" not in client.get("/api/v1/images/3", headers={"Origin": other}).headers


def test_pages_are_for_no_other_site(engine: SearchEngine) -> None:
    client = guarded(engine, Access(origins=(ORIGIN,)))

    assert "Access-Control-Allow-Origin" not in client.get("/browse", headers={"Origin": ORIGIN}).headers


def test_every_site_may_where_that_is_said(engine: SearchEngine) -> None:
    client = guarded(engine, Access(origins=("*",)))

    answer = client.get("/api/v1/images/3", headers={"Origin": "https://any.example"})

    assert answer.headers["Access-Control-Allow-Origin"] == "*"

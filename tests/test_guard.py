"""What every request passes before any route: hosts, keys and roles."""

import base64
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from search_service.access import Access
from search_service.engine import SearchEngine
from tests.keys import ADMINISTRATOR, READER, WRONG, bearer, guarded, keyed
from tests.test_api import error_of

PAGES = ("/", "/browse", "/images/3", "/map", "/map/plotly.min.js", "/quality", "/api/docs", "/nowhere")
OPEN = ("/healthz", "/readyz", "/static/lookalike.css")
ADMIN = "/api/v1/admin/reload"  # not a route here; what may not go there does not learn that


@pytest.fixture
def locked(engine: SearchEngine, tmp_path: Path) -> FlaskClient:
    """A client of a service with keys."""
    return keyed(engine, tmp_path)


def basic(key: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'anyone:{key}'.encode()).decode()}"}


@pytest.mark.parametrize("address", OPEN)
def test_health_and_static_files_need_no_key(locked: FlaskClient, address: str) -> None:
    assert locked.get(address).status_code == 200


def test_every_other_route_needs_one(locked: FlaskClient) -> None:
    rules = [rule for rule in locked.application.url_map.iter_rules() if rule.endpoint != "static"]
    closed = [rule for rule in rules if rule.rule not in OPEN]

    for rule in closed:
        for method in (rule.methods or set()) - {"OPTIONS"}:
            response = locked.open(rule.rule.replace("<int:image_id>", "3"), method=method)

            assert response.status_code == 401, (method, rule.rule)
    assert len(closed) == len(rules) - 2


def test_a_key_is_taken_from_either_header_and_as_a_password(locked: FlaskClient) -> None:
    for headers in (bearer(READER), {"X-API-Key": READER}, basic(READER), bearer(ADMINISTRATOR)):
        assert locked.get("/api/v1/images/3", headers=headers).status_code == 200
        assert locked.get("/browse", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [bearer(WRONG), {"X-API-Key": WRONG}, {"X-API-Key": ""}, basic(WRONG), bearer(READER[:-1]), bearer(""),
     {"X-API-Key": "\xe4" * 16}],
)  # fmt: skip
def test_a_wrong_key_is_refused_as_such_and_not_repeated(locked: FlaskClient, headers: dict[str, str]) -> None:
    response = locked.post("/api/v1/search", json={"image_id": 3}, headers=headers)

    assert response.status_code == 401
    assert error_of(response)["code"] == "wrong_key"
    assert WRONG not in response.text


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Digest x"}, {"Authorization": "Basic %%%"}, {"Authorization": READER}]
)
def test_without_a_key_a_program_is_told_how_to_send_one(locked: FlaskClient, headers: dict[str, str]) -> None:
    response = locked.post("/api/v1/search", json={"image_id": 3}, headers=headers)

    assert response.status_code == 401
    assert error_of(response)["code"] == "no_key"
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="Lookalike"'


@pytest.mark.parametrize("address", PAGES)
def test_without_a_key_a_browser_is_told_to_ask_and_nothing_of_the_collection(
    locked: FlaskClient, address: str
) -> None:
    response = locked.get(address)

    assert response.status_code == 401
    if not address.startswith("/api/v"):
        assert response.headers["WWW-Authenticate"] == 'Basic realm="Lookalike", charset="UTF-8"'
    assert response.headers["Cache-Control"] == "no-store"
    assert "embedded by" not in response.text
    assert "OpenMoji" not in response.text


def test_administration_takes_an_administrators_key_which_no_browser_sends_by_itself(locked: FlaskClient) -> None:
    answers = {
        name: locked.post(ADMIN, headers=headers)
        for name, headers in {
            "none": {}, "reader": bearer(READER), "password": basic(ADMINISTRATOR), "admin": bearer(ADMINISTRATOR),
        }.items()
    }  # fmt: skip

    assert answers.pop("admin").get_json()["generation"] == 1
    assert {name: (answer.status_code, error_of(answer)["code"]) for name, answer in answers.items()} == {
        "none": (401, "no_key"), "reader": (403, "not_allowed"), "password": (401, "no_key"),
    }  # fmt: skip
    assert answers["none"].headers["WWW-Authenticate"] == 'Bearer realm="Lookalike"'
    assert locked.get(ADMIN).headers["WWW-Authenticate"] == 'Bearer realm="Lookalike"'


@pytest.mark.parametrize(
    "address", ["//api/v1/admin/reload", "/api/v1//admin/reload", "/api/v1/x/../admin/reload"]
)
def test_no_other_spelling_leads_to_administration(locked: FlaskClient, address: str) -> None:
    assert "generation" in locked.post(ADMIN, headers=bearer(ADMINISTRATOR)).get_json()
    assert locked.post(address, headers=bearer(READER)).status_code in (308, 403, 404)


def test_without_keys_all_may_read_and_none_may_administrate(client: FlaskClient) -> None:
    response = client.post(ADMIN, headers=bearer(ADMINISTRATOR))

    assert client.get("/api/v1/images/3").status_code == 200
    assert response.status_code == 403
    assert error_of(response)["code"] == "not_allowed"
    assert "start it with --api-key-file" in error_of(response)["message"]


def test_a_request_for_another_host_is_refused_before_its_key_is_looked_at(
    engine: SearchEngine, tmp_path: Path
) -> None:
    client = keyed(engine, tmp_path, hosts=("pictures.example.org",))

    for host in ("evil.example", "<script>alert(1)</script>", "localhost.evil.example:80", "[", ""):
        response = client.get("/api/v1/images/3", headers={"Host": host, **bearer(READER)})
        page = client.get("/browse", headers={"Host": host})

        assert response.status_code == page.status_code == 400
        assert error_of(response)["code"] == "unknown_host"
        assert "embedded by" not in page.text
        assert "<script>alert" not in page.text
    allowed = {"Host": "pictures.example.org:8000", **bearer(READER)}
    assert client.get("/api/v1/images/3", headers=allowed).status_code == 200


def test_a_service_that_others_reach_answers_whatever_its_name(engine: SearchEngine) -> None:
    client = guarded(engine, Access().at("192.168.1.5", insecure=True))

    assert client.get("/browse", headers={"Host": "any.example"}).status_code == 200


def test_the_specification_says_how_keys_are_sent(locked: FlaskClient, client: FlaskClient) -> None:
    told = locked.get("/api/v1/openapi.json", headers=bearer(READER)).get_json()

    assert told["components"]["securitySchemes"] == {
        "Bearer": {"type": "http", "scheme": "bearer"},
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    assert told["security"] == [{"Bearer": []}, {"ApiKey": []}]
    assert told["paths"]["/healthz"]["get"]["security"] == []
    assert client.get("/api/v1/openapi.json").get_json()["security"] == []

"""How often a client may ask, by key or by address, and what it is told when it asked too often."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from search_service.access import Access
from search_service.api_keys import read_keys
from search_service.engine import SearchEngine
from tests.keys import ADMINISTRATOR, READER, WRONG, bearer, guarded, key_file, keyed
from tests.test_api import error_of, send_form

SEARCH = "/api/v1/images/3/similar?k=1"
HOUR = 3_600


def from_address(address: str) -> dict[str, dict[str, str]]:
    return {"environ_overrides": {"REMOTE_ADDR": address}}


def test_a_client_that_asked_too_often_is_told_when_to_ask_again(engine: SearchEngine) -> None:
    client = guarded(engine, Access(rate="2/hour"))

    answers = [client.get(SEARCH) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"2"}
    assert all(1 <= int(answer.headers["RateLimit-Reset"]) <= HOUR + 1 for answer in answers)
    assert 1 <= int(answers[2].headers["Retry-After"]) <= HOUR + 1
    assert ["Retry-After" in answer.headers for answer in answers[:2]] == [False, False]
    assert error_of(answers[2])["code"] == "rate_limited"
    assert "expected at most 2 searches" in error_of(answers[2])["message"]


def test_on_a_page_the_same_is_said_in_words(engine: SearchEngine) -> None:
    client = guarded(engine, Access(rate="1/hour"))

    client.get("/images/3")
    refused = client.get("/images/4")

    assert refused.status_code == 429
    assert refused.mimetype == "text/html"
    assert "Expected at most 1 searches" in refused.text


def test_every_route_that_searches_counts_and_no_other(mapped_engine: SearchEngine, devkit: Path) -> None:
    client = guarded(mapped_engine, Access(rate="100/hour"))
    picture = (devkit / "JPEGImages/000008.jpg").read_bytes()

    searches = [
        client.get("/?positive=3"), client.get("/images/3"), client.get("/map?positive=3"), client.get(SEARCH),
        client.post("/api/v1/search", json={"image_id": 3}), client.post("/api/v1/localize", json={"image_id": 3}),
        client.post("/api/v1/search/batch", json={"queries": [{"image_id": 3}]}),
        send_form(client, "/", picture), send_form(client, "/api/v1/search", picture),
    ]  # fmt: skip
    others = [
        client.get(address)
        for address in ("/browse", "/quality", "/api/docs", "/healthz", "/api/v1/images/3/thumbnail", "/nowhere")
    ]

    assert [answer.headers["RateLimit-Remaining"] for answer in searches] == [str(99 - done) for done in range(9)]
    assert not any("RateLimit-Limit" in answer.headers for answer in others)
    assert all("Server-Timing" not in answer.headers for answer in others)


def test_a_batch_counts_as_the_searches_in_it(engine: SearchEngine) -> None:
    client = guarded(engine, Access(rate="10/hour"))

    def ask(searches: int) -> tuple[int, str]:
        answer = client.post("/api/v1/search/batch", json={"queries": [{"image_id": 3, "k": 1}] * searches})
        return answer.status_code, answer.headers["RateLimit-Remaining"]

    assert ask(4) == (200, "6")
    assert ask(7)[0] == 429
    assert ask(5) == (200, "0")


def test_each_key_counts_for_itself_wherever_it_comes_from(engine: SearchEngine, tmp_path: Path) -> None:
    client = keyed(engine, tmp_path, rate="1/hour")

    first = client.get(SEARCH, headers=bearer(READER), **from_address("192.0.2.1"))
    elsewhere = client.get(SEARCH, headers=bearer(READER), **from_address("192.0.2.2"))
    another = client.get(SEARCH, headers=bearer(ADMINISTRATOR), **from_address("192.0.2.1"))

    assert [answer.status_code for answer in (first, elsewhere, another)] == [200, 429, 200]


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        ("192.0.2.1", "192.0.2.2", 200),
        ("2001:db8::1", "2001:db8::2", 429),
        ("2001:db8::1", "2001:db8:0:1::1", 200),
    ],
)
def test_without_keys_each_address_counts_for_itself(
    engine: SearchEngine, one: str, other: str, status: int
) -> None:
    client = guarded(engine, Access(rate="1/hour"))

    assert client.get(SEARCH, **from_address(one)).status_code == 200
    assert client.get(SEARCH, **from_address(other)).status_code == status


def tell_address(client: FlaskClient, told: str) -> int:
    return client.get(SEARCH, headers={"X-Forwarded-For": told}).status_code


def test_what_a_client_says_of_its_address_counts_only_from_a_trusted_proxy(engine: SearchEngine) -> None:
    direct = guarded(engine, Access(rate="1/hour"))
    proxied = guarded(engine, Access(rate="1/hour", proxies=1))

    assert [tell_address(direct, told) for told in ("192.0.2.1", "192.0.2.2")] == [200, 429]
    assert [tell_address(proxied, told) for told in ("192.0.2.1", "192.0.2.2")] == [200, 200]
    assert tell_address(proxied, "192.0.2.9, 192.0.2.1") == 429


def test_after_too_many_wrong_keys_from_an_address_none_from_there_is_looked_at(
    engine: SearchEngine, tmp_path: Path
) -> None:
    client = guarded(engine, Access(keys=read_keys(key_file(tmp_path))))

    guesses = [client.get(SEARCH, headers=bearer(f"{WRONG}{number}")).status_code for number in range(21)]
    right = client.get(SEARCH, headers=bearer(READER))
    elsewhere = client.get(SEARCH, headers=bearer(READER), **from_address("192.0.2.7"))

    assert guesses == [401] * 20 + [429]
    assert right.status_code == 429
    assert error_of(right)["code"] == "rate_limited"
    assert 1 <= int(right.headers["Retry-After"]) <= 61
    assert elsewhere.status_code == 200
    assert client.get("/healthz").status_code == 200


def test_nothing_is_counted_where_no_rate_is_named(client: FlaskClient) -> None:
    assert "RateLimit-Limit" not in client.get(SEARCH).headers

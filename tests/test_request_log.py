"""The log: one line for each request, with its id; nothing that a client sent."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.request_log import TextFormatter, configure_logging

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where this process logs to, as JSON, for the time of a test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    shown = warnings.showwarning
    written = io.StringIO()
    configure_logging("json", "debug", written)
    yield written
    logging.captureWarnings(capture=False)
    warnings.showwarning = shown
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    """What the service itself logged."""

    def read() -> list[dict[str, Any]]:
        told = map(json.loads, stream.getvalue().splitlines())
        return [one for one in told if one["logger"].startswith(("search_service", "tests"))]

    return read


@pytest.fixture
def app(engine: SearchEngine) -> Flask:
    """An application with a route that logs, and one that breaks."""
    app = create_app(engine)

    @app.get("/api/v1/talk")
    def talk() -> str:
        logging.getLogger("tests.library").info("something")
        return ""

    @app.get("/api/v1/break")
    @app.get("/break")
    def break_down() -> str:
        raise ZeroDivisionError("sent\r\n2026-01-01 forged")

    return app


def test_a_request_is_one_line_that_tells_its_route_and_not_its_address(client: FlaskClient, lines: Lines) -> None:
    client.get("/api/v1/images/3/similar?k=7")

    [line] = lines()
    assert line["level"] == "INFO"
    assert (line["method"], line["route"]) == ("GET", "/api/v1/images/<int:image_id>/similar")
    assert line["status"] == 200
    assert line["ms"] > 0
    assert (line["bytes_in"], line["bytes_out"] > 0) == (0, True)
    assert {"decode", "embed", "search", "wait"} <= set(line["stages"])
    assert "k=7" not in json.dumps(line)
    assert next(iter(line)) == "time"


@pytest.mark.parametrize("sent", ["a", "A-z_0.9", "x" * 64])
def test_a_client_may_give_a_request_its_id(client: FlaskClient, lines: Lines, sent: str) -> None:
    response = client.get("/api/v1/images/3", headers={"X-Request-ID": sent})

    assert response.headers["X-Request-ID"] == sent
    assert lines()[0]["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a\tb", "ä", '"}'])
def test_an_id_that_is_not_well_formed_is_replaced(client: FlaskClient, lines: Lines, sent: str) -> None:
    response = client.get("/api/v1/images/3", headers={"X-Request-ID": sent})

    told = response.headers["X-Request-ID"]
    assert len(told) == 32
    assert int(told, 16) >= 0
    assert lines()[0]["request_id"] == told


def test_every_line_that_is_written_during_a_request_has_its_id(app: Flask, lines: Lines) -> None:
    app.test_client().get("/api/v1/talk", headers={"X-Request-ID": "mine"})
    logging.getLogger("tests.library").info("afterwards")

    assert [one.get("request_id") for one in lines()] == ["mine", "mine", None]


def test_a_refused_input_is_a_warning_with_its_code_and_size_but_nothing_of_it(
    client: FlaskClient, stream: io.StringIO, lines: Lines
) -> None:
    client.post("/api/v1/search", json={"image_id": 1, "secret": "SESAME"})

    [line] = lines()
    assert (line["level"], line["status"], line["refused"]) == ("WARNING", 400, ["unknown_field"])
    assert line["bytes_in"] == len('{"image_id": 1, "secret": "SESAME"}')
    assert "secret" not in stream.getvalue()
    assert "SESAME" not in stream.getvalue()


def test_every_refused_query_of_a_batch_is_told(client: FlaskClient, lines: Lines) -> None:
    queries = [{"image_id": 1}, {"image_id": 99_999}, {"image_id": 2, "k": 0}]

    client.post("/api/v1/search/batch", json={"queries": queries})

    [line] = lines()
    assert (line["level"], line["status"]) == ("WARNING", 200)
    assert line["refused"] == ["unknown_image", "invalid_k"]


@pytest.mark.parametrize("path", ["/no/such/place", "/api/v1/images/3%0A2026"])
def test_a_place_that_is_not_there_is_not_written_down(client: FlaskClient, lines: Lines, path: str) -> None:
    client.open(path, method="BREW")

    [line] = lines()
    assert (line["route"], line["method"], line["refused"]) == ("other", "other", ["not_found"])


def test_health_checks_are_quiet_while_all_is_well(client: FlaskClient, lines: Lines) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        client.get(path)

    assert [one["level"] for one in lines()] == ["DEBUG"] * 3


def test_an_error_inside_is_told_to_the_client_by_its_id_and_to_the_log_with_its_traceback(
    app: Flask, lines: Lines
) -> None:
    asked = {"X-Request-ID": "mine"}

    response = app.test_client().get("/api/v1/break", headers=asked)
    page = app.test_client().get("/break", headers=asked)

    failure, request, *_ = lines()
    assert response.status_code == page.status_code == 500
    assert "mine" in response.get_json()["error"]["message"]
    assert "mine" in page.text
    assert "forged" not in response.text + page.text
    assert (failure["level"], failure["route"], failure["request_id"]) == ("ERROR", "/api/v1/break", "mine")
    assert "ZeroDivisionError" in failure["exc_info"]
    assert (request["level"], request["status"]) == ("ERROR", 500)


def record_of(message: str, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("library", logging.INFO, "", 0, message, None, None)
    record.__dict__.update(extra)
    return record


FORMATTER = TextFormatter(
    ("levelname", "name", "message"), rename_fields={"levelname": "level", "name": "logger"}, timestamp="time"
)


def test_a_line_of_text_tells_the_same() -> None:
    line = FORMATTER.format(
        record_of("request", status=200, stages={"decode": 1.5, "embed": 2}, refused=["a", "b"])
    )

    moment, rest = line.split(" ", 1)
    assert moment.endswith("+00:00")
    assert rest == "INFO library request status=200 stages=decode:1.5,embed:2 refused=a,b"


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\x00\x1b\x85\u2028")))
def test_what_comes_from_outside_can_neither_begin_a_line_nor_move_the_cursor(sent: str) -> None:
    record = record_of(sent, name_of_file=sent, exc_info=(ValueError, ValueError(sent), None))

    first, *rest = FORMATTER.format(record).split("\n")

    assert len(first.splitlines()) == 1
    assert all(line.startswith("    ") and len(line.splitlines()) == 1 for line in rest)
    assert not any(ord(letter) < 32 for line in (first, *rest) for letter in line)

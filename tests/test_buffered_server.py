"""The server over real sockets, around an application that tells what it was sent."""

import json
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from threading import Event
from typing import Any

import pytest

from search_service.buffered_server import BufferedServer, Limits

PATIENCE = 60  # seconds that a busy machine may take
HEAD = "{} {} HTTP/1.1\r\nHost: x\r\n"


class Running:
    """A server in a thread of its own, of two threads and short patience."""

    def __init__(self) -> None:
        self.begun, self.go_on, self._told = Event(), Event(), Event()
        self.go_on.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._bell, self._rope = os.pipe()
        limits = Limits(head_bytes=4_096, body_bytes=100_000, request_seconds=2)
        self.address = self._listener.getsockname()
        self.server = BufferedServer(self._answer, self._listener, 2, limits, self._bell)
        self.grace, self.finished = float(PATIENCE), False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - WSGI's
        self.begun.set()
        if environ["PATH_INFO"] == "/hold":
            assert self.go_on.wait(PATIENCE)
        body = b"x" * 3_000_000 if environ["PATH_INFO"] == "/large" else environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def _run(self) -> None:
        while not self._told.is_set():
            self.server.turn()
        self.finished = self.server.stop(self.grace, lambda: None)

    def tell_to_stop(self) -> None:
        self._told.set()
        os.write(self._rope, b"!")

    def close(self) -> None:
        self.go_on.set()
        self.tell_to_stop()
        self._thread.join()
        for end in (self._bell, self._rope):
            os.close(end)

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=PATIENCE)
        connection.settimeout(PATIENCE)
        return connection


@pytest.fixture
def running() -> Iterator[Running]:
    started = Running()
    with closing(started):
        yield started


def read_all(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def ask(running: Running, sent: str) -> tuple[str, str]:
    """Status and body of what is answered before the server closes."""
    with running.connect() as connection:
        connection.sendall(sent.encode())
        head, _, body = read_all(connection).decode().partition("\r\n\r\n")
    return head.split(" ", 1)[1].split("\r\n")[0], body


CHUNKED = HEAD.format("POST", "/api/v1/search") + "Transfer-Encoding: chunked\r\n"
LENGTH = HEAD.format("POST", "/api/v1/search") + "Content-Length: {}\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (CHUNKED + "\r\nzz\r\n{}\r\n", "400 Bad Request"),
        (CHUNKED + "\r\n2\r\n{}xx\r\n", "400 Bad Request"),
        (CHUNKED + "Content-Length: 2\r\n\r\n0\r\n\r\n", "400 Bad Request"),
        (LENGTH.format("two"), "400 Bad Request"),
        (LENGTH.format("-2"), "400 Bad Request"),
        (LENGTH.format("100001"), "413 Request Entity Too Large"),
        (CHUNKED + "\r\n" + "8000\r\n" + "x" * 0x8000 + "\r\n", "408 Request Timeout"),
        (LENGTH.format("9") + "too few", "408 Request Timeout"),
        (HEAD.format("POST", "/api/v1/x") + "Transfer-Encoding: gzip\r\n\r\n", "501 Not Implemented"),
    ],
)
def test_what_is_not_http_is_refused_in_json_where_programs_ask(running: Running, sent: str, status: str) -> None:
    found, body = ask(running, sent)

    assert found == status
    assert set(json.loads(body)["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("<script>\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\n<script>\r\n\r\n", "400 Bad Request"),
        (HEAD.format("GET", "/" + "<script>" * 1_000) + "\r\n", "431 Request Header Fields Too Large"),
        ("GET / HTTP/1.1\r\nX: <script>", "408 Request Timeout"),
    ],
)
def test_elsewhere_it_is_refused_in_a_line_that_quotes_nothing(running: Running, sent: str, status: str) -> None:
    found, body = ask(running, sent)

    assert found == status
    assert len(body.splitlines()) == 1
    assert "script" not in body


def test_a_body_longer_than_told_of_is_no_part_of_the_request(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall((LENGTH.format(2) + "{}GARBAGE\r\n\r\n").encode())
        answers = read_all(connection).decode()

    assert "\r\n\r\n{}HTTP/1." in answers
    assert " 400 Bad Request" in answers


def test_who_sends_too_much_can_still_read_why_not(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(LENGTH.format(50_000_000).encode())
        connection.sendall(b"x" * 50_000_000)

        assert b" 413 " in read_all(connection)


def test_requests_sent_in_one_go_are_answered_in_turn_over_one_connection(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall("".join(LENGTH.format(1) + digit for digit in "123").encode())
        connection.sendall((HEAD.format("GET", "/") + "Connection: close\r\n\r\n").encode())
        answers = read_all(connection).decode().split("HTTP/1.1 200 OK")[1:]

    assert [answer.split("\r\n\r\n")[1] for answer in answers] == ["1", "2", "3", ""]


def test_a_client_that_reads_slowly_holds_no_thread(running: Running) -> None:
    slow = [running.connect() for _ in range(10)]
    for connection in slow:
        connection.sendall((HEAD.format("GET", "/large") + "\r\n").encode() * 50)

    assert ask(running, HEAD.format("GET", "/") + "Connection: close\r\n\r\n")[0] == "200 OK"

    for connection in slow:
        connection.close()


def test_a_server_that_stops_finishes_what_was_begun_and_refuses_others(running: Running) -> None:
    running.go_on.clear()
    with running.connect() as busy, running.connect() as idle:
        busy.sendall((HEAD.format("GET", "/hold") + "\r\n").encode())
        assert running.begun.wait(PATIENCE)
        running.tell_to_stop()
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            running.connect()

        running.go_on.set()

        assert b"200 OK\r\nConnection: close" in read_all(busy)
    running.join()
    assert running.finished


def test_what_is_not_done_within_the_grace_time_is_cut_off(running: Running) -> None:
    running.go_on.clear()
    running.grace = 0.1
    with running.connect() as busy:
        busy.sendall((HEAD.format("GET", "/hold") + "\r\n").encode())
        assert running.begun.wait(PATIENCE)

        running.tell_to_stop()

        assert read_all(busy) == b""
    running.join()
    assert not running.finished

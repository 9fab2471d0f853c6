"""How many requests are at work at once, how many wait, and for how long."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import TIMEOUT_MAX, Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from search_service.admission import DEADLINE, Admission, Places, is_light
from search_service.deadline import NEVER, Deadline
from search_service.errors import DeadlineError, OverloadedError


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


class Work:
    """A WSGI application that is at work until told to go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = Event(), Event()
        self.deadlines: list[Deadline] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - WSGI's
        if DEADLINE in environ:
            self.deadlines.append(environ[DEADLINE])
            self.begun.set()
            assert self.go_on.wait(60)
        start_response("200 OK", [])
        return [b"done"]


def wait_in_line(places: Places, count: int) -> None:
    while places.waiting < count:
        pass


@given(st.floats(0, 1e9), st.floats(-1e9, 1e9))
def test_what_remains_is_never_negative_and_never_more_than_there_was(seconds: float, elapsed: float) -> None:
    deadline = Deadline(at=seconds)

    assert 0 <= deadline.remaining(now=elapsed) <= max(0, seconds - elapsed)


def test_who_waits_for_ever_can_wait_on_any_lock() -> None:
    assert NEVER.remaining() == TIMEOUT_MAX


def test_a_request_beyond_the_line_is_turned_away_at_once(clients: ThreadPoolExecutor) -> None:
    work, places = Work(), Places(1, 1)
    door = Client(Admission(work, places, 60))
    first = clients.submit(door.get, "/api/v1/search")
    assert work.begun.wait(60)
    second = clients.submit(door.get, "/api/v1/search")
    wait_in_line(places, 1)

    third = door.post("/api/v1/search", data=b"never read")
    work.go_on.set()

    assert third.status_code == 503
    assert json.loads(third.data)["error"]["code"] == "overloaded"
    assert third.headers["Retry-After"] == "1"
    assert "frame-ancestors 'none'" in third.headers["Content-Security-Policy"]
    assert [first.result().status_code, second.result().status_code] == [200, 200]


def test_who_waits_too_long_for_a_place_is_told_so_and_leaves_the_line(clients: ThreadPoolExecutor) -> None:
    work, places = Work(), Places(1, 1)
    first = clients.submit(Client(Admission(work, places, 60)).get, "/")
    assert work.begun.wait(60)

    late = Client(Admission(work, places, 0.01)).get("/")
    work.go_on.set()

    assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
    assert late.text == "expected an answer in time, found the service too busy for it; try again in a moment\n"
    assert places.waiting == 0
    assert first.result().status_code == 200


def test_what_takes_little_is_answered_while_all_places_are_taken(clients: ThreadPoolExecutor) -> None:
    work = Work()
    door = Client(Admission(work, Places(1, 0), 60))
    first = clients.submit(door.get, "/api/v1/search")
    assert work.begun.wait(60)

    assert door.get("/healthz").text == "done"

    work.go_on.set()
    assert first.result().status_code == 200


def test_the_time_in_line_counts_towards_the_deadline(clients: ThreadPoolExecutor) -> None:
    work, places = Work(), Places(1, 1)
    door = Client(Admission(work, places, 60))
    asked = [clients.submit(door.get, "/")]
    assert work.begun.wait(60)
    asked.append(clients.submit(door.get, "/"))
    wait_in_line(places, 1)
    came_to_its_turn = Deadline.after(60)

    work.go_on.set()

    assert [one.result().status_code for one in asked] == [200, 200]
    assert work.deadlines[1].at < came_to_its_turn.at


def test_places_are_given_in_the_order_of_coming(clients: ThreadPoolExecutor) -> None:
    places, came, done = Places(1, 10), [], []

    def come(number: int) -> None:
        with places.taken(NEVER):
            done.append(number)

    with places.taken(NEVER):
        for number in range(10):
            came.append(clients.submit(come, number))
            wait_in_line(places, number + 1)
    for one in came:
        one.result()

    assert done == list(range(10))


def test_a_place_is_free_again_whatever_happened_in_it() -> None:
    places = Places(1, 0)

    with pytest.raises(ZeroDivisionError), places.taken(NEVER):
        1 / 0  # noqa: B018
    with places.taken(NEVER), pytest.raises(OverloadedError), places.taken(NEVER):
        pass
    with places.taken(NEVER):
        pass


def test_nobody_waits_whose_time_is_over() -> None:
    places = Places(1, 1)

    with places.taken(NEVER), pytest.raises(DeadlineError), places.taken(Deadline(at=0)):
        pass


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/static/page.css", "/api/v1/images/3/thumbnail", "/api/v1/map"]
)
def test_what_takes_little_need_not_wait(path: str) -> None:
    assert is_light(path)


@pytest.mark.parametrize(
    "path",
    ["/", "/browse", "/map", "/images/3", "/api/v1/search", "/api/v1/images/3/similar", "/healthz/x", "/new"],
)
def test_what_searches_or_is_not_known_of_needs_a_place(path: str) -> None:
    assert not is_light(path)

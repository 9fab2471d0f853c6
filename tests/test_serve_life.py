"""The life of a service: told to stop, to look for what is new, too busy, and with processes that die."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.test_serve import HOME, free_port

PATIENCE = 90  # seconds that a busy machine may take
SIMILAR = "/api/v1/images/3/similar?k=1"


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


class Service:
    """A service whose eyes can be held shut."""

    def __init__(self, collection: Path, folder: Path, **options: float) -> None:
        self.folder, self.port = folder, free_port()
        arguments = [collection, self.port, folder, json.dumps(options)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.held_service", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=HOME,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("Lookalike answers at")

    def ask(self, path: str) -> tuple[int, bytes, http.client.HTTPMessage]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    def code(self, path: str) -> tuple[int, str]:
        status, body, _ = self.ask(path)
        return status, json.loads(body)["error"]["code"]

    def hold(self) -> None:
        (self.folder / "hold").touch()

    def release(self) -> None:
        (self.folder / "hold").unlink(missing_ok=True)

    def lines(self, name: str) -> int:
        path = self.folder / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    def workers(self) -> set[int]:
        pid = self.process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def tell(self, told: signal.Signals) -> None:
        self.process.send_signal(told)

    def ready(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return self.ask("/readyz")[0] == 200
        return False

    def close(self) -> None:
        self.release()
        self.tell(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


@pytest.fixture
def start(collection_path: Path, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    started = []

    def begin(**options: float) -> Service:
        started.append(Service(collection_path, tmp_path, **options))
        return started[-1]

    yield begin
    for service in started:
        service.close()


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_answers_what_it_was_asked_and_nobody_else(
    start: Callable[..., Service], clients: ThreadPoolExecutor, told: signal.Signals
) -> None:
    service = start(threads=4)
    service.hold()
    asked = [clients.submit(service.ask, SIMILAR) for _ in range(4)]
    wait_until(lambda: service.lines("asked") == 4)

    service.tell(told)
    wait_until(lambda: not _answers(service))
    service.release()

    assert [one.result()[0] for one in asked] == [200] * 4
    assert service.process.wait(PATIENCE) == 0


def _answers(service: Service) -> bool:
    try:
        service.ask("/healthz")
    except (ConnectionError, http.client.HTTPException):
        return False
    return True


def test_what_is_not_done_within_the_grace_time_is_cut_off(
    start: Callable[..., Service], clients: ThreadPoolExecutor
) -> None:
    service = start(grace=0.2)
    service.hold()
    asked = clients.submit(service.ask, SIMILAR)
    wait_until(lambda: service.lines("held") > 0)

    service.tell(signal.SIGTERM)

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        asked.result()
    assert service.process.wait(PATIENCE) == 0


def test_a_request_that_is_not_answered_in_time_frees_its_place(start: Callable[..., Service]) -> None:
    service = start(threads=1, queue=0, deadline=0.5)
    service.hold()

    assert service.code(SIMILAR) == (503, "deadline")
    assert service.code(SIMILAR) == (503, "deadline")

    service.release()
    wait_until(lambda: service.ask(SIMILAR)[0] == 200)
    assert service.lines("held") == 1  # of the second picture nobody asked any more


def test_beyond_the_queue_requests_are_told_to_come_again(
    start: Callable[..., Service], clients: ThreadPoolExecutor
) -> None:
    service = start(threads=1, queue=1, deadline=PATIENCE)
    service.hold()
    asked = [clients.submit(service.ask, SIMILAR) for _ in range(6)]
    wait_until(lambda: sum(one.done() for one in asked) == 4)
    assert service.ask("/readyz")[0] == 200
    assert service.ask("/api/v1/images/3/thumbnail")[0] == 200

    service.release()

    refused = [one.result() for one in asked if one.result()[0] == 503]
    assert sorted(one.result()[0] for one in asked) == [200, 200, 503, 503, 503, 503]
    assert {(json.loads(body)["error"]["code"], headers["Retry-After"]) for _, body, headers in refused} == {
        ("overloaded", "1")
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_a_process_that_dies_is_replaced(start: Callable[..., Service], workers: int) -> None:
    service = start(workers=workers)
    wait_until(lambda: len(service.workers()) == workers)
    before = service.workers()

    for pid in before:
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: len(service.workers() - before) == workers)
    wait_until(service.ready)
    assert service.ask(SIMILAR)[0] == 200


def test_a_hang_up_reaches_the_application_and_replaces_no_process(start: Callable[..., Service]) -> None:
    service = start()
    before = service.workers()

    service.tell(signal.SIGHUP)

    wait_until(lambda: service.lines("hung-up") == 1)
    assert service.workers() == before
    assert service.ask(SIMILAR)[0] == 200

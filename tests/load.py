"""Clients that keep a service busy: each asks again once it has its answer, over a connection that stays open."""

import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.test_serve import free_port

_BOUNDARY = "x-lookalike-bench"
_ROUTES = ("search", "localize")


@dataclass(frozen=True, slots=True)
class Load:
    """What so many requests met with.

    Attributes:
        latencies: milliseconds of each request, in the order of their answers.
        seconds: from the first request to the last answer.
        client_ms: what the clients themselves took of a core, a request.
    """

    latencies: Sequence[float]
    seconds: float
    client_ms: float

    @property
    def throughput(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: int) -> float:
        """Milliseconds that so many of a hundred requests did not exceed."""
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[percent - 1]


@contextmanager
def served(path: Path, *options: str) -> Iterator[int]:
    """The port of a service of its own with these options, once it answers."""
    port = free_port()
    where = ["--collection", str(path), "--port", str(port)]
    command = [sys.executable, "-m", "search_service", "serve", *where, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline(), "expected a service, found it ended; see above"
            yield port
        finally:
            server.terminate()


def uploads(pictures: Sequence[Path]) -> list[bytes]:
    """Requests that send these pictures, to be searched with and to be localized in turn."""
    return [_upload(picture.read_bytes(), _ROUTES[number % 2]) for number, picture in enumerate(pictures)]


def keep_busy(port: int, clients: int, requests: Iterator[bytes], count: int) -> Load:
    """Send so many requests by so many clients to 127.0.0.1.

    Raises:
        AssertionError: an answer was not 200.
        OSError: a connection was refused, or broken.
    """
    remaining = _shared(islice(requests, count))
    latencies: list[float] = []
    began, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(clients) as pool:
        for client in [pool.submit(_ask_on, port, remaining, latencies) for _ in range(clients)]:
            client.result()
    seconds, used = time.perf_counter() - began, time.process_time() - used
    return Load(latencies, seconds, 1_000 * used / count)


def _shared(requests: Iterator[bytes]) -> Callable[[], bytes | None]:
    """The next request, or None after the last; for any number of threads."""
    lock = threading.Lock()

    def following() -> bytes | None:
        with lock:
            return next(requests, None)

    return following


def _ask_on(port: int, following: Callable[[], bytes | None], latencies: list[float]) -> None:
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (request := following()) is not None:
            began = time.perf_counter()
            connection.sendall(request)
            status = _read_answer(connection)
            latencies.append(1_000 * (time.perf_counter() - began))
            assert status == 200, f"expected status 200, found {status}"


def _read_answer(connection: socket.socket) -> int:
    """The status of an answer, read to its end; by hand, for the cores that clients take are the service's."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        received = connection.recv(1 << 16)
        if not received:
            raise ConnectionError("expected an answer, found the connection closed")
        answer += received
    head, body = answer.split(b"\r\n\r\n", 1)
    missing = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) - len(body)
    while missing > 0:
        missing -= len(connection.recv(missing))
    return int(head.split(b" ", 2)[1])


def _upload(picture: bytes, route: str) -> bytes:
    disposition = 'Content-Disposition: form-data; name="image"; filename="a.jpg"'
    before = f"--{_BOUNDARY}\r\n{disposition}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
    body = before + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
    head = (
        f"POST /api/v1/{route} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n\r\n"
    )
    return head.encode() + body

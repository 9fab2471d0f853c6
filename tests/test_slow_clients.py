"""Many clients that send or read a byte a second, and what others notice of them: nothing."""

import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import cycle
from pathlib import Path

import pytest

from tests.load import served

SLOW = 100
HEAD = b"POST /api/v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
LARGE = b"GET /map/plotly.min.js HTTP/1.1\r\nHost: x\r\n\r\n"
KINDS = (b"", HEAD, LARGE)  # what they send at once: they then send their head or body, or read, byte by byte


def crawl(connections: list[socket.socket], done: threading.Event) -> None:
    """Send a byte over each connection that still sends, and read one over the others, every second."""
    while not done.wait(1):
        for connection, sent in zip(connections, cycle(KINDS)):
            with suppress(OSError):
                connection.recv(1) if sent == LARGE else connection.sendall(b"G")


@pytest.fixture
def beset_port(collection_path: Path) -> Iterator[int]:
    """The port of a service that a hundred slow clients hang on to."""
    with ExitStack() as stack:
        port = stack.enter_context(served(collection_path))
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(SLOW)]
        for connection, sent in zip(connections, cycle(KINDS)):
            connection.settimeout(1)
            connection.sendall(sent or b"G")
        done = threading.Event()
        crawler = threading.Thread(target=crawl, args=(connections, done))
        crawler.start()
        yield port
        done.set()
        crawler.join()


def test_a_hundred_slow_clients_stop_nobody(beset_port: int) -> None:
    def ask(image_id: int) -> int:
        address = f"http://127.0.0.1:{beset_port}/api/v1/images/{image_id}/similar?k=1"
        with urllib.request.urlopen(address, timeout=60) as response:
            found: int = json.load(response)["query"]["positives"][0]["image_id"]
        return found

    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(ask, [*range(40)] * 5)) == [*range(40)] * 5

"""What other processes do to a catalogue, to be killed at it; and a line to a server that can go dead."""

import itertools
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

from indexer.catalogue import Catalogue
from indexer.records import Box, IndexedImage, ObjectLabel

IMAGES = 400

_CONTEXT = multiprocessing.get_context("forkserver")
_PATIENCE = 60  # seconds; for a process to come to its first step


def some_images(count: int) -> list[IndexedImage]:
    """Records, each of an image with one object."""
    objects = (ObjectLabel("cat", Box(0, 0, 10, 8)),)
    return [
        IndexedImage(
            image_id=number, filename=f"{number:06d}.jpg", sha256=f"{number:064x}", split="train",
            width=100, height=80, objects=objects,
        )
        for number in range(count)
    ]  # fmt: skip


class HalfImages(list[IndexedImage]):
    """Images that come to a stop when half of them are read."""

    def __init__(self, images: list[IndexedImage], at_half: Event) -> None:
        super().__init__(images)
        self._at_half = at_half

    def __iter__(self) -> Iterator[IndexedImage]:
        yield from itertools.islice(super().__iter__(), len(self) // 2)
        self._at_half.set()
        time.sleep(_PATIENCE)


@contextmanager
def started(act: Callable[[str, Event], None], url: str) -> Iterator[ForkServerProcess]:
    """A process that has come to its first step, and is killed in the end."""
    step = _CONTEXT.Event()
    process = _CONTEXT.Process(target=act, args=(url, step), daemon=True)
    process.start()
    try:
        assert step.wait(_PATIENCE), "expected the process to come to its first step"
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def hold_the_writers_lock(url: str, step: Event) -> None:
    """Until the end."""
    with Catalogue(url, "voc").only_writer():
        step.set()
        time.sleep(_PATIENCE)


def hold_a_generation(url: str, step: Event) -> None:
    """Until the end."""
    Catalogue(url, "voc").hold(1)
    step.set()
    time.sleep(_PATIENCE)


def write_half(url: str, step: Event) -> None:
    """Records of generation 2, of which half are on their way."""
    Catalogue(url, "voc").write_records(2, HalfImages(some_images(20_000), step), [])


def publish_on_and_on(url: str, step: Event) -> None:
    """One generation after the other, each with a file that tells its number."""
    catalogue = Catalogue(url, "voc")
    catalogue.migrate()
    with catalogue.only_writer():
        for number in itertools.count((catalogue.published().generation or 0) + 1):
            catalogue.write_records(number, some_images(IMAGES), [])
            catalogue.publish(number, {"manifest.json": str(number).encode()})
            catalogue.drop(number - 2)
            step.set()


class Line:
    """Passes bytes on to a server, until it goes dead: then it takes what is sent, and answers nothing.

    Attributes:
        url: to reach the server by.
    """

    def __init__(self, url: str) -> None:
        there = urlsplit(url)
        self._there = (there.hostname or "", there.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._alive = threading.Event()
        self._alive.set()
        self._ends: list[socket.socket] = [self._listener]
        here = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = there._replace(netloc=f"{there.username}:secret@{here}").geturl()
        threading.Thread(target=self._take, daemon=True).start()

    def die(self) -> None:
        """From now on, nothing is answered."""
        self._alive.clear()

    def live(self) -> None:
        """New connections are answered again."""
        self._alive.set()

    def close(self) -> None:
        """Cut all connections."""
        for end in self._ends:
            end.close()

    def _take(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # it was closed
            self._ends.append(near)
            if self._alive.is_set():
                far = socket.create_connection(self._there)
                self._ends.append(far)
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                if self._alive.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one end was closed

"""Pictures are decoded by processes of their own: one that falls over a picture takes nothing else along.

Each has limits of memory and time (see `decoder_process`). One that dies or takes too long is replaced, and only
the picture it was at is refused.
"""

import hashlib
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import BoxError, ImageError, TooLargeError
from indexer.images import LARGE, MAX_PIXELS
from indexer.records import Box
from search_service.decoder_wire import SQUARE, THUMBNAIL, Task, receive, send
from search_service.errors import RequestError

DECODERS = min(os.cpu_count() or 1, 4)
"""Processes; few pictures are faster embedded than so many decode."""

SECONDS = 10.0  # of a picture; one of 80 megapixels takes at most 3, whatever its format
MEGABYTES = 1_536  # of a picture; one of 80 megapixels takes at most 1,310, a WebP
_START = 60.0  # seconds until a process is ready, on a machine however busy
_HOME = Path(__file__).parents[1]
_ERRORS: dict[str, type[ImageError]] = {one.__name__: one for one in (ImageError, BoxError, TooLargeError)}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Square:
    """A picture squashed to (side, side, 3) uint8 RGB; width and height of the whole file, as shown."""

    pixels: NDArray[np.uint8]
    width: int
    height: int


class Decoders:
    """So many decoder processes, for any number of threads; started when first needed, or by `start`.

    Args:
        count: processes.
        seconds: that one may be at a picture.
        megabytes: that a picture may take.
    """

    def __init__(self, count: int = DECODERS, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        self._count = count
        self._seconds = seconds
        self._megabytes = megabytes
        self._places = threading.BoundedSemaphore(count)
        self._idle: list[_Process] = []
        self._one_large = threading.BoundedSemaphore(1)

    def start(self) -> None:
        """Start all of them, and wait for none: they get ready while other things do."""
        with self._all_places():
            self._idle += [_Process(self._megabytes) for _ in range(self._count - len(self._idle))]

    def close(self) -> None:
        """End all of them, once they have done what they are at; they would start again if asked."""
        with self._all_places():
            while self._idle:
                self._idle.pop().end()

    def square(
        self, data: bytes, side: int, resampling: str, box: Box | None = None, seconds: float | None = None
    ) -> Square:
        """Decode a picture file, or the part of it in a box, and squash it to a square.

        Args:
            data: the file's bytes.
            side: of the square, in pixels.
            resampling: a key of `images.FILTERS`.
            box: the part that is meant, in pixels of the picture as shown.
            seconds: within which an answer is needed, waiting for a process included; None for however long.

        Raises:
            ImageError: as `images.decode`; or it takes too much time or memory to decode, or crashes the decoder.
            RequestError: no answer within `seconds`, no process can be started, or somebody ended it.
        """
        corners = box.corners if box else None
        task = Task(make=SQUARE, side=side, resampling=resampling, corners=corners, most=LARGE, seconds=0)
        told, body = self._make(task, data, seconds)
        return Square(np.frombuffer(body, np.uint8).reshape(side, side, 3), told["width"], told["height"])

    def thumbnail(self, data: bytes, side: int, seconds: float | None = None) -> bytes:
        """A JPEG of a picture file, its longer side at most `side` pixels; arguments and errors as `square`."""
        _, body = self._make(Task(make=THUMBNAIL, side=side, most=LARGE, seconds=0), data, seconds)
        return bytes(body)

    def _make(self, task: Task, data: bytes, seconds: float | None) -> "_Answer":
        until = math.inf if seconds is None else time.monotonic() + seconds
        told, body = self._ask(task, data, until)
        if told.get("error") == TooLargeError.__name__:
            with _held(self._one_large, until):
                told, body = self._ask(replace(task, most=MAX_PIXELS), data, until)
        if "error" in told:
            raise _ERRORS[told["error"]](told["message"])
        return told, body

    def _ask(self, task: Task, data: bytes, until: float) -> "_Answer":
        with self._process(until) as process:
            left = until - time.monotonic()
            try:
                return process.ask(replace(task, seconds=max(min(self._seconds, left), 0.0)), data)
            except TimeoutError:
                if left < self._seconds:
                    raise _late() from None
                message = (
                    f"expected a picture that decodes within {self._seconds:g} s, found one that takes longer"
                )
                raise ImageError(message) from None
            except EOFError:
                raise _died(process.wait(), data) from None

    @contextmanager
    def _process(self, until: float) -> Iterator["_Process"]:
        """A process that nobody else uses meanwhile; it is kept for the next if no error is raised."""
        with _held(self._places, until):
            process = self._idle.pop() if self._idle else None
            if process is None or not process.alive:
                process = _Process(self._megabytes)
            try:
                yield process
            except BaseException:
                process.end()
                raise
            self._idle.append(process)

    @contextmanager
    def _all_places(self) -> Iterator[None]:
        taken = [self._places.acquire() for _ in range(self._count)]
        try:
            yield
        finally:
            self._places.release(len(taken))


_Answer = tuple[dict[str, Any], bytearray]


class _Process:
    """A decoder process; ended at the latest when nobody holds it.

    Raises:
        RequestError: it cannot be started.
    """

    def __init__(self, megabytes: int) -> None:
        command = [sys.executable, "-m", "search_service.decoder_process", str(megabytes)]
        self._connection, its_end = socket.socketpair()
        with its_end:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own program
                command,
                cwd=_HOME,
                stdin=its_end.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries talk about damaged pictures
                start_new_session=True,
            )
        self._ready = False
        self.end = weakref.finalize(self, _end, self._process, self._connection)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask(self, task: Task, data: bytes) -> _Answer:
        """What it answers; the time it takes to get ready is not counted.

        Raises:
            TimeoutError: it takes longer than the task may.
            EOFError: it died, or says what makes no sense.
        """
        try:
            if not self._ready:
                receive(self._connection, _START)
                self._ready = True
            until = time.monotonic() + task.seconds
            send(self._connection, asdict(task), data, task.seconds)
            return receive(self._connection, until - time.monotonic())
        except (ConnectionError, ValueError) as error:
            raise EOFError(str(error)) from error

    def wait(self) -> int:
        """Its exit code, or the number of the signal that ended it, below 0."""
        return self._process.wait()


def _end(process: subprocess.Popen[bytes], connection: socket.socket) -> None:
    connection.close()
    process.kill()
    process.wait()


@contextmanager
def _held(places: threading.Semaphore, until: float) -> Iterator[None]:
    left = until - time.monotonic()
    if not places.acquire(timeout=min(max(left, 0.0), threading.TIMEOUT_MAX)):
        raise _late()
    try:
        yield
    finally:
        places.release()


def _late() -> RequestError:
    return RequestError(503, "busy", "expected a decoder in time, found all at other pictures; try again")


def _died(code: int, data: bytes) -> Exception:
    """What to raise for a picture over which a process died."""
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    sha256 = hashlib.sha256(data).hexdigest()
    logger.warning("A decoder ended with %s over a picture of %d bytes, sha256 %s", how, len(data), sha256)
    if code == -signal.SIGKILL:
        message = "expected the picture to be decoded, found its decoder ended from outside; try again"
        return RequestError(503, "decoder_ended", message)
    return ImageError(f"expected a picture that can be decoded, found one that crashes the decoder ({how})")

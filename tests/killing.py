"""Runs an act in a process of its own, and kills it: after some time, or just before it touches the file system.

The processes are forked from a server that has imported torch and run none of it, so that each starts at once, and
whoever starts them may run what it likes.
"""

import itertools
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ctypes import Array, c_longlong
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer import inference
from indexer.embedder import Embedder
from indexer.reduction import RawEmbedding

BATCH, PIECE = 8, 2  # pictures on their way at once, and staged together; a quarter of what they are elsewhere

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["indexer.networks", "indexer.openvino_runtime", "tests.kill_phases"])
_PATIENCE = 300  # seconds; no act takes more than a few
_EVENTS, _EMBEDDED = range(2)  # places of what is counted

SERVER_CALL = "tests.server_call"  # audit event of what changes something on a server, for a folder's collection
_CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "sqlite3.connect", SERVER_CALL)

Act = Callable[[Path], object]
"""On a folder; can be sent to another process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """When to be killed; the first of the two to come.

    Attributes:
        seconds: after the start.
        event: just before the change of that number, from 1, that is made to files under the folder.
    """

    seconds: float | None = None
    event: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How it went.

    Attributes:
        killed: whether it met its death before it came to its end.
        seconds: that it took.
        events: changes that it made to files under the folder.
        embedded: pictures, and parts of them, that it began to embed.
    """

    killed: bool
    seconds: float
    events: int
    embedded: int


def run(act: Act, folder: Path, death: Death | None = None) -> Run:
    """Have an act run on a folder, to its end or its death; it may not fail by itself."""
    death = death or Death()
    counts = _SERVER.RawArray("q", 2)
    process = _SERVER.Process(target=_perform, args=(act, folder, counts, death.event))
    started = time.monotonic()
    process.start()
    process.join(_PATIENCE if death.seconds is None else death.seconds)
    process.kill()
    process.join()
    exit_code = process.exitcode
    process.close()
    assert exit_code in (0, -signal.SIGKILL), f"expected {act} to end or to be killed, found exit code {exit_code}"
    seconds = time.monotonic() - started
    assert seconds < _PATIENCE, f"expected {act} to end within {_PATIENCE} s"
    return Run(killed=exit_code != 0, seconds=seconds, events=counts[_EVENTS], embedded=counts[_EMBEDDED])


@contextmanager
def reading(read: Callable[[Path], str | None], folder: Path) -> Iterator[set[str | None]]:
    """Have a process read again and again meanwhile; all different answers are in the set once that is over.

    Fails where one reading failed.
    """
    here, there = _SERVER.Pipe()
    process = _SERVER.Process(target=_read_on, args=(read, folder, there), daemon=True)
    process.start()
    there.close()
    seen: set[str | None] = set()
    with here:
        try:
            yield seen
        finally:
            with suppress(BrokenPipeError):
                here.send("stop")
            with suppress(EOFError, ConnectionResetError):
                seen |= here.recv()
            process.join(_PATIENCE)
    assert process.exitcode == 0, "expected every reading to succeed, found one that failed"


def _perform(act: Act, folder: Path, counts: "Array[c_longlong]", deadly: int | None) -> None:
    logging.getLogger().setLevel(logging.ERROR)
    tqdm.set_lock(threading.RLock())  # its own would be shared by processes, and outlive a killed one
    inference.BATCH, inference.PIECE = BATCH, PIECE
    _count_embedded(counts)
    _count_changes(folder, counts, deadly)
    act(folder)


def _count_embedded(counts: "Array[c_longlong]") -> None:
    """Each picture once: with a reduction or without, all go through one method."""
    lock, embed_raw = threading.Lock(), Embedder.embed_raw

    def counted(self: Embedder, pixels: Sequence[NDArray[np.uint8]], *, keep_maps: bool) -> RawEmbedding:
        with lock:
            counts[_EMBEDDED] += len(pixels)
        return embed_raw(self, pixels, keep_maps=keep_maps)

    Embedder.embed_raw = counted  # type: ignore[method-assign]  # in this process alone


def _count_changes(folder: Path, counts: "Array[c_longlong]", deadly: int | None) -> None:
    """Python tells each change before it is made; a hook cannot be taken away again."""
    numbers = itertools.count(1)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if _changes(event, arguments, str(folder)):
            number = next(numbers)
            if number == deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            counts[_EVENTS] = number

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[Any, ...], folder: str) -> bool:
    """Whether an audit event changes something under a folder; names beside an open folder count as under it."""
    if event == "open":
        path, _, flags = arguments
        return bool(flags & (os.O_WRONLY | os.O_RDWR)) and str(path).startswith(folder)
    if event not in _CHANGES:
        return False
    return str(arguments[0]).startswith(folder) or not Path(str(arguments[0])).is_absolute()


def _read_on(read: Callable[[Path], str | None], folder: Path, there: "Connection[Any, Any]") -> None:
    logging.getLogger().setLevel(logging.ERROR)
    seen = {read(folder)}
    while not there.poll():
        seen.add(read(folder))
    there.send(seen)

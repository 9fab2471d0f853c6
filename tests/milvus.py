"""A Milvus server for the tests: that of LOOKALIKE_TEST_MILVUS, or milvus-lite in a process of its own.

Made-up collections to put on it are here, too.
"""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from indexer.records import Box, IndexedImage, ObjectLabel
from tests.postgres import free_port

_MISSING = [name for name in ("pymilvus", "milvus_lite") if find_spec(name) is None]
needs_milvus = pytest.mark.skipif(
    bool(_MISSING), reason=f"{' and '.join(_MISSING)} not installed: pip install '.[milvus]'"
)

NAMED = os.environ.get("LOOKALIKE_TEST_MILVUS")  # a URI
WIDTH, HEIGHT = 100, 80
CLASSES = (
    "dog",
    "cat",
    'th"e',
    "back\\slash",
    "line\nbreak\r",
    "tab\t",
    "猫 ünï 🐶",
    "it's",
    "a\\",
    "%_",
    "null",
    "",
)
SPLITS = ("train", "val", 'te"st\\n')
POSES = ("Left", "Frontal", "Ünspecified", "\\")
BOXES = (Box(0, 0, 10, 8), Box(0, 0, 20, 40), Box(0, 0, 50, 40), Box(5, 5, 98, 77), Box(0.5, 0.25, 33.3, 77.7))
SHARES = tuple(box.area / (WIDTH * HEIGHT) for box in BOXES)

_STARTING = 60  # seconds


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server that keeps its data there: its address and its process, which is gone at the end."""
    port = free_port()
    address = ("--data-dir", str(folder / "data"), "--host", "127.0.0.1", "--port", str(port))
    with (folder / "server.log").open("wb") as log:
        command = [sys.executable, "-m", "milvus_lite.cmdline", "server", *address]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(port, process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _STARTING
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the milvus-lite server did not start")


def made_up_images(
    count: int, seed: int, *, objects: int = 5, classes: Sequence[str] = CLASSES
) -> list[IndexedImage]:
    """Images that are told of in every way there is, with up to so many objects; always the same of the same."""
    dice = random.Random(seed)  # noqa: S311 - nothing is kept secret with it

    def label() -> ObjectLabel:
        flags = [dice.choice((None, False, True)) for _ in range(3)]
        return ObjectLabel(dice.choice(classes), dice.choice(BOXES), dice.choice((None, *POSES)), *flags)

    return [
        IndexedImage(
            image_id=number, filename=f"{number}.jpg", sha256="0" * 64, split=dice.choice((None, *SPLITS)),
            width=WIDTH, height=HEIGHT, objects=tuple(label() for _ in range(dice.randint(0, objects))),
        )
        for number in range(count)
    ]  # fmt: skip

"""What a service and its decoder processes say to each other: a header in JSON and a body of bytes, both counted.

Nothing is pickled: whoever takes over a decoder by a hostile picture can say nothing to the service but this.
"""

import json
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

_COUNTS = struct.Struct("!II")  # bytes of header and body
_LARGEST = 1 << 30  # bytes

SQUARE, THUMBNAIL = TASKS = ("square", "thumbnail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be made of a picture file.

    Attributes:
        make: one of `TASKS`: the whole of it squashed to a square, or a small JPEG.
        side: pixels of the square, or of the JPEG's longer side at most.
        resampling: of the square; a key of `images.FILTERS`.
        corners: of the part of the picture that is meant.
        most: pixels that the picture may have.
        seconds: that it may take.
    """

    make: str
    side: int
    resampling: str = "bicubic"
    corners: tuple[float, float, float, float] | None = None
    most: int
    seconds: float


def send(connection: socket.socket, header: dict[str, Any], body: bytes, seconds: float | None = None) -> None:
    """Send one message.

    Raises:
        TimeoutError: it is not taken within so many seconds.
        OSError: the other side is gone.
    """
    text = json.dumps(header).encode()
    connection.settimeout(seconds)
    connection.sendall(_COUNTS.pack(len(text), len(body)) + text)
    connection.sendall(body)


def receive(connection: socket.socket, seconds: float | None = None) -> tuple[dict[str, Any], bytearray]:
    """Receive one message.

    Raises:
        TimeoutError: it is not whole within so many seconds.
        EOFError: the other side is gone.
        ValueError: what comes is not a message.
    """
    until = None if seconds is None else time.monotonic() + seconds
    header_size, body_size = _COUNTS.unpack(_read(connection, _COUNTS.size, until))
    if header_size + body_size > _LARGEST:
        raise ValueError(f"expected a message of at most {_LARGEST:,} bytes, found {header_size + body_size:,}")
    header = json.loads(_read(connection, header_size, until))
    if not isinstance(header, dict):
        raise ValueError(f"expected a header of names and values, found {header!r:.50}")  # noqa: TRY004
    return header, _read(connection, body_size, until)


def _read(connection: socket.socket, count: int, until: float | None) -> bytearray:
    taken = bytearray(count)
    rest = memoryview(taken)
    while rest:
        connection.settimeout(None if until is None else max(until - time.monotonic(), 1e-3))
        received = connection.recv_into(rest)
        if not received:
            raise EOFError("expected a message, found the other side gone")
        rest = rest[received:]
    return taken

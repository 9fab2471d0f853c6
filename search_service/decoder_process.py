"""A process that decodes pictures for a service, one after the other, and may fall over one: see `decoders`.

Its standard input is the socket it is asked over; it ends when that is closed. It imports what decoding needs, and
no more.
"""

import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from indexer import images
from indexer.errors import ImageError
from indexer.records import Box
from search_service.decoder_wire import SQUARE, Task, receive, send

_FILES = 16  # open at once; three are, beside the socket
_GRACE = 1.0  # seconds; the service itself ends what takes too long, if it is still there
_MEMORY = Path("/proc/self/statm")  # proc(5)


def main(megabytes: int) -> None:
    """Answer until nobody asks any more; `megabytes` is what a picture may take."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # meant for the service, which answers first what it was asked
    images.load_formats()
    _limit(megabytes)
    with socket.socket(fileno=sys.stdin.fileno()) as service:
        try:
            send(service, {"ready": True}, b"")
            while True:
                asked, data = receive(service)
                send(service, *_answer(Task(**asked), bytes(data), megabytes))
        except (EOFError, ConnectionError):
            return


def _limit(megabytes: int) -> None:
    """Keep no core, write no file, open few, and take so much memory beside what is taken already."""
    held = int(_MEMORY.read_text().split()[5]) * resource.getpagesize() if _MEMORY.exists() else 0
    for limited, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_DATA, held + megabytes * 2**20),
    ):
        resource.setrlimit(limited, (most, most))


def _answer(task: Task, data: bytes, megabytes: int) -> tuple[dict[str, Any], bytes]:
    """What was asked for, or why there is none; SIGALRM ends the process where it takes too long."""
    signal.setitimer(signal.ITIMER_REAL, task.seconds + _GRACE)
    try:
        return _make(task, data)
    except ImageError as error:
        return {"error": type(error).__name__, "message": str(error)}, b""
    except MemoryError:
        message = f"expected a picture that takes at most {megabytes:,} MB to decode, found one that takes more"
        return {"error": "ImageError", "message": message}, b""
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _make(task: Task, data: bytes) -> tuple[dict[str, Any], bytes]:
    picture = images.decode(data, task.side, Box(*task.corners) if task.corners else None, task.most)
    if task.make == SQUARE:
        body = images.fit_square(picture, task.side, task.resampling).tobytes()
    else:
        body = images.thumbnail(picture, task.side)
    return {"width": picture.width, "height": picture.height}, body


if __name__ == "__main__":
    main(int(sys.argv[1]))

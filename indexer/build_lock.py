"""The lock of a collection: one build, or repair, at a time."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.durable import make_folder
from indexer.errors import CollectionBusyError

_LOCK = "build.lock"
_PATIENCE = 1.0  # seconds; `is_building` holds the lock for an instant


@contextmanager
def only_builder(path: Path) -> Iterator[None]:
    """Hold the collection's lock; the system gives it back even if this process is killed.

    Raises:
        CollectionBusyError: another process holds it.
    """
    make_folder(path)
    lock = FileLock(path / _LOCK, timeout=_PATIENCE)
    try:
        with lock:
            yield
    except Timeout:
        raise CollectionBusyError(f"another build is running on {path}; wait for it, or stop it first") from None


def is_building(path: Path) -> bool:
    """Whether a process holds the collection's lock at this moment; asked without leave to write."""
    try:
        descriptor = os.open(path / _LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        return True
    finally:
        os.close(descriptor)
    return False

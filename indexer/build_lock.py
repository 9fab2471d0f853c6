"""The lock of a collection: one build, or repair, at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from indexer import file_lock
from indexer.durable import make_folder
from indexer.errors import CollectionBusyError
from indexer.file_lock import NoLocksError

_LOCK = "build.lock"
_PATIENCE = 1.0  # seconds; `is_building` holds the lock for an instant


@contextmanager
def only_builder(path: Path) -> Iterator[None]:
    """Hold the collection's lock; the system gives it back even if this process is killed.

    Raises:
        CollectionBusyError: another process holds it.
        NoLocksError: the collection's file system has no locks.
    """
    make_folder(path)
    lock = FileLock(path / _LOCK, timeout=_PATIENCE, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise CollectionBusyError(f"another build is running on {path}; wait for it, or stop it first") from None
    except OSError as error:
        file_lock.refuse_lack_of_locks(path, error)
        raise
    try:
        yield
    finally:
        lock.release()


def is_building(path: Path) -> bool:
    """Whether a process holds the collection's lock at this moment; asked without leave to write."""
    try:
        descriptor = os.open(path / _LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        file_lock.lock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, path)
    except BlockingIOError:
        return True
    except NoLocksError:  # where nobody can build
        return False
    finally:
        os.close(descriptor)
    return False

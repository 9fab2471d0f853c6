"""Readers' locks on generations: what is open to a reader is not deleted.

They are the system's own (flock of the generation's folder), so that nothing has to be written for them, and that
of a killed reader goes with it. Network file systems may keep them on each machine for itself.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import finalize

from indexer import file_lock
from indexer.file_lock import NoLocksError


class ReadersLock:
    """A reader's hold on a generation, shared with others; ends with `release`, or when nobody knows it any more.

    Args:
        folder: of the generation.

    Raises:
        FileNotFoundError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.release = finalize(self, os.close, descriptor)
        with suppress(NoLocksError):  # where nothing is deleted, for nobody can build
            file_lock.lock(descriptor, fcntl.LOCK_SH, folder)


@contextmanager
def unread(folder: Path) -> Iterator[bool]:
    """Whether nobody reads a generation; if so, new readers wait until the block ends.

    Raises:
        FileNotFoundError: there is no such folder.
        NoLocksError: its file system has no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _lock_alone(descriptor, folder)
    finally:
        os.close(descriptor)


def _lock_alone(descriptor: int, folder: Path) -> bool:
    try:
        file_lock.lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, folder)
    except BlockingIOError:
        return False
    return True

"""Writers' locks on folders that many may write to at the same time: one writes, the others wait their turn.

They are the system's own (flock of the folder), as those of readers are: that of a killed writer goes with it. So
what is found half written by who holds the lock is no living process's, and may be cleared.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer import file_lock
from indexer.durable import make_folder
from indexer.file_lock import NoLocksError


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Make a folder where there is none, and be the only one to write in it, be it after others.

    Raises:
        NoLocksError: its file system has no locks.
    """
    make_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        file_lock.lock(descriptor, fcntl.LOCK_EX, folder)
        yield
    finally:
        os.close(descriptor)


def is_written(folder: Path) -> bool:
    """Whether somebody writes in a folder at this moment; asked without leave to write."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        file_lock.lock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, folder)
    except BlockingIOError:
        return True
    except NoLocksError:  # where nobody can write
        return False
    finally:
        os.close(descriptor)
    return False

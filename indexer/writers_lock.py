"""Writers' locks on folders that many may write to at the same time: one writes, the others wait their turn.

They are the system's own (flock of the folder), as those of readers are: that of a killed writer goes with it. So
what is found half written by who holds the lock is no living process's, and may be cleared.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.durable import make_folder


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Make a folder where there is none, and be the only one to write in it, be it after others."""
    make_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_written(folder: Path) -> bool:
    """Whether somebody writes in a folder at this moment; asked without leave to write."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False

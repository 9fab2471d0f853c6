"""Bytes that reach the disk before their name does: what has its name is whole, even after the power failed."""

import errno
import os
from pathlib import Path

_OF_FILES_ALONE = {errno.EBADF, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def sync(path: Path) -> None:
    """Have the system bring a file's bytes, or the names in a folder, to the disk.

    Some network mounts and volumes bring files to their disk alone, and see to the names by themselves.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _OF_FILES_ALONE or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are not there, each with its name brought to the disk."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def settle(part: Path, path: Path) -> None:
    """Give a finished file its name: it is there whole, or not at all."""
    sync(part)
    part.replace(path)
    sync(path.parent)


def settle_folder(part: Path, path: Path) -> None:
    """Give a folder of finished files its name, which nothing has yet: it is there whole, or not at all."""
    for file in part.iterdir():
        sync(file)
    sync(part)
    make_folder(path.parent)
    part.rename(path)
    sync(path.parent)

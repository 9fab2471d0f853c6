"""Reading the newest of numbered folders, the older of which are deleted as newer ones come."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from indexer.errors import LookalikeError

Made = TypeVar("Made")


def numbered(folder: Path) -> list[Path]:
    """The folders in a folder whose names are numbers, the least first."""
    return sorted(path for path in folder.glob("*") if path.name.isdecimal() and path.is_dir())


def read_newest(find: Callable[[], Path], read: Callable[[Path], Made]) -> Made:
    """What is read of the folder found; of the next one where it is superseded meanwhile, and perhaps gone.

    Raises:
        LookalikeError: whatever `find` and `read` raise.
        OSError: whatever `find` and `read` raise.
    """
    folder = find()
    while True:
        try:
            return read(folder)
        except (LookalikeError, OSError):
            newer = find()
            if newer == folder:
                raise
            folder = newer

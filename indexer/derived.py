"""What was worked out from a generation after it was published: beside it, as it never changes itself.

Layout: `derived/000001/NAME.npz` for arrays, and `derived/000001/NAME.json` for records (`derived_files.py`). Each
appears whole by one rename.
"""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from indexer.collection import Collection
from indexer.derived_files import ARRAYS, RECORD, Arrays, Record, read_arrays, read_record, to_bytes, write_arrays
from indexer.durable import make_folder, settle
from indexer.errors import CollectionError
from indexer.generations import generations
from indexer.layout import DERIVED, derived_folder
from indexer.writers_lock import only_writer

Made = TypeVar("Made")

Stamp = tuple[int, int, int]
"""Tells one content of a file from the next: time of change in ns, bytes, and number of the file."""

logger = logging.getLogger(__name__)


def save(collection: Collection, name: str, arrays: Arrays) -> None:
    """Store arrays, and delete what was worked out from generations that are gone, or was left half written."""
    _store(collection, f"{name}{ARRAYS}", lambda file: write_arrays(file, arrays))


def save_record(collection: Collection, name: str, content: Record) -> None:
    """Store a record, and delete what was worked out from generations that are gone, or was left half written."""
    _store(collection, f"{name}{RECORD}", lambda file: file.write(to_bytes(content)))


def keep_record(collection: Collection, name: str, content: Record) -> bool:
    """As `save_record`, for what is worth having without: says in one line why it was not stored, and goes on."""
    try:
        save_record(collection, name, content)
    except OSError as error:
        logger.warning(
            "not kept beside the collection, so pages will not show it: the system refused at %s: %s",
            error.filename or collection.path,
            error.strerror or error,
        )
        return False
    return True


def load(collection: Collection, name: str) -> Arrays | None:
    """What `save` stored for this very generation; None where it did not.

    Raises:
        CollectionError: it is damaged.
    """
    path = _path(collection, f"{name}{ARRAYS}")
    return read_arrays(path) if path.is_file() else None


def load_record(collection: Collection, name: str) -> Record | None:
    """What `save_record` stored for this very generation; None where it did not.

    Raises:
        CollectionError: it is damaged.
    """
    path = _path(collection, f"{name}{RECORD}")
    return read_record(path) if path.exists() else None


def had(collection: Collection, name: str) -> bool:
    """Whether `save` stored this for an older generation that is still there."""
    return any(path.exists() for path in _former(collection, f"{name}{ARRAYS}"))


def load_former_record(collection: Collection, name: str) -> Record | None:
    """What `save_record` stored for the last generation but this that has it; None where none can be read."""
    for path in _former(collection, f"{name}{RECORD}"):
        try:
            return read_record(path)
        except (CollectionError, FileNotFoundError):
            continue
    return None


def load_made(collection: Collection, name: str, make: Callable[[Record], Made], *, command: str) -> Made | None:
    """What is made of a record; None where none was stored for this very generation.

    Args:
        collection: an open generation.
        name: of the record.
        make: from its content.
        command: that writes the record anew.

    Raises:
        CollectionError: it is damaged, or of another version of this software.
    """
    content = load_record(collection, name)
    if content is None:
        return None
    try:
        return make(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise CollectionError(
            f"expected a record of {name} as this version writes it, found another; evaluate anew: "
            f"{command} --collection {collection.path}"
        ) from error


def stamp(collection: Collection, name: str) -> Stamp | None:
    """By which a reader sees whether a record changed; None where there is none for this very generation."""
    return stamp_of(_path(collection, f"{name}{RECORD}"))


def array_files(generation: Path) -> list[Path]:
    """The files of all arrays that were worked out from a generation, by name."""
    return sorted(derived_folder(generation).glob(f"*{ARRAYS}"))


def record_file(generation: Path, name: str) -> Path:
    """The file of a record that was worked out from a generation, there or not."""
    return derived_folder(generation) / f"{name}{RECORD}"


def stamp_of(path: Path) -> Stamp | None:
    """By which one content of a file is told from the next; None where it cannot be asked for."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _path(collection: Collection, filename: str) -> Path:
    return derived_folder(collection.folder) / filename


def _former(collection: Collection, filename: str) -> list[Path]:
    """A file as it lies, or would lie, beside the other generations, newest first."""
    others = [folder for folder in generations(collection.path) if folder.name != collection.folder.name]
    return [derived_folder(folder) / filename for folder in reversed(others)]


def _store(collection: Collection, filename: str, write: Callable[[BinaryIO], object]) -> None:
    path = _path(collection, filename)
    part = path.with_name(f"{filename}.part")
    with only_writer(collection.path / DERIVED):
        _prune(collection)
        make_folder(path.parent)
        try:
            with part.open("w+b") as file:
                write(file)
            settle(part, path)
        finally:
            part.unlink(missing_ok=True)
        collection.store.share(path.parent)


def _prune(collection: Collection) -> None:
    kept = {path.name for path in generations(collection.path)}
    for former in (collection.path / DERIVED).iterdir():
        if former.is_dir() and former.name not in kept:
            shutil.rmtree(former)
    for torn in (collection.path / DERIVED).glob("*/*.part"):
        torn.unlink()

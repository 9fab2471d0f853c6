"""What was worked out from a generation after it was published: beside it, as it never changes itself.

Layout: `derived/000001/NAME.npz` for arrays, which carry checksums of their own, and `derived/000001/NAME.json`
for records, beside their checksum. Each file appears whole by one rename.
"""

import json
import logging
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Collection, generations
from indexer.errors import CollectionError
from indexer.generation import settle
from indexer.manifest import content_sha256

# What numpy and zipfile raise on damaged archives.
_UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile)

Arrays = dict[str, NDArray[Any]]
Record = dict[str, Any]
"""What JSON can hold; every key is a text."""

Made = TypeVar("Made")

Stamp = tuple[int, int, int]
"""Tells one content of a file from the next: time of change in ns, bytes, and number of the file."""

logger = logging.getLogger(__name__)


def save(collection: Collection, name: str, arrays: Arrays) -> None:
    """Store arrays, and delete what was worked out from generations that are gone."""
    _store(_path(collection, f"{name}.npz"), lambda file: np.savez(file, allow_pickle=False, **arrays))
    _prune(collection)


def save_record(collection: Collection, name: str, content: Record) -> None:
    """Store a record, and delete what was worked out from generations that are gone."""
    text = json.dumps({"sha256": content_sha256(content), "content": content})
    _store(_path(collection, f"{name}.json"), lambda file: file.write(text.encode()))
    _prune(collection)


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
    path = _path(collection, f"{name}.npz")
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return dict(file)
    except _UNREADABLE as error:
        raise CollectionError(
            f"{path} is damaged: expected arrays, found what cannot be read; delete that file and run again"
        ) from error


def load_record(collection: Collection, name: str) -> Record | None:
    """What `save_record` stored for this very generation; None where it did not.

    Raises:
        CollectionError: it is damaged.
    """
    path = _path(collection, f"{name}.json")
    return _read_record(path) if path.exists() else None


def had(collection: Collection, name: str) -> bool:
    """Whether `save` stored this for an older generation that is still there."""
    return any(path.exists() for path in _former(collection, f"{name}.npz"))


def load_former_record(collection: Collection, name: str) -> Record | None:
    """What `save_record` stored for the last generation but this that has it; None where none can be read."""
    for path in _former(collection, f"{name}.json"):
        try:
            return _read_record(path)
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
    return stamp_of(_path(collection, f"{name}.json"))


def array_files(generation: Path) -> list[Path]:
    """The files of all arrays that were worked out from a generation, by name."""
    return sorted((generation.parents[1] / "derived" / generation.name).glob("*.npz"))


def stamp_of(path: Path) -> Stamp | None:
    """By which one content of a file is told from the next; None where it cannot be asked for."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _path(collection: Collection, filename: str) -> Path:
    return collection.path / "derived" / collection.folder.name / filename


def _former(collection: Collection, filename: str) -> list[Path]:
    """A file as it lies, or would lie, beside the other generations, newest first."""
    others = [folder for folder in generations(collection.path) if folder.name != collection.folder.name]
    return [collection.path / "derived" / folder.name / filename for folder in reversed(others)]


def _read_record(path: Path) -> Record:
    try:
        envelope = json.loads(path.read_bytes())
        content = envelope["content"]
        if envelope["sha256"] == content_sha256(content):
            return dict(content)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged_record(path) from error
    raise _damaged_record(path)


def _store(path: Path, write: Callable[[BinaryIO], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            write(file)
        settle(part, path)
    finally:
        part.unlink(missing_ok=True)


def _prune(collection: Collection) -> None:
    kept = {path.name for path in generations(collection.path)}
    for former in (collection.path / "derived").iterdir():
        if former.is_dir() and former.name not in kept:
            shutil.rmtree(former)


def _damaged_record(path: Path) -> CollectionError:
    return CollectionError(
        f"{path} is damaged: expected a record as it was written, found another; delete that file and run again"
    )

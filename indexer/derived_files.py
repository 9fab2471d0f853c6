"""The files of what is worked out from a generation: arrays and records, each with its own SHA-256 in it.

Arrays are an `.npz` with 32 more bytes after its end, which other readers look away from; a record is JSON beside
its checksum, and holds to the letter what `to_bytes` gives.
"""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionError
from indexer.sealed import content_sha256

Arrays = dict[str, NDArray[Any]]
Record = dict[str, Any]
"""What JSON can hold; every key is a text."""

ARRAYS, RECORD = ".npz", ".json"

_SEAL_BYTES = hashlib.sha256().digest_size
_CHUNK = 1 << 20  # bytes

# What numpy and zipfile raise on damaged archives.
_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile)


def write_arrays(file: BinaryIO, arrays: Arrays) -> None:
    """Write into a file that is open for reading too, and empty."""
    np.savez(file, allow_pickle=False, **arrays)
    length = file.seek(0, 2)
    seal = _digest(file, length)
    file.seek(length)
    file.write(seal)


def read_arrays(path: Path) -> Arrays:
    """What `write_arrays` wrote.

    Raises:
        CollectionError: it is damaged.
    """
    try:
        with path.open("rb") as file:
            length = path.stat().st_size - _SEAL_BYTES
            if length < 0 or _digest(file, length) != file.read():
                raise _damaged(path, "arrays")
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
    except _UNREADABLE as error:
        raise _damaged(path, "arrays") from error


def to_bytes(content: Record) -> bytes:
    """The whole file of a record."""
    return json.dumps({"sha256": content_sha256(content), "content": content}).encode()


def read_record(path: Path) -> Record:
    """What was written of `to_bytes`.

    Raises:
        CollectionError: it is damaged.
        FileNotFoundError: it is not there.
    """
    try:
        found = path.read_bytes()
        content = json.loads(found)["content"]
        if found == to_bytes(content):
            return dict(content)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, "a record") from error
    raise _damaged(path, "a record")


def check(path: Path) -> None:
    """Read a file of either kind.

    Raises:
        CollectionError: it is damaged.
    """
    (read_arrays if path.suffix == ARRAYS else read_record)(path)


def _digest(file: BinaryIO, length: int) -> bytes:
    """SHA-256 of the first `length` bytes, after which the file is left."""
    digest = hashlib.sha256()
    file.seek(0)
    while length:
        chunk = file.read(min(_CHUNK, length))
        if not chunk:
            raise EOFError
        digest.update(chunk)
        length -= len(chunk)
    return digest.digest()


def _damaged(path: Path, what: str) -> CollectionError:
    return CollectionError(
        f"{path} is damaged: expected {what} as written, found what cannot be read; delete that file and run again"
    )

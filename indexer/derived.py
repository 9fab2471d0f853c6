"""What was worked out from a generation after it was published: beside it, as it never changes itself.

Layout: `derived/000001/NAME.npz`. Each file appears whole by one rename; its arrays carry checksums of their own.
"""

import shutil
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Collection, generations
from indexer.errors import CollectionError
from indexer.generation import settle

# What numpy and zipfile raise on damaged archives.
_UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile)

Arrays = dict[str, NDArray[Any]]


def save(collection: Collection, name: str, arrays: Arrays) -> None:
    """Store arrays, and delete what was worked out from generations that are gone."""
    folder = collection.path / "derived" / collection.folder.name
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        settle(part, folder / f"{name}.npz")
    finally:
        part.unlink(missing_ok=True)
    kept = {path.name for path in generations(collection.path)}
    for former in folder.parent.iterdir():
        if former.is_dir() and former.name not in kept:
            shutil.rmtree(former)


def load(collection: Collection, name: str) -> Arrays | None:
    """What `save` stored for this very generation; None where it did not.

    Raises:
        CollectionError: it is damaged.
    """
    path = collection.path / "derived" / collection.folder.name / f"{name}.npz"
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return dict(file)
    except _UNREADABLE as error:
        raise CollectionError(
            f"{path} is damaged: expected arrays, found what cannot be read; delete that file and run again"
        ) from error

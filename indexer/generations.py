"""The numbered folders of a collection's generations, of which the last is published."""

import logging
from pathlib import Path

from indexer.build_lock import is_building
from indexer.errors import CollectionError, EmptyCollectionError
from indexer.manifest import Manifest
from indexer.newest import numbered

logger = logging.getLogger(__name__)


def generations(path: Path) -> list[Path]:
    """The folders of the generations of a collection, oldest first; the last is the published one."""
    return numbered(path / "generations")


def published_folder(path: Path) -> Path:
    """The folder of the published generation.

    Raises:
        EmptyCollectionError: nothing is published there yet.
        CollectionError: there is no such folder.
    """
    folders = generations(path)
    if folders:
        return folders[-1]
    if is_building(path):
        running = f"expected a collection in {path}, found one whose first build is running; wait for its end"
        raise EmptyCollectionError(path, running)
    message = f"expected a collection in {path}, found none; build one: python -m indexer build --voc-root DIR "
    message += f"--collection {path}"
    raise EmptyCollectionError(path, message) if path.is_dir() else CollectionError(message)


def last_manifest(path: Path) -> Manifest | None:
    """The newest manifest that can be read: even a damaged collection is known by it."""
    for folder in reversed(generations(path)):
        try:
            return Manifest.load(folder)
        except CollectionError as error:
            logger.warning("%s", error)
    return None

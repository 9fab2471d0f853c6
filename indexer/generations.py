"""The numbered folders of a collection's generations, of which the last is published."""

import logging
import shutil
from pathlib import Path

from indexer.build_lock import is_building
from indexer.durable import settle_folder
from indexer.errors import CollectionError, EmptyCollectionError
from indexer.generation_files import INDEX_FILE
from indexer.layout import BUILDING, GENERATIONS, generation_folder
from indexer.manifest import Manifest
from indexer.newest import numbered
from indexer.readers_lock import unread

MIRRORED = "mirrored"  # file in a generation's folder

_GONE = "gone-"

logger = logging.getLogger(__name__)


def generations(path: Path) -> list[Path]:
    """The folders of the generations of a collection, oldest first."""
    return numbered(path / GENERATIONS)


def is_mirrored(folder: Path) -> bool:
    """Whether a generation's folder was brought in from servers: it has no maps, and nothing to mend it by."""
    return (folder / MIRRORED).exists()


def is_embedded(folder: Path) -> bool:
    """Whether a generation's vectors and records lie in its folder; taken for granted where no manifest tells."""
    try:
        return INDEX_FILE in Manifest.load(folder).files
    except CollectionError:
        return True


def newest_folder(path: Path) -> Path:
    """The folder of the last generation that lies in its folder, which is the published one where no server tells.

    Raises:
        EmptyCollectionError: nothing is published there yet.
        CollectionError: there is no such folder.
    """
    newest = next(filter(is_embedded, reversed(generations(path))), None)
    if newest is not None:
        return newest
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


def move_in(written: Path, path: Path, number: int) -> None:
    """Bring all bytes of a generation to the disk, and give its folder its place by one rename."""
    settle_folder(written, generation_folder(path, number))


def discard(folder: Path) -> None:
    """Delete the folder of a generation that is not open to readers; by a rename first.

    For half of one would look damaged.
    """
    with unread(folder) as may_go:
        if may_go:
            gone = folder.parents[1] / BUILDING / f"{_GONE}{folder.name}"
            gone.parent.mkdir(exist_ok=True)
            shutil.rmtree(folder.rename(gone))


def clear_discarded(path: Path) -> None:
    """Delete what a killed `discard` had begun to."""
    for gone in (path / BUILDING).glob(f"{_GONE}*"):
        shutil.rmtree(gone)

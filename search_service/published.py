"""What is published in a collection's folder at this moment, told at a glance: no content is read."""

from dataclasses import dataclass
from pathlib import Path

from indexer import manifest, store_addresses
from indexer.copies import NAME as COPIES
from indexer.derived import Stamp, array_files, record_file, stamp_of
from indexer.errors import EmptyCollectionError
from indexer.semantic_index import NAME as SEMANTIC
from indexer.stores import store_at
from localizer import checkpoint
from localizer.checkpoint import DETECT, MAIN

Marks = tuple[tuple[Path, Stamp | None], ...]
"""Files, each with what tells one content of it from the next."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a service would open now; differs where something else would be opened.

    Attributes:
        generation: the manifest of the newest generation; empty where there is none.
        heads: the folders of the newest head of each task.
        worked_out: the semantic index and the map of that generation, where they are there.
    """

    generation: Marks
    heads: Marks
    worked_out: Marks


class Lookout:
    """Looks at a collection's folder, and what is published on servers for it.

    Args:
        path: the folder, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._addresses = store_addresses.load(path)
        self._store = store_at(path, self._addresses)

    def look(self) -> Published:
        """What is published now; takes a fraction of a millisecond, or a question to a server.

        Raises:
            StoreUnreachableError: the server does not answer.
            CollectionError: what is published there cannot be brought in here.
        """
        addresses = store_addresses.load(self._path)
        if addresses != self._addresses:
            self.close()
            self._addresses, self._store = addresses, store_at(self._path, addresses)
        try:
            newest = [self._store.published_folder()]
        except EmptyCollectionError:
            newest = []
        return _published(self._path, newest)

    def close(self) -> None:
        """Leave the servers."""
        self._store.close()


def _published(path: Path, newest: list[Path]) -> Published:
    heads = [head for task in (MAIN, DETECT) if (head := checkpoint.in_use(path, task))]
    return Published(
        generation=_marks([folder / manifest.FILENAME for folder in newest]),
        heads=_marks(heads),
        worked_out=_marks([file for folder in newest for file in _worked_out(folder)]),
    )


def _marks(paths: list[Path]) -> Marks:
    return tuple((path, stamp_of(path)) for path in paths)


def _worked_out(generation: Path) -> list[Path]:
    arrays = [path for path in array_files(generation) if path.stem != COPIES]  # of which nothing is served
    return [*arrays, record_file(generation, SEMANTIC)]

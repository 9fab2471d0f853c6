"""What evaluations left beside an open generation: read when its file changes, and not on every request."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from indexer import derived
from indexer.collection import Collection
from indexer.errors import CollectionError

Record = TypeVar("Record")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept(Generic[Record]):
    """A record as a page finds it: None where there is none, or where it is damaged."""

    record: Record | None
    damaged: bool = False


class KeptRecords(Generic[Record]):
    """The newest record of one kind; an evaluation may be run while the service is up."""

    def __init__(self, name: str, load: Callable[[Collection], Record | None]) -> None:
        self._name = name
        self._load = load
        self._held: tuple[tuple[Path, derived.Stamp], Kept[Record]] | None = None

    def of(self, collection: Collection) -> Kept[Record]:
        """The record of an open generation."""
        stamp = derived.stamp(collection, self._name)
        if stamp is None:
            return Kept(None)
        key, held = (collection.folder, stamp), self._held
        if held is None or held[0] != key:
            held = self._held = (key, self._read(collection))
        return held[1]

    def _read(self, collection: Collection) -> Kept[Record]:
        try:
            return Kept(self._load(collection))
        except CollectionError as error:
            logger.warning("Left out of the page: %s", error)
            return Kept(None, damaged=True)

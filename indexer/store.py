"""Where the vectors and records of a collection's generations lie: in its folder, or on servers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from indexer.database import Database
from indexer.index_settings import IndexNote, IndexSettings
from indexer.manifest import Manifest
from indexer.records import IndexedImage, Notice
from indexer.reduction import Floats
from indexer.search_index import SearchIndex


@dataclass(frozen=True, slots=True)
class Target:
    """A generation that is being written.

    Attributes:
        folder: of its files, until it is published.
        number: that it will have.
    """

    folder: Path
    number: int


class Store(Protocol):
    """One collection's vectors and records; the smaller files of a generation lie in its folder in any case.

    Attributes:
        keeps_files: whether all lies in files of the collection's folder.
        places: what keeps vectors and records, to be told.

    Every method may raise StorageError where something cannot be written, and StoreUnreachableError where a server
    does not answer.
    """

    @property
    def keeps_files(self) -> bool: ...  # noqa: D102 - above

    @property
    def places(self) -> tuple[str, str]: ...  # noqa: D102 - above

    def published_folder(self) -> Path:
        """The folder of the published generation; what readers need beside it is brought in from servers.

        Raises:
            EmptyCollectionError: nothing is published yet.
            CollectionError: there is no such collection.
        """
        ...

    def refuse_stranger(self, voc_root: str | None) -> None:
        """Hold that a collection of a devkit, if one is known, moves to no place where one of another lies.

        All servers are met, so that addresses of such as do not answer are not kept.

        Raises:
            CollectionError: it would.
        """
        ...

    def check(self) -> None:
        """Ask the servers, if there are any, whether they answer."""
        ...

    def last_number(self) -> int:
        """The number of the last generation that was written, published or not; 0 where there is none."""
        ...

    def only_writer(self) -> AbstractContextManager[None]:
        """Be the only one who builds on the collection.

        Raises:
            CollectionBusyError: another process does.
        """
        ...

    def settle(self) -> None:
        """Clear what a killed writer left, as the only writer."""
        ...

    def hold(self, folder: Path) -> Callable[[], object]:
        """Keep a generation from being deleted; what is returned ends that."""
        ...

    def open_records(self, folder: Path) -> Database:
        """The records of a generation."""
        ...

    def open_index(self, folder: Path, name: str, note: IndexNote) -> SearchIndex:
        """An index of a generation, by the name of its file."""
        ...

    def write_index(
        self, target: Target, name: str, vectors: Floats, images: Sequence[IndexedImage], settings: IndexSettings
    ) -> IndexNote:
        """Store (N, d) float32 unit rows: of the images, or of all of their objects, by the name of the file."""
        ...

    def write_records(self, target: Target, images: Sequence[IndexedImage], notices: Sequence[Notice]) -> None:
        """Store what is known of the pictures, and what a build did not use."""
        ...

    def publish(self, target: Target, manifest: Manifest) -> None:
        """Have all readers find a generation that is written in full."""
        ...

    def discard(self, folder: Path) -> None:
        """Delete a generation that nobody reads."""
        ...

    def share(self, folder: Path) -> None:
        """Have all readers find what was written to a folder beside the generations."""
        ...

    def close(self) -> None:
        """Leave the servers, if there are any."""
        ...

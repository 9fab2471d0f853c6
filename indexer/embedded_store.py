"""Vectors in FAISS files and records in a SQLite file, both in the folder of their generation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from indexer import database, store_addresses
from indexer.build_lock import only_builder
from indexer.database import Database
from indexer.generation_files import DATABASE_FILE
from indexer.generations import discard, generations, move_in, newest_folder
from indexer.index_building import build_index
from indexer.index_settings import IndexNote, IndexSettings
from indexer.manifest import Manifest
from indexer.records import IndexedImage, Notice
from indexer.reduction import Floats
from indexer.search_index import SearchIndex
from indexer.store import Target
from indexer.store_addresses import EMBEDDED_METADATA, EMBEDDED_VECTORS
from indexer.vector_index import VectorIndex


class EmbeddedStore:
    """See `Store`; the last of the numbered folders is the published generation.

    Args:
        path: the collection's folder.
    """

    keeps_files = True
    places = (EMBEDDED_VECTORS, EMBEDDED_METADATA)

    def __init__(self, path: Path) -> None:
        self._path = path

    def published_folder(self) -> Path:
        """See `Store`."""
        return newest_folder(self._path)

    def refuse_stranger(self, voc_root: str | None) -> None:
        """See `Store`; a folder is its collection's own."""

    def check(self) -> None:
        """See `Store`."""

    def last_number(self) -> int:
        """See `Store`."""
        return max((int(folder.name) for folder in generations(self._path)), default=0)

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """See `Store`."""
        with only_builder(self._path):
            yield

    def settle(self) -> None:
        """See `Store`; a generation appears by one rename, so nothing half published is ever left."""

    def hold(self, _folder: Path) -> Callable[[], object]:
        """See `Store`; the lock of the folder does."""
        return lambda: None

    def open_records(self, folder: Path) -> Database:
        """See `Store`."""
        return Database(folder / DATABASE_FILE)

    def open_index(self, folder: Path, name: str, note: IndexNote) -> SearchIndex:
        """See `Store`."""
        return VectorIndex.load(folder / name, note)

    def write_index(
        self, target: Target, name: str, vectors: Floats, _images: Sequence[IndexedImage], settings: IndexSettings
    ) -> IndexNote:
        """See `Store`."""
        index = build_index(vectors, settings)
        index.save(target.folder / name)
        return index.note

    def write_records(self, target: Target, images: Sequence[IndexedImage], notices: Sequence[Notice]) -> None:
        """See `Store`."""
        database.write(target.folder / DATABASE_FILE, images, notices)

    def publish(self, target: Target, _manifest: Manifest) -> None:
        """See `Store`."""
        move_in(target.folder, self._path, target.number)
        store_addresses.forget(self._path)

    def discard(self, folder: Path) -> None:
        """See `Store`."""
        discard(folder)

    def share(self, _folder: Path) -> None:
        """See `Store`; readers look into the folder itself."""

    def close(self) -> None:
        """See `Store`."""

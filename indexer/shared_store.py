"""Vectors on a Milvus server and records in PostgreSQL, for readers on any number of machines.

A generation is a Milvus collection for each of its indexes, a PostgreSQL schema for its records, and a folder of
small files that readers elsewhere mirror. What is published is told by PostgreSQL, in one transaction; before it,
the alias of the Milvus collection is switched, for those who ask Milvus by themselves. A writer killed between the
two leaves an alias that leads on, which the next writer takes back.
"""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from indexer import mirror, store_addresses
from indexer.build_lock import only_builder
from indexer.catalogue import Catalogue, Published
from indexer.database import Database
from indexer.derived_files import RECORD, read_record
from indexer.errors import CollectionError, EmptyCollectionError
from indexer.generation_files import INDEX_FILE, OBJECT_INDEX_FILE
from indexer.generations import discard, generations, is_embedded, move_in
from indexer.index_settings import IndexNote, IndexSettings
from indexer.layout import DERIVED, GENERATIONS, HEADS, derived_folder, generation_folder
from indexer.manifest import Manifest
from indexer.milvus_index import MilvusIndex
from indexer.milvus_rows import Facts
from indexer.milvus_server import MilvusServer
from indexer.milvus_writing import write_index
from indexer.records import IndexedImage, Notice
from indexer.reduction import Floats
from indexer.search_index import SearchIndex
from indexer.store import Target
from indexer.store_addresses import Addresses, name_of, shown

_KEYS = {INDEX_FILE: "images", OBJECT_INDEX_FILE: "objects"}

logger = logging.getLogger(__name__)


class SharedStore:
    """See `Store`; servers are met when they are first asked, and again after `close`.

    Args:
        path: the collection's folder; servers know the collection by its name.
        addresses: of the servers.

    Raises:
        CollectionError: servers take no collection of the folder's name.
    """

    keeps_files = False

    def __init__(self, path: Path, addresses: Addresses) -> None:
        self._path = path
        self._name = name_of(path)
        self._addresses = addresses
        self._pulled: int | None = None

    @property
    def places(self) -> tuple[str, str]:
        """See `Store`; without passwords."""
        return shown(self._addresses.vectors), shown(self._addresses.metadata)

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self._addresses.metadata, self._name, self._addresses.timeout)

    @cached_property
    def _milvus(self) -> MilvusServer:
        addresses = self._addresses
        return MilvusServer(addresses.vectors, addresses.timeout, addresses.consistency)

    def published_folder(self) -> Path:
        """See `Store`."""
        published = self._catalogue.published()
        if published.generation is None:
            raise EmptyCollectionError(
                self._path,
                f"expected a collection {self._name} on its servers, found none published; build one: "
                f"python -m indexer build --voc-root DIR --collection {self._path}",
            )
        self._pull(published)
        return generation_folder(self._path, published.generation)

    def refuse_stranger(self, voc_root: str | None) -> None:
        """See `Store`."""
        self._milvus.names(self._name)
        number = self._catalogue.published().generation
        there = None if number is None else mirror.shared_manifest(number, self._catalogue.read)
        if there and voc_root and Path(voc_root).resolve() != Path(there.voc_root).resolve():
            raise CollectionError(
                f"expected no other collection {self._name} on these servers, found one of {there.images} images "
                f"of {there.voc_root}: rename the folder; or, to build on that one, copy its stores.json into "
                f"{self._path}"
            )

    def check(self) -> None:
        """See `Store`."""
        self._catalogue.ping()
        self._milvus.ping()

    def last_number(self) -> int:
        """See `Store`."""
        here = [int(folder.name) for folder in generations(self._path)]
        return max([*here, *self._catalogue.numbers(), self._catalogue.published().generation or 0])

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """See `Store`."""
        with only_builder(self._path):
            self._catalogue.migrate()
            with self._catalogue.only_writer():
                yield

    def settle(self) -> None:
        """See `Store`: of what is not published nothing stays, and the alias is where it should be."""
        published = self._catalogue.published()
        number = published.generation
        if number is not None:
            self._pull(published)
        self._settle_alias(number)
        kept = {*self._settle_folders(number or 0), *([] if number is None else [number])}
        for lost in {*self._catalogue.numbers(), *self._indexed()} - kept:
            with self._catalogue.unread(lost) as may_go:
                if may_go:
                    self._drop(lost)
        for one in kept:
            self._drop_unused_indexes(one)

    def _settle_alias(self, published: int | None) -> None:
        """Have the alias lead to what is published: Milvus drops no collection that an alias leads to."""
        wanted = None if published is None else self._index_name(published, INDEX_FILE)
        if wanted is None or not self._milvus.has(wanted):  # what is lost is for a repair to make anew
            self._milvus.unpoint(self._name)
        elif self._milvus.pointed(self._name) != wanted:
            logger.warning("A publication was broken off; generation %d is published still", published)
            self._milvus.point(self._name, wanted)

    def hold(self, folder: Path) -> Callable[[], object]:
        """See `Store`."""
        return self._catalogue.hold(int(folder.name))

    def open_records(self, folder: Path) -> Database:
        """See `Store`."""
        return self._catalogue.open_records(int(folder.name))

    def open_index(self, folder: Path, name: str, note: IndexNote) -> SearchIndex:
        """See `Store`."""
        return MilvusIndex.open(self._milvus, self._index_name(int(folder.name), name), note)

    def write_index(
        self, target: Target, name: str, vectors: Floats, images: Sequence[IndexedImage], settings: IndexSettings
    ) -> IndexNote:
        """See `Store`."""
        describe = Facts.of_objects if name == OBJECT_INDEX_FILE else Facts.of_images
        return write_index(
            self._milvus, self._index_name(target.number, name), vectors, describe(images), settings
        )

    def write_records(self, target: Target, images: Sequence[IndexedImage], notices: Sequence[Notice]) -> None:
        """See `Store`."""
        self._catalogue.write_records(target.number, images, notices)

    def publish(self, target: Target, _manifest: Manifest) -> None:
        """See `Store`: the folder first, then the alias, and what tells all readers last."""
        move_in(target.folder, self._path, target.number)
        self._milvus.point(self._name, self._index_name(target.number, INDEX_FILE))
        files = mirror.files_to_share(generation_folder(self._path, target.number))
        if store_addresses.load(self._path) != self._addresses:  # heads that were trained before it moved here
            files |= mirror.files_beside(self._path, self._path / HEADS)[1]
        self._catalogue.publish(target.number, files)
        store_addresses.save(self._path, self._addresses)

    def discard(self, folder: Path) -> None:
        """See `Store`: the folder first, for without it the rest is what a killed writer leaves."""
        with self._catalogue.unread(int(folder.name)) as may_go:
            if may_go:
                discard(folder)
            if may_go and not folder.is_dir():
                self._drop(int(folder.name))

    def share(self, folder: Path) -> None:
        """See `Store`."""
        self._catalogue.share(*mirror.files_beside(self._path, folder))

    def close(self) -> None:
        """See `Store`."""
        for name in ("_catalogue", "_milvus"):
            server = self.__dict__.pop(name, None)
            if server is not None:
                server.close()

    def _pull(self, published: Published) -> None:
        """Bring in what changed since the last look; of generations, the published one alone."""
        if published.version == self._pulled:
            return
        generation = f"{GENERATIONS}/{published.generation:06d}/"
        shared = {
            name: digest
            for name, digest in self._catalogue.files().items()
            if name.startswith((generation, f"{DERIVED}/", f"{HEADS}/"))
        }
        mirror.bring_in(self._path, shared, self._catalogue.read)
        self._pulled = published.version

    def _settle_folders(self, published: int) -> list[int]:
        """Delete folders of what was never published; the numbers of the others."""
        folders = [folder for folder in generations(self._path) if not is_embedded(folder)]
        for folder in folders:
            if int(folder.name) > published:
                discard(folder)
        return [int(folder.name) for folder in folders if folder.is_dir()]

    def _drop(self, number: int) -> None:
        """Delete a generation's vectors and records, which nobody reads."""
        for name in self._names(number):
            self._milvus.drop(name)
        self._catalogue.drop(number)

    def _drop_unused_indexes(self, number: int) -> None:
        """Delete a generation's semantic indexes of former heads."""
        used = [*_KEYS, *_named_indexes(derived_folder(generation_folder(self._path, number)))]
        for name in set(self._names(number)) - {self._index_name(number, one) for one in used}:
            self._milvus.drop(name)

    def _names(self, number: int) -> list[str]:
        return self._milvus.names(f"{self._name}__{number:06d}__")

    def _indexed(self) -> set[int]:
        """The generations of which there are vectors."""
        of_this = re.compile(rf"{self._name}__(\d{{6,}})__.+")
        names = self._milvus.names(f"{self._name}__")
        return {int(found.group(1)) for found in map(of_this.fullmatch, names) if found}

    def _index_name(self, number: int, name: str) -> str:
        return f"{self._name}__{number:06d}__{_KEYS.get(name, name)}"


def _named_indexes(derived: Path) -> Iterator[str]:
    """The indexes that records tell of which were worked out from a generation."""
    for file in derived.glob(f"*{RECORD}"):
        with suppress(CollectionError):  # of a damaged one nothing is known; it is worked out anew
            record = read_record(file)
            if "index" in record:
                yield str(record["index"])

"""What is published of one collection, told by PostgreSQL to all who read and write it, on whatever machine."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import finalize

from sqlalchemy import Connection, Select, delete, select

from indexer import catalogue_schema
from indexer.advisory_locks import AdvisoryLock, held_alone, hold_shared, is_held_alone, lock_key
from indexer.catalogue_checks import refuse_half, refuse_published
from indexer.catalogue_rows import (
    count_on,
    delete_files,
    forget_counts,
    listed_files,
    lock_row,
    note_counts,
    store_files,
)
from indexer.catalogue_tables import collections, files
from indexer.database import Database, Source
from indexer.errors import CollectionBusyError, CollectionError
from indexer.generation_schemas import drop_schema, schema_numbers, schema_of, write_schema
from indexer.postgresql import MissingTablesError, Server
from indexer.records import IndexedImage, Notice

_NAMED = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PATIENCE = 1.0  # seconds; a writer that was killed is gone before


class Published(NamedTuple):
    """What is published of a collection.

    Attributes:
        generation: its number; None before the first, also where the catalogue's tables are not there yet.
        version: how often anything that is shared was changed.
    """

    generation: int | None
    version: int


class Catalogue:
    """One collection's generations, small files and locks in a PostgreSQL database; for any number of threads.

    Whatever it changes, it changes in one transaction: who is killed meanwhile has changed all of it, or nothing.
    A process that was forked makes a catalogue of its own, for connections are not shared.

    Args:
        url: postgresql://user@host:port/database; see `Server`.
        collection: its name, of lower-case letters, digits and underscores, at most 40.
        timeout: seconds for an answer to a question; writing records may take longer.

    Raises:
        CollectionError: there can be no such URL or name, or the packages for PostgreSQL are not installed.
        StoreUnreachableError: in every method, where the server cannot be reached, or does not answer in time.
    """

    def __init__(self, url: str, collection: str, timeout: float = 5.0) -> None:
        if not _NAMED.fullmatch(collection):
            raise CollectionError(
                f"expected a collection's name of a letter and up to 39 more letters, digits and underscores, in "
                f"lower case, found {collection!r:.60}; choose another"
            )
        self._name = collection
        self._server = Server(url, timeout)
        self._place = f"{collection} in {self._server.shown}"
        self._lock: AdvisoryLock | None = None  # the writer's
        self._end = finalize(self, self._server.close)

    def migrate(self) -> None:
        """Make the catalogue's tables, or bring them to the newest shape; any number of processes may at once.

        Raises:
            CollectionError: they are of a newer version of this software, or a right is missing.
        """
        catalogue_schema.migrate(self._server)

    def check(self) -> None:
        """Refuse a database whose tables are not there, or not of this version.

        Raises:
            CollectionError: so it is.
        """
        catalogue_schema.check(self._server)

    def ping(self) -> None:
        """Ask for nothing, but for an answer."""
        self._ask(select(1))

    def published(self) -> Published:
        """What all readers go by."""
        asked = select(collections.c.generation, collections.c.version).where(collections.c.name == self._name)
        try:
            found = self._ask(asked)
        except MissingTablesError:
            found = None
        return Published(*found) if found else Published(None, 0)

    def publish(self, number: int, contents: Mapping[str, bytes]) -> None:
        """Point at a generation, and store small files (path -> content) with that.

        Raises:
            CollectionError: not all of its records are there.
        """
        with self._change() as connection:
            lock_row(connection, self._name)
            self._check_lock()
            refuse_half(connection, self._name, number, self._place)
            store_files(connection, self._name, contents)
            count_on(connection, self._name, generation=number)

    def share(self, prefix: str, contents: Mapping[str, bytes]) -> None:
        """Have exactly these files under a prefix of paths; where they are there already, nothing changes.

        Raises:
            ValueError: the path of one does not begin so.
        """
        if not all(path.startswith(prefix) for path in contents):
            raise ValueError(f"expected paths that begin with {prefix!r}, found {sorted(contents)}")
        with self._change() as connection:
            lock_row(connection, self._name)
            gone = set(listed_files(connection, self._name, prefix)) - set(contents)
            if store_files(connection, self._name, contents) | delete_files(connection, self._name, gone):
                count_on(connection, self._name)

    def files(self, prefix: str = "") -> dict[str, str]:
        """Path -> sha256 of the files whose paths begin like this, in order."""
        with self._server.told(), self._server.asking.connect() as connection:
            return listed_files(connection, self._name, prefix)

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            CollectionError: there is none, or it is not what it was.
        """
        asked = select(files.c.sha256, files.c.content)
        found = self._ask(asked.where(files.c.collection == self._name, files.c.path == path))
        if found is None or hashlib.sha256(found[1]).hexdigest() != found[0]:
            what = "none" if found is None else "one that was changed since"
            raise CollectionError(f"expected a file {path} of {self._place}, found {what}; build again")
        return bytes(found[1])

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """Hold the collection's lock; it goes with this process, however that ends.

        Raises:
            CollectionBusyError: another process holds it.
        """
        with held_alone(self._server, self._key("writer"), _PATIENCE) as lock:
            if lock is None:
                raise CollectionBusyError(
                    f"another build is running on {self._place}; wait for it, or stop it first"
                )
            self._lock = lock
            try:
                yield
            finally:
                self._lock = None

    def is_written(self) -> bool:
        """Whether a process holds the collection's lock at this moment; takes none."""
        return is_held_alone(self._server, self._key("writer"))

    def hold(self, number: int) -> Callable[[], None]:
        """Hold a generation, so that it is not deleted; what is given back releases it."""
        return hold_shared(self._server, self._key("generation", number)).release

    @contextmanager
    def unread(self, number: int) -> Iterator[bool]:
        """Whether nobody holds a generation; if so, who wants to waits until the block ends."""
        with held_alone(self._server, self._key("generation", number)) as lock:
            yield lock is not None

    def write_records(self, number: int, images: Sequence[IndexedImage], notices: Sequence[Notice]) -> None:
        """Store what is known of the pictures, in place of what a writer that was killed left.

        Raises:
            CollectionError: this generation is published.
            StorageError: the disk is full, or a text cannot be stored.
        """
        with self._change() as connection:
            refuse_published(connection, self._name, number, self._place)
        with self._change() as connection:
            write_schema(connection, schema_of(self._name, number), images, notices)
            # Only now is the row locked, for meanwhile others may share files.
            refuse_published(connection, self._name, number, self._place)
            self._check_lock()
            objects = sum(len(image.objects) for image in images)
            note_counts(connection, self._name, number, len(images), objects)

    def open_records(self, number: int) -> Database:
        """The records of a generation; to be used until the catalogue is closed."""
        schema = schema_of(self._name, number)
        engine = self._server.asking.execution_options(schema_translate_map={None: schema})
        place = f"{self._server.shown}, schema {schema}"
        return Database(Source(engine=engine, place=place, told=self._server.told, close=lambda: None))

    def numbers(self) -> list[int]:
        """The generations whose records are there, oldest first, published or not."""
        with self._server.told(), self._server.asking.connect() as connection:
            return schema_numbers(connection, self._name)

    def drop(self, number: int) -> None:
        """Delete the records of a generation; none is no error.

        Raises:
            CollectionError: this generation is published.
        """
        with self._change() as connection:
            refuse_published(connection, self._name, number, self._place)
            drop_schema(connection, schema_of(self._name, number))
            forget_counts(connection, self._name, number)

    def forget(self) -> None:
        """Delete everything of this collection."""
        with self._change() as connection:
            lock_row(connection, self._name)
            for number in schema_numbers(connection, self._name):
                drop_schema(connection, schema_of(self._name, number))
            connection.execute(delete(collections).where(collections.c.name == self._name))

    def close(self) -> None:
        """End its connections; so does the end of all use."""
        self._end()

    def _key(self, *names: object) -> int:
        return lock_key(self._name, *names)

    def _check_lock(self) -> None:
        """Stop a writer whose lock was lost meanwhile: another may be at work."""
        if self._lock is not None:
            self._lock.check()

    @contextmanager
    def _change(self) -> Iterator[Connection]:
        with self._server.told(), self._server.writing.begin() as connection:
            yield connection

    def _ask(self, asked: Select[Any]) -> Any:  # noqa: ANN401 - a row, or None
        with self._server.told(), self._server.asking.connect() as connection:
            return connection.execute(asked).one_or_none()

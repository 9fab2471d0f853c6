"""Records <-> rows of a SQLite file, or of a schema of PostgreSQL. Rows never leave this module, records do."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import URL, Connection, Engine, Select, create_engine, func, insert, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from indexer.errors import CollectionError, StorageError
from indexer.filters import Filters
from indexer.records import IndexedImage, Notice, ObjectLabel
from indexer.selection import select_images, select_objects
from indexer.tables import (
    IMAGE_COLUMNS,
    NOTICE_COLUMNS,
    OBJECT_COLUMNS,
    Base,
    ImageRow,
    NoticeRow,
    ObjectRow,
    image_row,
    notice_rows,
    object_rows,
    to_image,
    to_object,
)

_IDS_PER_QUERY = 500  # SQLite allows 32,766 bound values; small statements stay cached


def write(path: Path, images: Sequence[IndexedImage], notices: Sequence[Notice]) -> None:
    """Make the file, which must not be there yet.

    Raises:
        StorageError: it cannot be written, as on a full disk.
    """
    try:
        _write(path, images, notices)
    except OperationalError as error:
        raise StorageError(
            f"{path} cannot be written ({error.orig}); make room, and run again; what is stored is kept"
        ) from error


def _write(path: Path, images: Sequence[IndexedImage], notices: Sequence[Notice]) -> None:
    engine = create_engine(URL.create("sqlite", database=str(path)))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for table, rows in (
            (ImageRow, list(map(image_row, images))),
            (ObjectRow, list(object_rows(images))),
            (NoticeRow, list(notice_rows(notices))),
        ):
            if rows:
                connection.execute(insert(table), rows)
    engine.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the records of one generation are read.

    Attributes:
        engine: gives connections on which the tables are found by their bare names.
        place: as a message names it.
        told: translates, around a question, what goes wrong with the place.
        close: gives back what the engine holds.
    """

    engine: Engine
    place: str
    told: Callable[[], AbstractContextManager[None]]
    close: Callable[[], None]


def file_source(path: Path) -> Source:
    """A file that `write` made."""
    # "immutable" spares the locks and journal files of a database that others might write to.
    address = f"{path.resolve().as_uri()}?immutable=1"
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False),
        poolclass=QueuePool,
        pool_size=0,  # no limit: as many connections as threads ask at once, each kept
    )
    return Source(engine=engine, place=str(path), told=nullcontext, close=engine.dispose)


class Database:
    """Reads the records of one generation, which never change, from any number of threads.

    Args:
        source: a file that `write` made, or where else they are.

    Raises:
        StoreUnreachableError: in every method, where they are on a server, and it does not answer.
    """

    def __init__(self, source: Path | Source) -> None:
        self._source = file_source(source) if isinstance(source, Path) else source

    def close(self) -> None:
        """Give the file, or the connections, back."""
        self._source.close()

    def count(self) -> int:
        """How many images there are.

        Raises:
            CollectionError: the source is no such database.
        """
        try:
            return self._number(select(ImageRow.image_id))
        except SQLAlchemyError as error:
            raise CollectionError(f"expected a database of images in {self._source.place}, found none") from error

    def images(self, image_ids: Sequence[int]) -> list[IndexedImage]:
        """The images of these ids, in the order asked for; ids that are not there are left out."""
        found: dict[int, IndexedImage] = {}
        for start in range(0, len(image_ids), _IDS_PER_QUERY):
            wanted = image_ids[start : start + _IDS_PER_QUERY]
            found |= {image.image_id: image for image in self._read(ImageRow.image_id.in_(wanted))}
        return [found[image_id] for image_id in image_ids if image_id in found]

    def images_of_content(self, sha256: str) -> list[IndexedImage]:
        """The images whose files' sha256 begins like this, by id; looks at every row."""
        # Not LIKE, to which SQLite finds "A" and "a" the same; the character NUL would end the question early.
        return [] if "\0" in sha256 else list(self._read(func.substr(ImageRow.sha256, 1, len(sha256)) == sha256))

    def all_images(self) -> list[IndexedImage]:
        """Every image, by id."""
        return list(self._read())

    def matching_images(self, filters: Filters) -> NDArray[np.int64]:
        """Ids of the images that fulfil filters, in order."""
        return self._ids(select_images(filters))

    def first_images(self, filters: Filters, count: int) -> NDArray[np.int64]:
        """Ids of the first so many images that fulfil filters, in order."""
        return self._ids(select_images(filters).limit(count))

    def matching_objects(self, filters: Filters) -> NDArray[np.int64]:
        """Ids of the objects that fulfil filters, in order."""
        return self._ids(select_objects(filters))

    def matching_images_count(self, filters: Filters, without: Sequence[int] = ()) -> int:
        """How many images fulfil filters, those of some ids aside."""
        return self._count_but(select_images(filters), ImageRow.image_id, without)

    def matching_objects_count(self, filters: Filters, without: Sequence[int] = ()) -> int:
        """How many objects fulfil filters, those of some ids aside."""
        return self._count_but(select_objects(filters), ObjectRow.object_id, without)

    def images_of_objects(self) -> NDArray[np.int64]:
        """(number of objects,): the image id of each object id."""
        return self._ids(select(ObjectRow.image_id).order_by(ObjectRow.object_id))

    def labels(self, object_ids: Sequence[int]) -> list[ObjectLabel]:
        """The objects of these ids, in the order asked for; at most a page of them."""
        columns = [getattr(ObjectRow, name) for name in OBJECT_COLUMNS]
        asked = select(ObjectRow.object_id, *columns).where(ObjectRow.object_id.in_(object_ids))
        with self._connect() as connection:
            found = {row[0]: to_object(row[1:]) for row in connection.execute(asked)}
        return [found[object_id] for object_id in object_ids]

    def main_classes(self, images: int) -> list[str | None]:
        """The class of each image's largest object, the first of equals, by image id; None without objects."""
        ordered = select(ObjectRow.image_id, ObjectRow.class_name).order_by(
            ObjectRow.image_id, ObjectRow.share, ObjectRow.object_id.desc()
        )
        largest: list[str | None] = [None] * images
        with self._connect() as connection:
            for image_id, class_name in connection.execute(ordered).cursor.fetchall():
                largest[image_id] = class_name  # the last of an image is its largest
        return largest

    def splits(self) -> list[str | None]:
        """The split of each image, by image id."""
        with self._connect() as connection:
            return list(connection.scalars(select(ImageRow.split).order_by(ImageRow.image_id)))

    def poses(self) -> list[str]:
        """Every pose that is annotated, in alphabetical order."""
        found = select(ObjectRow.pose).where(ObjectRow.pose.is_not(None)).distinct().order_by(ObjectRow.pose)
        with self._connect() as connection:
            return [pose for pose in connection.scalars(found) if pose is not None]

    def class_counts(self) -> Counter[str]:
        """Class -> number of objects."""
        return self._counts(ObjectRow.class_name)

    def notices(self) -> list[Notice]:
        """What the build did not use of the devkit, or not as it stands, in order."""
        columns = [getattr(NoticeRow, name) for name in NOTICE_COLUMNS]
        asked = select(*columns).order_by(NoticeRow.number)
        with self._connect() as connection:
            return [Notice(*row) for row in connection.execute(asked)]

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._source.told(), self._source.engine.connect() as connection:
            yield connection

    def _number(self, selected: Select[Any]) -> int:
        counted = select(func.count()).select_from(selected.order_by(None).subquery())
        with self._connect() as connection:
            return connection.scalar(counted) or 0

    def _count_but(self, selected: Select[Any], column: Any, without: Sequence[int]) -> int:  # noqa: ANN401
        """The number of ids selected that are none of these; of very many, most are taken off afterwards."""
        unwanted = sorted(set(map(int, without)))
        pieces = [unwanted[start : start + _IDS_PER_QUERY] for start in range(0, len(unwanted), _IDS_PER_QUERY)]
        first, *others = pieces or [[]]
        counted = self._number(selected.where(column.not_in(first)) if first else selected)
        return counted - sum(self._number(selected.where(column.in_(piece))) for piece in others)

    def _ids(self, ids: Select[Any]) -> NDArray[np.int64]:
        # Thousands of ids: the driver's own rows are read twice as fast as SQLAlchemy's.
        with self._connect() as connection:
            rows = connection.execute(ids).cursor.fetchall()
        return np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=len(rows))

    def _counts(self, column: Any) -> Counter[Any]:  # noqa: ANN401 - a mapped column of any type
        with self._connect() as connection:
            rows = connection.execute(select(column, func.count()).group_by(column))
            return Counter({value: count for value, count in rows})  # noqa: C416 - rows are tuples, but no pairs

    def _read(self, *conditions: Any) -> Iterator[IndexedImage]:  # noqa: ANN401 - SQL expressions
        columns = [getattr(ImageRow, name) for name in IMAGE_COLUMNS]
        columns += [getattr(ObjectRow, name) for name in OBJECT_COLUMNS]
        rows: Select[Any] = (
            select(*columns)
            .join_from(ImageRow, ObjectRow, isouter=True)
            .where(*conditions)
            .order_by(ImageRow.image_id, ObjectRow.object_id)
        )
        split = len(IMAGE_COLUMNS)
        with self._connect() as connection:
            for _, group in groupby(connection.execute(rows), key=lambda row: row[0]):
                joined = [tuple(row) for row in group]  # one row of None for an image without objects
                yield to_image(joined[0][:split], [row[split:] for row in joined if row[split] is not None])

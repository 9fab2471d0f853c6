"""Records <-> rows of a SQLite file; the only caller of SQLAlchemy. Rows never leave this module, records do."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import URL, Select, create_engine, func, insert, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from indexer.errors import CollectionError, StorageError
from indexer.filters import Filters
from indexer.records import IndexedImage, ObjectLabel, SkippedImage
from indexer.selection import select_images, select_objects
from indexer.tables import (
    IMAGE_COLUMNS,
    OBJECT_COLUMNS,
    Base,
    ImageRow,
    ObjectRow,
    SkippedRow,
    image_row,
    object_rows,
    to_image,
    to_object,
)

_IDS_PER_QUERY = 500  # SQLite allows 32,766 bound values; small statements stay cached


def write(path: Path, images: Sequence[IndexedImage], skipped: Sequence[SkippedImage]) -> None:
    """Make the file, which must not be there yet.

    Raises:
        StorageError: it cannot be written, as on a full disk.
    """
    try:
        _write(path, images, skipped)
    except OperationalError as error:
        raise StorageError(
            f"{path} cannot be written ({error.orig}); make room, and run again; what is stored is kept"
        ) from error


def _write(path: Path, images: Sequence[IndexedImage], skipped: Sequence[SkippedImage]) -> None:
    engine = create_engine(URL.create("sqlite", database=str(path)))
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        for table, rows in (
            (ImageRow, list(map(image_row, images))),
            (ObjectRow, object_rows(images)),
            (SkippedRow, [{"filename": image.filename, "reason": image.reason} for image in skipped]),
        ):
            if rows:
                session.execute(insert(table), rows)
    engine.dispose()


class Database:
    """Reads a file that `write` made, from any number of threads; the file never changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # "immutable" spares the locks and journal files of a database that others might write to.
        address = f"{path.resolve().as_uri()}?immutable=1"
        self._engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False),
            poolclass=QueuePool,
            pool_size=0,  # no limit: as many connections as threads ask at once, each kept
        )

    def close(self) -> None:
        """Give the file back."""
        self._engine.dispose()

    def count(self) -> int:
        """How many images there are.

        Raises:
            CollectionError: the file is not such a database.
        """
        try:
            with Session(self._engine) as session:
                return session.scalar(select(func.count()).select_from(ImageRow)) or 0
        except SQLAlchemyError as error:
            raise CollectionError(f"expected a database of images in {self._path}, found none") from error

    def images(self, image_ids: Sequence[int]) -> list[IndexedImage]:
        """The images of these ids, in the order asked for; ids that are not there are left out."""
        found: dict[int, IndexedImage] = {}
        for start in range(0, len(image_ids), _IDS_PER_QUERY):
            wanted = image_ids[start : start + _IDS_PER_QUERY]
            found |= {image.image_id: image for image in self._read(ImageRow.image_id.in_(wanted))}
        return [found[image_id] for image_id in image_ids if image_id in found]

    def images_of_content(self, sha256: str) -> list[IndexedImage]:
        """The images whose files' sha256 begins like this, by id; looks at every row."""
        return list(self._read(ImageRow.sha256.startswith(sha256, autoescape=True)))

    def all_images(self) -> list[IndexedImage]:
        """Every image, by id."""
        return list(self._read())

    def matching_images(self, filters: Filters) -> NDArray[np.int64]:
        """Ids of the images that fulfil filters, in order."""
        return self._ids(select_images(filters))

    def matching_objects(self, filters: Filters) -> NDArray[np.int64]:
        """Ids of the objects that fulfil filters, in order."""
        return self._ids(select_objects(filters))

    def matching_images_count(self, filters: Filters, without: Sequence[int]) -> int:
        """How many images fulfil filters, those left out aside."""
        return self._count(select_images(filters), ImageRow.image_id, without)

    def matching_objects_count(self, filters: Filters, without: Sequence[int]) -> int:
        """How many objects fulfil filters, those left out aside."""
        return self._count(select_objects(filters), ObjectRow.object_id, without)

    def images_of_objects(self) -> NDArray[np.int64]:
        """(number of objects,): the image id of each object id."""
        return self._ids(select(ObjectRow.image_id).order_by(ObjectRow.object_id))

    def labels(self, object_ids: Sequence[int]) -> list[ObjectLabel]:
        """The objects of these ids, in the order asked for; at most a page of them."""
        columns = [getattr(ObjectRow, name) for name in OBJECT_COLUMNS]
        asked = select(ObjectRow.object_id, *columns).where(ObjectRow.object_id.in_(object_ids))
        with Session(self._engine) as session:
            found = {row[0]: to_object(row[1:]) for row in session.execute(asked)}
        return [found[object_id] for object_id in object_ids]

    def main_classes(self, images: int) -> list[str | None]:
        """The class of each image's largest object, the first of equals, by image id; None without objects."""
        ordered = select(ObjectRow.image_id, ObjectRow.class_name).order_by(
            ObjectRow.image_id, ObjectRow.share, ObjectRow.object_id.desc()
        )
        largest: list[str | None] = [None] * images
        with self._engine.connect() as connection:
            for image_id, class_name in connection.execute(ordered).cursor.fetchall():
                largest[image_id] = class_name  # the last of an image is its largest
        return largest

    def splits(self) -> list[str | None]:
        """The split of each image, by image id."""
        with Session(self._engine) as session:
            return list(session.scalars(select(ImageRow.split).order_by(ImageRow.image_id)))

    def poses(self) -> list[str]:
        """Every pose that is annotated, in alphabetical order."""
        with Session(self._engine) as session:
            found = select(ObjectRow.pose).where(ObjectRow.pose.is_not(None)).distinct().order_by(ObjectRow.pose)
            return [pose for pose in session.scalars(found) if pose is not None]

    def class_counts(self) -> Counter[str]:
        """Class -> number of objects."""
        return self._counts(ObjectRow.class_name)

    def skipped(self) -> list[SkippedImage]:
        """The pictures that were left out, by filename."""
        with Session(self._engine) as session:
            rows = session.execute(select(SkippedRow).order_by(SkippedRow.filename)).scalars()
            return [SkippedImage(row.filename, row.reason) for row in rows]

    def _ids(self, ids: Select[Any]) -> NDArray[np.int64]:
        # Thousands of ids: the driver's own rows are read twice as fast as SQLAlchemy's.
        with self._engine.connect() as connection:
            rows = connection.execute(ids).cursor.fetchall()
        return np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=len(rows))

    def _count(self, ids: Select[Any], column: Any, without: Sequence[int]) -> int:  # noqa: ANN401 - a column
        rows = ids.where(column.not_in(without)).order_by(None).subquery()
        with Session(self._engine) as session:
            return session.scalar(select(func.count()).select_from(rows)) or 0

    def _counts(self, column: Any) -> Counter[Any]:  # noqa: ANN401 - a mapped column of any type
        with Session(self._engine) as session:
            rows = session.execute(select(column, func.count()).group_by(column))
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
        with Session(self._engine) as session:
            for _, group in groupby(session.execute(rows), key=lambda row: row[0]):
                joined = [tuple(row) for row in group]  # one row of None for an image without objects
                yield to_image(joined[0][:split], [row[split:] for row in joined if row[split] is not None])

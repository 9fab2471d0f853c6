"""Records <-> rows of a SQLite file; the only caller of SQLAlchemy. Rows never leave this module, records do."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import URL, ForeignKey, Select, create_engine, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import QueuePool

from indexer.errors import CollectionError
from indexer.records import Box, IndexedImage, ObjectLabel, SkippedImage

_IDS_PER_QUERY = 500  # SQLite allows 32,766 bound values; small statements stay cached


class _Base(DeclarativeBase):
    pass


class _Image(_Base):
    __tablename__ = "images"

    image_id: Mapped[int] = mapped_column(primary_key=True)
    filename: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str]
    split: Mapped[str | None] = mapped_column(index=True)
    width: Mapped[int]
    height: Mapped[int]


class _Object(_Base):
    __tablename__ = "objects"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.image_id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    class_name: Mapped[str] = mapped_column(index=True)
    xmin: Mapped[float]
    ymin: Mapped[float]
    xmax: Mapped[float]
    ymax: Mapped[float]
    pose: Mapped[str | None]
    truncated: Mapped[bool | None]
    occluded: Mapped[bool | None]
    difficult: Mapped[bool | None]


class _Skipped(_Base):
    __tablename__ = "skipped"

    filename: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]


def write(path: Path, images: Sequence[IndexedImage], skipped: Sequence[SkippedImage]) -> None:
    """Make the file, which must not be there yet."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    _Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        for table, rows in (
            (_Image, list(map(_image_row, images))),
            (_Object, [_object_row(image, place) for image in images for place in range(len(image.objects))]),
            (_Skipped, [{"filename": image.filename, "reason": image.reason} for image in skipped]),
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
                return session.scalar(select(func.count()).select_from(_Image)) or 0
        except SQLAlchemyError as error:
            raise CollectionError(f"expected a database of images in {self._path}, found none") from error

    def images(self, image_ids: Sequence[int]) -> list[IndexedImage]:
        """The images of these ids, in the order asked for; ids that are not there are left out."""
        found: dict[int, IndexedImage] = {}
        for start in range(0, len(image_ids), _IDS_PER_QUERY):
            wanted = image_ids[start : start + _IDS_PER_QUERY]
            found |= {image.image_id: image for image in self._read(_Image.image_id.in_(wanted))}
        return [found[image_id] for image_id in image_ids if image_id in found]

    def all_images(self) -> list[IndexedImage]:
        """Every image, by id."""
        return list(self._read())

    def class_counts(self) -> Counter[str]:
        """Class -> number of objects."""
        return self._counts(_Object.class_name)

    def skipped(self) -> list[SkippedImage]:
        """The pictures that were left out, by filename."""
        with Session(self._engine) as session:
            rows = session.execute(select(_Skipped).order_by(_Skipped.filename)).scalars()
            return [SkippedImage(row.filename, row.reason) for row in rows]

    def _counts(self, column: Any) -> Counter[Any]:  # noqa: ANN401 - a mapped column of any type
        with Session(self._engine) as session:
            rows = session.execute(select(column, func.count()).group_by(column))
            return Counter({value: count for value, count in rows})  # noqa: C416 - rows are tuples, but no pairs

    def _read(self, *conditions: Any) -> Iterator[IndexedImage]:  # noqa: ANN401 - SQL expressions
        rows: Select[Any] = (
            select(_Image.__table__, _Object.__table__)
            .join_from(_Image, _Object, isouter=True)
            .where(*conditions)
            .order_by(_Image.image_id, _Object.place)
        )
        with Session(self._engine) as session:
            for _, group in groupby(session.execute(rows), key=lambda row: row[0]):
                yield _to_image([tuple(row) for row in group])


def _image_row(image: IndexedImage) -> dict[str, Any]:
    return {
        column: getattr(image, column) for column in ("image_id", "filename", "sha256", "split", "width", "height")
    }


def _object_row(image: IndexedImage, place: int) -> dict[str, Any]:
    label = image.objects[place]
    corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), label.box.corners, strict=True))
    attributes = {
        name: getattr(label, name) for name in ("class_name", "pose", "truncated", "occluded", "difficult")
    }
    return {"image_id": image.image_id, "place": place, **corners, **attributes}


def _to_image(rows: list[tuple[Any, ...]]) -> IndexedImage:
    """One image from the rows that joining it with its objects gave; one row of None for an image without."""
    image_id, filename, sha256, split, width, height = rows[0][:6]
    return IndexedImage(
        image_id=image_id,
        filename=filename,
        sha256=sha256,
        split=split,
        width=width,
        height=height,
        objects=tuple(_to_object(row[8:]) for row in rows if row[8] is not None),
    )


def _to_object(values: Sequence[Any]) -> ObjectLabel:
    class_name, xmin, ymin, xmax, ymax, pose, truncated, occluded, difficult = values
    return ObjectLabel(class_name, Box(xmin, ymin, xmax, ymax), pose, truncated, occluded, difficult)

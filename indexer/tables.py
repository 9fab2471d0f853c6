"""The tables of a collection's records, in a SQLite file or a schema of PostgreSQL, and records <-> rows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from indexer.records import Box, IndexedImage, Notice, ObjectLabel


class Base(DeclarativeBase):
    """What SQLAlchemy knows the tables by.

    PostgreSQL is told to do as SQLite does: to order text by its bytes, and to compare with any number of 64 bits.
    """

    type_annotation_map: ClassVar = {
        str: String().with_variant(String(collation="C"), "postgresql"),
        int: Integer().with_variant(BigInteger(), "postgresql"),
    }


class ImageRow(Base):
    """One image; `objects` is how many are annotated."""

    __tablename__ = "images"

    image_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    filename: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str]
    split: Mapped[str | None] = mapped_column(index=True)
    width: Mapped[int]
    height: Mapped[int]
    objects: Mapped[int] = mapped_column(index=True)


class ObjectRow(Base):
    """One object; `share` is that of the picture that its box covers."""

    __tablename__ = "objects"

    object_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.image_id"), index=True)
    class_name: Mapped[str]
    xmin: Mapped[float]
    ymin: Mapped[float]
    xmax: Mapped[float]
    ymax: Mapped[float]
    pose: Mapped[str | None]
    truncated: Mapped[bool | None]
    occluded: Mapped[bool | None]
    difficult: Mapped[bool | None]
    share: Mapped[float]


# Filters ask which images have such an object: these indexes tell it without a look into the table.
for _filtered in ("class_name", "truncated", "occluded", "difficult"):
    Index(f"ix_objects_{_filtered}_image_id", getattr(ObjectRow, _filtered), ObjectRow.image_id)


class NoticeRow(Base):
    """One notice; `number` counts from 0 in their order."""

    __tablename__ = "notices"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    name: Mapped[str]
    reason: Mapped[str]
    used: Mapped[bool]


IMAGE_COLUMNS = ("image_id", "filename", "sha256", "split", "width", "height")
CORNERS = ("xmin", "ymin", "xmax", "ymax")
ATTRIBUTES = ("pose", "truncated", "occluded", "difficult")
OBJECT_COLUMNS = ("class_name", *CORNERS, *ATTRIBUTES)
NOTICE_COLUMNS = ("kind", "name", "reason", "used")


def image_row(image: IndexedImage) -> dict[str, Any]:
    """The row of an image."""
    return {**{name: getattr(image, name) for name in IMAGE_COLUMNS}, "objects": len(image.objects)}


def object_rows(images: Iterable[IndexedImage]) -> Iterator[dict[str, Any]]:
    """The rows of all objects; object ids count on through the images."""
    pairs = ((image, label) for image in images for label in image.objects)
    for number, (image, label) in enumerate(pairs):
        yield {"object_id": number, **_object_row(image, label)}


def notice_rows(notices: Iterable[Notice]) -> Iterator[dict[str, Any]]:
    """The rows of notices, in their order."""
    for number, notice in enumerate(notices):
        yield {"number": number, **{name: getattr(notice, name) for name in NOTICE_COLUMNS}}


def to_image(values: Sequence[Any], objects: Sequence[Sequence[Any]]) -> IndexedImage:
    """An image from the values of `IMAGE_COLUMNS`, and for each object those of `OBJECT_COLUMNS`."""
    known = dict(zip(IMAGE_COLUMNS, values, strict=True))
    return IndexedImage(**known, objects=tuple(map(to_object, objects)))


def to_object(values: Sequence[Any]) -> ObjectLabel:
    """An object from the values of `OBJECT_COLUMNS`."""
    class_name, xmin, ymin, xmax, ymax, *attributes = values
    return ObjectLabel(class_name, Box(xmin, ymin, xmax, ymax), *attributes)


def _object_row(image: IndexedImage, label: ObjectLabel) -> dict[str, Any]:
    return {
        "image_id": image.image_id,
        "class_name": label.class_name,
        **dict(zip(CORNERS, label.box.corners, strict=True)),
        **{name: getattr(label, name) for name in ATTRIBUTES},
        "share": label.box.area / (image.width * image.height),
    }

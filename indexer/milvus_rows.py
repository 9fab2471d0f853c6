"""What filters can ask of a row, as fields of a Milvus collection: pure, nothing here knows a server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.errors import CollectionError
from indexer.records import IndexedImage, ObjectLabel

ROW, VECTOR = "row", "vector"  # the primary key, and what is searched in

TEXT, INT8, INT32, INT64, DOUBLE = "text", "int8", "int32", "int64", "double"

NAME_BYTES = 1_024  # of a split, a class or a pose, as UTF-8
MOST_SLOTS = 4_096  # values that Milvus keeps in one array

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a Milvus collection; `many` where it is an array with one value for each object."""

    name: str
    type: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """What an object is told of: in an array over an image's objects, and as a row's own where rows are objects.

    There is no None in these fields, which Milvus 2.4 has not: a text is "" and a flag -1 where it is unknown.
    """

    type: str
    array: str
    own: str


ATTRIBUTES = {
    "class_name": Attribute(TEXT, "classes", "own_class"),
    "pose": Attribute(TEXT, "poses", "own_pose"),
    "truncated": Attribute(INT8, "truncated", "own_truncated"),
    "occluded": Attribute(INT8, "occluded", "own_occluded"),
    "difficult": Attribute(INT8, "difficult", "own_difficult"),
    "share": Attribute(DOUBLE, "shares", "own_share"),
}
_OF_IMAGE = (
    Field("split", TEXT),
    Field("objects", INT32),
    *(Field(attribute.array, attribute.type, many=True) for attribute in ATTRIBUTES.values()),
)
_OF_OBJECT = (
    Field("image_id", INT64),
    *(Field(attribute.own, attribute.type) for attribute in ATTRIBUTES.values()),
)


class Facts:
    """What is known of the rows of one collection, the vectors aside; the fields are made as they are asked for.

    Raises:
        CollectionError: a name is too long, or an image has too many objects, to be stored.
    """

    def __init__(self, images: Sequence[IndexedImage], *, objects: bool) -> None:
        self.objects = objects
        self._images = images
        counts = [len(image.objects) for image in images]
        self._owners = np.repeat(np.arange(len(images)), counts) if objects else np.arange(len(images))
        self._first = np.cumsum([0, *counts])
        self.slots = max(counts, default=0)
        _check(images, self.slots)

    @classmethod
    def of_images(cls, images: Sequence[IndexedImage]) -> "Facts":
        """A row is an image, its number the image id: the images come in the order of their ids, from 0."""
        return cls(images, objects=False)

    @classmethod
    def of_objects(cls, images: Sequence[IndexedImage]) -> "Facts":
        """A row is an object, its number the object id, which counts on through these images."""
        return cls(images, objects=True)

    def __len__(self) -> int:
        return len(self._owners)

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of each row."""
        return _OF_IMAGE + _OF_OBJECT if self.objects else _OF_IMAGE

    def rows(self, start: int, stop: int) -> list[Row]:
        """The fields of the rows from one number up to another, without key and vector."""
        return [self._row(number) for number in range(start, min(stop, len(self)))]

    def _row(self, number: int) -> Row:
        owner = int(self._owners[number])
        image = self._images[owner]
        row = _fields_of_image(image)
        if self.objects:
            label = image.objects[number - int(self._first[owner])]
            row |= {"image_id": image.image_id}
            row |= {
                attribute.own: value
                for attribute, value in zip(ATTRIBUTES.values(), _values(image, label), strict=True)
            }
        return row


def _fields_of_image(image: IndexedImage) -> Row:
    told = [_values(image, label) for label in image.objects]
    arrays = {attribute.array: [one[at] for one in told] for at, attribute in enumerate(ATTRIBUTES.values())}
    return {"split": image.split or "", "objects": len(image.objects), **arrays}


def _values(image: IndexedImage, label: ObjectLabel) -> tuple[str | int | float, ...]:
    """Those of an object, in the order of `ATTRIBUTES`."""
    flags = (label.truncated, label.occluded, label.difficult)
    share = label.box.area / (image.width * image.height)
    return (label.class_name, label.pose or "", *(-1 if flag is None else int(flag) for flag in flags), share)


def _check(images: Sequence[IndexedImage], slots: int) -> None:
    if slots > MOST_SLOTS:
        raise CollectionError(
            f"expected at most {MOST_SLOTS} objects in an image, which is what Milvus keeps, found {slots}; "
            "keep this collection on disk"
        )
    for name in sorted({name for image in images for name in _names(image)}):
        if not is_storable(name):
            raise CollectionError(
                f"expected names of at most {NAME_BYTES} bytes of UTF-8, found {name[:40]!a}"
                f"{'...' if len(name) > 40 else ''}; shorten it"  # noqa: PLR2004 - enough to find it
            )


def is_storable(name: str) -> bool:
    """Whether a name can be kept in a field of text."""
    try:
        return len(name.encode()) <= NAME_BYTES
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _names(image: IndexedImage) -> Iterator[str]:
    if image.split is not None:
        yield image.split
    for label in image.objects:
        yield label.class_name
        if label.pose is not None:
            yield label.pose

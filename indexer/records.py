"""The vocabulary: what a devkit says of a picture, what a collection knows of it, what a search answers."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-parallel rectangle in pixels, half-open: it covers x in [xmin, xmax) and y in [ymin, ymax).

    Raises:
        ValueError: a corner is not finite, or the rectangle is empty.
    """

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.corners)):
            raise ValueError(f"box corners must be finite numbers, found {self.corners}")
        if self.xmax <= self.xmin or self.ymax <= self.ymin:
            raise ValueError(f"a box must have xmin < xmax and ymin < ymax, found {self.corners}")

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """(xmin, ymin, xmax, ymax) in pixels."""
        return (self.xmin, self.ymin, self.xmax, self.ymax)

    @property
    def area(self) -> float:
        """Square pixels, greater than 0."""
        return (self.xmax - self.xmin) * (self.ymax - self.ymin)

    def clipped(self, width: int, height: int) -> "Box | None":
        """The part inside a picture of `width` x `height` pixels; None where nothing of it is inside."""
        xmin, ymin = max(self.xmin, 0.0), max(self.ymin, 0.0)
        xmax, ymax = min(self.xmax, float(width)), min(self.ymax, float(height))
        return Box(xmin, ymin, xmax, ymax) if xmin < xmax and ymin < ymax else None


@dataclass(frozen=True, slots=True)
class ObjectLabel:
    """One annotated object; None for an attribute that the annotation does not give."""

    class_name: str
    box: Box
    pose: str | None = None
    truncated: bool | None = None
    occluded: bool | None = None
    difficult: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedImage:
    """What a devkit says of one picture file.

    Attributes:
        filename: name inside JPEGImages, with its ending.
        split: "train", "val", "test" or the name of another list; None where no list names it.
        objects: in the annotation's order; empty where there is no annotation.
    """

    filename: str
    split: str | None
    objects: tuple[ObjectLabel, ...]

    @property
    def main_object(self) -> ObjectLabel | None:
        """The object with the largest box, the first of equals; None without objects."""
        return max(self.objects, key=lambda label: label.box.area, default=None)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes of the objects, each once, in the annotation's order."""
        return tuple(dict.fromkeys(label.class_name for label in self.objects))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedImage(AnnotatedImage):
    """One picture file as its annotation has it, before the picture itself is looked at.

    Attributes:
        annotation: path of the annotation file inside the devkit; None without one.
        annotated_size: (width, height) in pixels that the annotation says the picture has, which its boxes are of;
            None where it does not say.
    """

    annotation: str | None = None
    annotated_size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedImage(AnnotatedImage):
    """What a collection knows of one picture.

    Attributes:
        image_id: row of the index, from 0; holds within one generation.
        sha256: of the file's bytes, 64 hexadecimal digits.
        width: pixels, as shown (after EXIF orientation).
        height: pixels, as shown.
    """

    image_id: int
    sha256: str
    width: int
    height: int


PICTURE, ANNOTATION, OBJECT, LINE = KINDS = ("picture", "annotation", "object", "line")
"""What a devkit gives: pictures, annotation files, the objects in those, and the lines of lists."""


@dataclass(frozen=True, slots=True, order=True)
class Notice:
    """One thing that a devkit gives and a build did not use, or not as it stands, and why.

    Attributes:
        kind: one of `KINDS`.
        name: of a picture, its filename; of an annotation or an object, the path of its file inside the devkit;
            of a line, the name in it.
        reason: one line.
        used: whether it was used all the same.
    """

    kind: str
    name: str
    reason: str
    used: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of an index found by a search; `score` is the cosine similarity in [-1, 1], larger is closer."""

    image_id: int
    score: float

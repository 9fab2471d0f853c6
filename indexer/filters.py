"""What images, or their objects, must be like to be searched in or listed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Conditions that hold all together; what is empty or None asks for nothing.

    Those on an object (`class_any`, `class_all`, `pose`, `truncated`, `occluded`, `difficult`, the share) must
    hold of one and the same object; under `class_all`, of one object of each class.

    Attributes:
        class_any: classes, one of which the object is of.
        class_all: classes, of each of which there is such an object.
        class_none: classes that no object of the image is of.
        split: names of splits, one of which the image is in.
        pose: poses, one of which the object has.
        truncated: whether the object reaches over the picture's edge.
        occluded: whether the object is partly hidden.
        difficult: whether the object is marked as hard to make out.
        min_objects: annotated objects that the image has at least.
        max_objects: annotated objects that the image has at most.
        min_share: share of the picture that the object's box covers at least, in [0, 1].
        max_share: share of the picture that the object's box covers at most, in [0, 1].
    """

    class_any: tuple[str, ...] = ()
    class_all: tuple[str, ...] = ()
    class_none: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    pose: tuple[str, ...] = ()
    truncated: bool | None = None
    occluded: bool | None = None
    difficult: bool | None = None
    min_objects: int | None = None
    max_objects: int | None = None
    min_share: float | None = None
    max_share: float | None = None

    @property
    def ask_nothing(self) -> bool:
        """Whether every image fulfils them."""
        return self == NO_FILTERS


NO_FILTERS = Filters()

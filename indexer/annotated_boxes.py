"""Boxes as an annotation gives them -> boxes of the picture as it is shown; pure.

A photograph may be stored lying and shown upright: its EXIF orientation says how. Tools that look away from it
annotate the stored pixels, others the shown ones.
"""

from collections.abc import Callable
from dataclasses import replace

from indexer.records import OBJECT, Box, ListedImage, Notice, ObjectLabel

STORED, UPRIGHT = FRAMES = ("stored", "upright")
_FIRST_QUARTER_TURN = 5  # of the orientations; from there on width and height change places


def fit_objects(
    image: ListedImage, width: int, height: int, orientation: Callable[[], int], frame: str = UPRIGHT
) -> tuple[tuple[ObjectLabel, ...], list[Notice]]:
    """The objects with boxes that lie inside the picture, and notices of what is not used as it stands.

    The annotation's own size tells what its boxes are of: the shown picture, the stored one, or either of them at
    another scale. Where it could be of both, `frame` decides.

    Args:
        image: of a devkit.
        width: of the picture as shown, in pixels.
        height: of the picture as shown, in pixels.
        orientation: asks for the EXIF orientation of the picture, 1 to 8; called only where it matters.
        frame: one of `FRAMES`.
    """
    if not image.objects:
        return (), []
    path = image.annotation or ""
    size = image.annotated_size or (width, height)
    shown = _same_shape(size, (width, height))
    turn = orientation() if frame == STORED or not shown else 1
    stored_size = (height, width) if turn >= _FIRST_QUARTER_TURN else (width, height)
    if image.annotated_size is None and frame == STORED:
        size = stored_size
    stored = _same_shape(size, stored_size)
    if not shown and not stored:
        found = f"expected a <size> of {width} x {height} pixels, as the picture has, found {size[0]} x {size[1]}"
        return (), [Notice(OBJECT, path, f"{_named(label)}: {found}") for label in image.objects]
    is_stored = stored and (frame == STORED or not shown)
    base = stored_size if is_stored else (width, height)
    notices = []
    if size != base:
        how = f"boxes scaled from {size[0]} x {size[1]} to the picture's {base[0]} x {base[1]} pixels"
        notices.append(Notice(OBJECT, path, how, used=True))
    fitted = []
    for label in image.objects:
        xmin, ymin, xmax, ymax = (
            corner * base[axis] / size[axis] for axis, corner in zip((0, 1, 0, 1), label.box.corners, strict=True)
        )
        box = Box(xmin, ymin, xmax, ymax)
        inside = (turn_upright(box, turn, *stored_size) if is_stored else box).clipped(width, height)
        if inside is None:
            found = f"expected a box inside the picture of {width} x {height} pixels, found one outside"
            notices.append(Notice(OBJECT, path, f"{_named(label)}: {found}; mend it"))
        else:
            fitted.append(replace(label, box=inside))
    return tuple(fitted), notices


def turn_upright(box: Box, orientation: int, width: int, height: int) -> Box:
    """A box of stored pixels -> the box of the same pixels in the picture as shown.

    Args:
        box: inside a picture stored with `width` x `height` pixels.
        orientation: 1 to 8 (EXIF, CIPA DC-008, 4.6.5).
        width: as stored.
        height: as stored.
    """
    left, upper, right, lower = box.corners
    if orientation in (2, 3, 7, 8):  # shown with the stored right side first
        left, right = width - right, width - left
    if orientation in (3, 4, 6, 7):  # shown with the stored lower side first
        upper, lower = height - lower, height - upper
    if orientation >= _FIRST_QUARTER_TURN:
        left, upper, right, lower = upper, left, lower, right
    return Box(left, upper, right, lower)


def _same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one is the other at some scale, with sides rounded to whole pixels."""
    (width, height), (other_width, other_height) = size, other
    return abs(width * other_height - height * other_width) <= min(max(*size, *other), 0.02 * width * other_height)


def _named(label: ObjectLabel) -> str:
    return f"{label.class_name} at {tuple(round(corner) for corner in label.box.corners)}"

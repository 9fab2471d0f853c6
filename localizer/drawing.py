"""Boxes on pictures: the true one red, the predicted one blue."""

from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from indexer.records import Box

TRUE, PREDICTED = "#e5383b", "#2563eb"
_LINE, _TEXT = 0.008, 0.045  # of the mean side
_LEAST_TEXT = 12  # pixels

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


@dataclass(frozen=True, slots=True)
class Mark:
    """A box to be drawn, with what is written at it.

    Attributes:
        box: in pixels of the picture.
        text: what it is.
        colour: `TRUE` or `PREDICTED`.
        at_foot: whether the text goes to the lower edge, so that two boxes in one place can both be read.
    """

    box: Box
    text: str
    colour: str
    at_foot: bool = False

    def scaled(self, across: float, down: float) -> "Mark":
        """The same on the picture at another size."""
        xmin, ymin, xmax, ymax = self.box.corners
        return replace(self, box=Box(xmin * across, ymin * down, xmax * across, ymax * down))


def draw(pixels: Image.Image, marks: list[Mark]) -> Image.Image:
    """A copy of a picture with marks on it."""
    drawn = pixels.copy()
    canvas = ImageDraw.Draw(drawn)
    side = (drawn.width + drawn.height) / 2
    width, font = max(2, round(side * _LINE)), ImageFont.load_default(max(_LEAST_TEXT, side * _TEXT))
    for mark in marks:
        canvas.rectangle(mark.box.corners, outline=mark.colour, width=width)
    for mark in marks:  # no box crosses a text
        _write(canvas, mark, font, drawn.size)
    return drawn


def save(drawn: Image.Image, path: Path) -> None:
    """Write a JPEG."""
    drawn.save(path, format="JPEG", quality=90)


def _write(canvas: ImageDraw.ImageDraw, mark: Mark, font: Font, room: tuple[int, int]) -> None:
    """Text on a plate of the box's colour, outside the box where there is room, else inside it."""
    left, top, right, bottom = canvas.textbbox((0, 0), mark.text, font=font)
    pad = (bottom - top) // 4
    height, width = bottom - top + 2 * pad, right - left + 2 * pad
    x = max(0.0, min(mark.box.xmin, room[0] - width))
    above, below = mark.box.ymin - height, mark.box.ymax
    if mark.at_foot:
        y = below if below + height <= room[1] else below - height
    else:
        y = above if above >= 0 else mark.box.ymin
    canvas.rectangle((x, y, x + width, y + height), fill=mark.colour)
    canvas.text((x + pad - left, y + pad - top), mark.text, fill="white", font=font)

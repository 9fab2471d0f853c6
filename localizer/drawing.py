"""Boxes on pictures: the true one red, the predicted one blue."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from indexer.records import Box

TRUE, PREDICTED = "#e5383b", "#2563eb"
_LINE, _TEXT = 0.006, 0.035  # of the mean side
_LEAST_TEXT = 12  # pixels


@dataclass(frozen=True, slots=True)
class Mark:
    """A box to be drawn, with what is written at it, in `TRUE` or `PREDICTED`."""

    box: Box
    text: str
    colour: str


def draw(pixels: Image.Image, marks: list[Mark]) -> Image.Image:
    """A copy of a picture with marks on it."""
    drawn = pixels.copy()
    canvas = ImageDraw.Draw(drawn)
    side = (drawn.width + drawn.height) / 2
    width, font = max(2, round(side * _LINE)), ImageFont.load_default(max(_LEAST_TEXT, side * _TEXT))
    for mark in marks:
        canvas.rectangle(mark.box.corners, outline=mark.colour, width=width)
        _write(canvas, mark, font, drawn.width)
    return drawn


def save(drawn: Image.Image, path: Path) -> None:
    """Write a JPEG."""
    drawn.save(path, format="JPEG", quality=90)


def _write(
    canvas: ImageDraw.ImageDraw, mark: Mark, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, room: int
) -> None:
    """Text on a plate of the box's colour, above the box where there is room, else inside it."""
    left, top, right, bottom = canvas.textbbox((0, 0), mark.text, font=font)
    pad = (bottom - top) // 4
    height, width = bottom - top + 2 * pad, right - left + 2 * pad
    x = max(0.0, min(mark.box.xmin, room - width))
    y = mark.box.ymin - height if mark.box.ymin >= height else mark.box.ymin
    canvas.rectangle((x, y, x + width, y + height), fill=mark.colour)
    canvas.text((x + pad - left, y + pad - top), mark.text, fill="white", font=font)

"""Draws a small VOC devkit of all twenty classes, so that everything runs with no download.

One to three glyphs a picture, each of random size, turn, mirroring and tint; boxes and flags are computed from
what is drawn. Every picture has a generator of its own: the same seed draws the same bytes.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from tqdm import tqdm

from indexer import voc
from indexer.errors import DatasetError
from indexer.records import AnnotatedImage, Box, ObjectLabel
from indexer.sample_backgrounds import Size, draw_background
from indexer.sample_glyphs import CREDITS, GLYPHS, glyph

_SIZES: tuple[Size, ...] = ((500, 375), (500, 375), (500, 333), (375, 500), (450, 450))
_PLACES_TRIED = 6
_SHARE_OVER_EDGE = 0.2  # of all figures
_SHARE_HIDDEN = 0.04  # of an object's pixels: above it, it counts as truncated or occluded
_SHARE_SEEN_LEAST = 0.45  # of an object's pixels: below it, the object is not drawn at all
_DIFFICULT_AREA = 0.012  # of the picture: VOC calls an object difficult that is hard to make out

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Figure:
    """A glyph that has found its place: upper left corner in pixels, which may lie outside the picture."""

    class_name: str
    glyph: Image.Image
    left: int
    top: int

    def mask(self, size: Size) -> Mask:
        """(height, width): where it covers the picture."""
        canvas = Image.new("L", size, 0)
        canvas.paste(self.glyph.getchannel("A"), (self.left, self.top))
        return np.asarray(canvas) > 127  # noqa: PLR2004 - half of full opacity

    def pixels(self) -> int:
        """How many it has, inside the picture and outside."""
        return int((np.asarray(self.glyph.getchannel("A")) > 127).sum())  # noqa: PLR2004


def draw_devkit(root: Path, images: int, seed: int) -> Path:
    """Draw a devkit of that many pictures into `root`, a third of them val; the lists of splits are written last.

    Raises:
        DatasetError: there is a devkit in `root` already.
    """
    if (root / "ImageSets").exists():
        raise DatasetError(f"expected a folder without a devkit, found one in {root}; delete it or choose another")
    (root / "JPEGImages").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        drawn = threads.map(lambda number: _draw_into(root, number, seed), range(images))
        annotated = list(tqdm(drawn, total=images, unit=" pictures", desc="Drawing", disable=None))
    (root / voc.CREDITS_FILE).write_text(f"{CREDITS}\n", encoding="utf-8")
    voc.write_lists(root, annotated)
    return root


def _draw_into(root: Path, number: int, seed: int) -> AnnotatedImage:
    random = np.random.default_rng([seed, number])
    picture, labels = _draw(random, voc.CLASS_NAMES[number % len(voc.CLASS_NAMES)])
    split = "val" if number % 3 == 2 else "train"  # noqa: PLR2004 - no divisor of 20: all classes in both
    image = AnnotatedImage(filename=f"{number:06d}.jpg", split=split, objects=labels)
    picture.save(voc.picture_path(root, image.filename), format="JPEG", quality=88)
    voc.write_annotation(root, image, picture.width, picture.height)
    return image


def _draw(random: np.random.Generator, main_class: str) -> tuple[Image.Image, tuple[ObjectLabel, ...]]:
    size = _SIZES[random.integers(len(_SIZES))]
    figures = [_place(random, size, main_class, (0.5, 0.92), [])]
    for _ in range(random.choice(3, p=(0.55, 0.3, 0.15))):
        other = voc.CLASS_NAMES[random.integers(len(voc.CLASS_NAMES))]
        figure = _place(random, size, other, (0.18, 0.46), figures)
        if min(_shares_seen([*figures, figure], size)) >= _SHARE_SEEN_LEAST:
            figures.append(figure)
    picture = draw_background(random, size)
    for figure in figures:
        _cast_shadow(picture, figure)
        picture.paste(figure.glyph, (figure.left, figure.top), figure.glyph)
    return picture, _label(figures, size)


def _place(
    random: np.random.Generator, size: Size, class_name: str, scale: tuple[float, float], others: Sequence[_Figure]
) -> _Figure:
    """The place, of a few drawn by lot, that hides least; one in five reaches over the picture's edge."""
    shape = _vary(random, class_name, scale, size)
    over_edge = random.random() < _SHARE_OVER_EDGE
    tried = [
        _Figure(class_name, shape, *_corner(random, size, shape.size, over_edge)) for _ in range(_PLACES_TRIED)
    ]
    if over_edge:
        return tried[0]
    return max(tried, key=lambda figure: min(_shares_seen([*others, figure], size)))


def _corner(random: np.random.Generator, size: Size, own: Size, over_edge: bool) -> tuple[int, int]:  # noqa: FBT001
    """Upper left corner of a figure of size `own` wholly inside the picture, or over one of its sides."""
    left, top = (int(random.uniform(0, max(whole - part, 1))) for part, whole in zip(own, size, strict=True))
    if not over_edge:
        return left, top
    hidden = random.uniform(0.1, 0.35)
    if random.integers(2):
        return int(size[0] - own[0] * (1 - hidden)) if random.integers(2) else int(-own[0] * hidden), top
    return left, int(size[1] - own[1] * (1 - hidden)) if random.integers(2) else int(-own[1] * hidden)


def _vary(random: np.random.Generator, class_name: str, scale: tuple[float, float], size: Size) -> Image.Image:
    """A glyph of the class: mirrored or not, tinted, turned, scaled to a share of the shorter side."""
    characters = GLYPHS[class_name]
    shape = glyph(characters[random.integers(len(characters))])
    if random.random() < 0.5:  # noqa: PLR2004
        shape = shape.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    shape = _tint(random, shape).rotate(random.normal(0, 9), Image.Resampling.BICUBIC, expand=True)
    shape = shape.crop(shape.getchannel("A").getbbox())
    factor = random.uniform(*scale) * min(size) / max(shape.size)
    width, height = (max(1, round(side * factor)) for side in shape.size)
    return shape.resize((width, height), Image.Resampling.LANCZOS)


def _tint(random: np.random.Generator, shape: Image.Image) -> Image.Image:
    """Hue, saturation and brightness moved a little; black outlines stay black."""
    hue, saturation, value = shape.convert("RGB").convert("HSV").split()
    turn, strength, light = int(random.integers(-12, 13)), random.uniform(0.75, 1.2), random.uniform(0.85, 1.1)
    moved = Image.merge(
        "HSV",
        (
            hue.point(lambda level: (level + turn) % 256),
            saturation.point(lambda level: min(255, int(level * strength))),
            value.point(lambda level: min(255, int(level * light))),
        ),
    ).convert("RGB")
    moved.putalpha(shape.getchannel("A"))
    return moved


def _cast_shadow(picture: Image.Image, figure: _Figure) -> None:
    depth = max(2, figure.glyph.height // 28)
    alpha = Image.new("L", picture.size, 0)
    alpha.paste(figure.glyph.getchannel("A").point(lambda level: level // 3), (figure.left, figure.top + depth))
    picture.paste((20, 24, 40), mask=alpha.filter(ImageFilter.GaussianBlur(depth)))


def _visible(figures: Sequence[_Figure], size: Size) -> list[Mask]:
    """What can be seen of each figure under those drawn after it."""
    visible: list[Mask] = []
    covered = np.zeros((size[1], size[0]), dtype=bool)
    for figure in reversed(figures):
        mask = figure.mask(size)
        visible.append(mask & ~covered)
        covered |= mask
    return visible[::-1]


def _shares_seen(figures: Sequence[_Figure], size: Size) -> list[float]:
    return [
        int(seen.sum()) / figure.pixels() for figure, seen in zip(figures, _visible(figures, size), strict=True)
    ]


def _label(figures: Sequence[_Figure], size: Size) -> tuple[ObjectLabel, ...]:
    """Boxes tight around what can be seen, and flags from what cannot."""
    labels = []
    for figure, seen in zip(figures, _visible(figures, size), strict=True):
        inside, whole = int(figure.mask(size).sum()), figure.pixels()
        columns, rows = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
        box = Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        labels.append(
            ObjectLabel(
                figure.class_name,
                box,
                pose="Unspecified",
                truncated=inside < (1 - _SHARE_HIDDEN) * whole,
                occluded=int(seen.sum()) < (1 - _SHARE_HIDDEN) * inside,
                difficult=box.area < _DIFFICULT_AREA * size[0] * size[1],
            )
        )
    return tuple(labels)

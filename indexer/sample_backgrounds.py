"""Backgrounds of the sample: skies over ground, gradients, soft noise and blurred discs, in quiet colours."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFilter

Size = tuple[int, int]
Colour = tuple[int, ...]


def draw_background(random: np.random.Generator, size: Size) -> Image.Image:
    """An RGB picture of (width, height) `size`, of a kind drawn by lot."""
    kinds: tuple[Callable[[np.random.Generator, Size], Image.Image], ...] = (_landscape, _gradient, _noise, _discs)
    return kinds[random.integers(len(kinds))](random, size)


def _colour(random: np.random.Generator, hue: float, light: tuple[int, int] = (60, 88)) -> Colour:
    """Around a hue in degrees; lightness in percent."""
    hue = (hue + random.uniform(-18, 18)) % 360
    return ImageColor.getrgb(f"hsl({hue:.0f}, {random.integers(22, 58)}%, {random.integers(*light)}%)")


def _blend(first: Colour, second: Colour, share: NDArray[np.float64]) -> Image.Image:
    """Between two colours, by a share in [0, 1] for each pixel (height, width)."""
    ends = np.array([first, second], dtype=np.float64)
    mixed = ends[0] + share[..., np.newaxis] * (ends[1] - ends[0])
    return Image.fromarray(mixed.round().astype(np.uint8))


def _grid(size: Size) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return x, y


def _gradient(random: np.random.Generator, size: Size) -> Image.Image:
    x, y = _grid(size)
    angle, hue = random.uniform(0, 2 * np.pi), random.uniform(0, 360)
    share = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)
    return _blend(_colour(random, hue), _colour(random, hue + random.uniform(30, 90)), share)


def _landscape(random: np.random.Generator, size: Size) -> Image.Image:
    x, y = _grid(size)
    sky_hue, ground_hue = random.choice([205, 215, 25, 340]), random.choice([95, 120, 42, 30, 160])
    hills = 0.04 * np.sin(x * random.uniform(2, 7) + random.uniform(0, 6))
    horizon = random.uniform(0.45, 0.7) + hills
    sky = _blend(_colour(random, sky_hue, (66, 80)), _colour(random, sky_hue, (86, 94)), y)
    ground = _blend(_colour(random, ground_hue, (58, 72)), _colour(random, ground_hue, (44, 58)), y)
    mask = Image.fromarray((255 * (y > horizon)).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.2))
    return Image.composite(ground, sky, mask)


def _noise(random: np.random.Generator, size: Size) -> Image.Image:
    """Grids of random values, ever finer and fainter, smoothly scaled up."""
    total = np.zeros((size[1], size[0]))
    for cells, weight in ((3, 1.0), (8, 0.5), (24, 0.2)):
        grid = Image.fromarray((255 * random.random((cells, cells))).astype(np.uint8))
        total += weight * np.asarray(grid.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
    share = (total - total.min()) / (total.max() - total.min())
    hue = random.uniform(0, 360)
    return _blend(_colour(random, hue), _colour(random, hue + random.uniform(15, 60)), share)


def _discs(random: np.random.Generator, size: Size) -> Image.Image:
    hue = random.uniform(0, 360)
    canvas = _gradient(random, size)
    pen = ImageDraw.Draw(canvas, "RGBA")
    for _ in range(random.integers(8, 18)):
        radius = random.uniform(0.03, 0.16) * max(size)
        x, y = random.uniform(0, size[0]), random.uniform(0, size[1])
        fill = (*_colour(random, hue + random.uniform(0, 70), (62, 90)), int(random.integers(70, 170)))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    return canvas.filter(ImageFilter.GaussianBlur(random.uniform(4, 11)))

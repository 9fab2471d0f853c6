"""What training does to maps and boxes, so that no picture is seen twice alike."""

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from localizer import boxes as arithmetic
from localizer.examples import VECTOR, Inputs
from localizer.objects import Objects

_WINDOWED, _MIRRORED, _LAID = 0.8, 0.5, 0.7  # shares of the pictures
_LEAST_SIDE, _MOST_SIDE, _STRETCH = 0.65, 1.6, 0.2  # of a window; the last for each side alone, in logarithms
_LEAST_LEFT = 0.4  # of a box's area, for its object still to count
_MOST_HIDDEN = 0.5  # of a box's area, likewise


def augment(inputs: Inputs, objects: Objects, lot: torch.Generator) -> tuple[Inputs, Objects]:
    """See each picture through a window: smaller than it, or larger, and then laid over another picture.

    A vector knows no places: nothing is done to it, nor to its boxes.

    Args:
        inputs: of N pictures.
        objects: of the same.
        lot: of the random numbers.
    """
    if VECTOR in inputs:
        return inputs, objects
    inputs, objects = _mirror_some(inputs, objects, lot)
    origins, sizes = draw_windows(len(objects), lot)
    seen = {stage: look_through(maps, origins, sizes) for stage, maps in inputs.items()}
    cropped, left = arithmetic.crop(objects.boxes, origins[:, None], sizes[:, None])
    moved = replace(objects, boxes=cropped, real=objects.real & (left > _LEAST_LEFT))
    laid = (torch.rand(len(objects), generator=lot) < _LAID) & (sizes > 1).any(1)
    frames = _frames(origins, sizes)
    together = _lay_over(seen, inputs, frames, laid)
    return together, moved.beside(_visible_below(objects, frames, laid)).compact()


def draw_windows(count: int, lot: torch.Generator) -> tuple[Tensor, Tensor]:
    """Upper left corners and sizes of windows, (N, 2) each, as shares of the picture; some are the whole of it."""
    least, most = math.log(_LEAST_SIDE), math.log(_MOST_SIDE)
    scales = least + (most - least) * torch.rand(count, 1, generator=lot)
    sizes = (scales + _STRETCH * (2 * torch.rand(count, 2, generator=lot) - 1)).exp()
    sizes[torch.rand(count, generator=lot) >= _WINDOWED] = 1.0
    return torch.rand(count, 2, generator=lot) * (1 - sizes), sizes


def look_through(maps: Tensor, origins: Tensor, sizes: Tensor) -> Tensor:
    """The maps (N, c, h, w) as seen through their windows, bilinearly, at the size they had; 0 beyond them."""
    transforms = torch.zeros(len(maps), 2, 3)
    transforms[:, 0, 0], transforms[:, 1, 1] = sizes.unbind(1)
    transforms[:, :, 2] = 2 * origins + sizes - 1
    grid = functional.affine_grid(transforms, list(maps.shape), align_corners=False)
    return functional.grid_sample(maps, grid, align_corners=False)


def mirror(inputs: Inputs) -> Inputs:
    """The same pictures mirrored left to right; a vector is its own mirror."""
    return {name: values if name == VECTOR else values.flip(-1) for name, values in inputs.items()}


def _mirror_some(inputs: Inputs, objects: Objects, lot: torch.Generator) -> tuple[Inputs, Objects]:
    chosen = torch.rand(len(objects), generator=lot) < _MIRRORED
    mirrored = mirror(inputs)
    turned = {
        stage: torch.where(chosen[:, None, None, None], mirrored[stage], maps) for stage, maps in inputs.items()
    }
    boxes = torch.where(chosen[:, None, None], arithmetic.mirror(objects.boxes), objects.boxes)
    return turned, replace(objects, boxes=boxes)


def _frames(origins: Tensor, sizes: Tensor) -> Tensor:
    """(N, 4): where each picture lies in its window, as a unit box."""
    return torch.cat([-origins / sizes, (1 - origins) / sizes], dim=1).clamp(0, 1)


def _lay_over(seen: Inputs, ground: Inputs, frames: Tensor, laid: Tensor) -> Inputs:
    """Put the picture before it in the batch around each that is `laid`, (N,) bool."""
    return {
        stage: torch.where(_outside(maps, frames) & laid[:, None, None, None], ground[stage].roll(1, 0), maps)
        for stage, maps in seen.items()
    }


def _visible_below(objects: Objects, frames: Tensor, laid: Tensor) -> Objects:
    """Of the pictures that others were laid over: those objects that can still be seen."""
    below = objects.take(torch.arange(len(objects)).roll(1))
    hidden = arithmetic.shared_area(below.boxes, frames[:, None]) / arithmetic.area(below.boxes).clamp(min=1e-9)
    return replace(below, real=below.real & (hidden < _MOST_HIDDEN) & laid[:, None])


def _outside(maps: Tensor, frames: Tensor) -> Tensor:
    """(N, 1, h, w): whether a cell's centre lies outside its picture's frame."""
    y, x = ((torch.arange(size) + 0.5) / size for size in maps.shape[2:])
    left, top, right, bottom = (edge[:, None] for edge in frames.unbind(1))
    across, down = (x < left) | (x > right), (y < top) | (y > bottom)
    return (across[:, None, :] | down[:, :, None])[:, None]

"""Windows, mirror images and pictures laid over others: what is seen and what is said of it stay together."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from localizer import boxes as arithmetic
from localizer.augment import augment, draw_windows, look_through, mirror
from localizer.dense_head import cell_centres
from localizer.examples import VECTOR, Inputs
from localizer.objects import Objects
from tests.scenes import Corners, inside, objects, random_floats, told

SIDE = 64  # cells of the fine map; half as many of the deep one
CELL = 1 / 32 / 0.5  # of the deep map as seen through the smallest window, as a share of the picture
OBJECTS = [(0.3, 0.25, 0.8, 0.7), (0.0, 0.1, 0.4, 0.45), (0.55, 0.5, 1.0, 1.0), (0.2, 0.05, 0.45, 0.95)]
SEEDS = range(25)


def cells(box: Tensor, side: int, margin: float = 0.0) -> Tensor:
    """(side, side): whether a cell's centre is inside a unit box made smaller by a margin."""
    return inside(box, cell_centres(side, side), margin).view(side, side)


def draw(side: int, box: Tensor) -> Tensor:
    """(4, side, side): 1 inside the box; x; y; 1 everywhere."""
    x, y = cell_centres(side, side).T.reshape(2, side, side)
    return torch.stack([cells(box, side).float(), x, y, torch.ones(side, side)])


class Seen(NamedTuple):
    """What became of a picture with one object of class 2, and of a black one; each may lie under the other."""

    maps: Inputs
    objects: Objects


def see(corners: Corners, seed: int) -> Seen:
    box = torch.tensor(corners)
    drawn = {stage: draw(side, box) for stage, side in (("deep", 32), ("fine", SIDE))}
    maps = {stage: torch.stack([picture, torch.zeros_like(picture)]) for stage, picture in drawn.items()}
    return Seen(*augment(maps, objects([(2, corners)], []), torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("corners", OBJECTS)
@pytest.mark.parametrize("stage", ["deep", "fine"])
def test_a_box_covers_what_is_bright_after_as_before(corners: Corners, stage: str) -> None:
    agreed = 0

    for seed in SEEDS:
        seen = see(corners, seed)
        bright = seen.maps[stage][0, 0] > 0.5
        for box in seen.objects.boxes[0][seen.objects.real[0]]:
            assert bright[cells(box, len(bright), margin=CELL)].all()
            assert cells(box, len(bright), margin=-CELL)[bright].all()
            agreed += 1

    assert agreed > len(SEEDS) / 3


@pytest.mark.parametrize("corners", [(0.0, 0.0, 0.15, 0.2), (0.85, 0.5, 1.0, 0.75), (0.1, 0.9, 0.5, 1.0)])
def test_an_object_of_the_picture_below_is_where_it_is_bright_unless_it_is_hidden(corners: Corners) -> None:
    found = []

    for seed in SEEDS:
        seen = see(corners, seed)
        bright = seen.maps["fine"][1, 0] > 0.5
        for box in seen.objects.boxes[1][seen.objects.real[1]]:
            assert cells(box, SIDE, margin=-CELL)[bright].all()
            assert bright[cells(box, SIDE)].float().mean() > 0.45
            found.append(box)

    box = torch.tensor(corners)
    mirrored = arithmetic.mirror(box)
    assert found
    assert all(torch.allclose(one, box) or torch.allclose(one, mirrored) for one in found)


def test_pictures_are_laid_over_others_only_where_they_do_not_cover_the_window() -> None:
    below = [seed for seed in range(60) if see((0.0, 0.0, 0.15, 0.15), seed).objects.real[1].any()]

    assert 0 < len(below) < 30


@pytest.mark.parametrize("corners", OBJECTS)
def test_an_object_counts_if_enough_of_it_is_left(corners: Corners) -> None:
    box, verdicts = torch.tensor(corners), set()

    for seed in range(100):
        seen = see(corners, seed)
        _, x, y, whole = seen.maps["fine"][0]
        own = whole > 0.999
        visible = torch.stack([x[own].min(), y[own].min(), x[own].max(), y[own].max()])
        left = float(arithmetic.shared_area(box, visible) / arithmetic.area(box))
        counts = bool(seen.objects.real[0].any())
        assert left > 0.4 - 0.1 if counts else left < 0.4 + 0.1
        verdicts.add(counts)

    assert True in verdicts


def test_an_object_of_which_too_little_is_left_is_dropped() -> None:
    corner = (0.0, 0.0, 0.12, 0.12)
    bright = {True: 0.0, False: 0.0}

    for seed in range(80):
        seen = see(corner, seed)
        share = float((seen.maps["fine"][0, 0] > 0.5).float().sum())
        there = bool(seen.objects.real[0].any())
        bright[there] = max(bright[there], share)

    assert bright[True] > 2 * bright[False]


def test_the_same_seed_does_the_same_and_another_something_else() -> None:
    first, again, other = (see(OBJECTS[0], seed) for seed in (5, 5, 6))

    assert all(torch.equal(first.maps[stage], again.maps[stage]) for stage in first.maps)
    assert told(first.objects) == told(again.objects)
    assert not torch.equal(first.maps["deep"], other.maps["deep"])


def test_class_ids_stay_with_their_objects() -> None:
    sizes = {0: 0.2, 1: 0.3, -1: 0.45}
    picture = [(number, (0.3, 0.3, 0.3 + size, 0.3 + size / 2)) for number, size in sizes.items()]
    maps = {"deep": torch.zeros(6, 1, 8, 8), "fine": torch.zeros(6, 1, 16, 16)}

    for seed in range(10):
        _, moved = augment(maps, objects(*[picture] * 6), torch.Generator().manual_seed(seed))
        for row in told(moved):
            whole = [(number, box) for number, box in row if min(box) > 0 and max(box) < 1]
            widths = {number: round(box[2] - box[0], 4) for number, box in whole}
            assert {number for number, _ in row} <= set(sizes)
            assert sorted(widths, key=widths.__getitem__) == [number for number in sizes if number in widths]


def test_what_it_was_given_is_left_as_it_was() -> None:
    maps = {"deep": torch.rand(3, 2, 4, 4), "fine": torch.rand(3, 1, 8, 8)}
    made = objects(*[[(1, OBJECTS[0])]] * 3)
    before = {stage: values.clone() for stage, values in maps.items()}, told(made)

    augment(maps, made, torch.Generator().manual_seed(0))

    assert all(torch.equal(maps[stage], values) for stage, values in before[0].items())
    assert told(made) == before[1]


def test_vectors_and_their_boxes_are_untouched() -> None:
    inputs, made = {VECTOR: torch.from_numpy(random_floats(0, 3, 5))}, objects([(0, OBJECTS[0])], [], [])

    seen, moved = augment(inputs, made, torch.Generator().manual_seed(0))

    assert torch.equal(seen[VECTOR], inputs[VECTOR])
    assert told(moved) == told(made)
    assert torch.equal(mirror(inputs)[VECTOR], inputs[VECTOR])


def test_windows_are_of_bounded_size_inside_the_picture_or_around_it() -> None:
    origins, sizes = draw_windows(2_000, torch.Generator().manual_seed(0))

    assert sizes.min() > 0.5
    assert sizes.max() < 2
    assert 0.1 < (sizes == 1).all(1).float().mean() < 0.3
    ends = origins + sizes
    smaller = sizes <= 1
    assert (origins[smaller] >= 0).all()
    assert (ends[smaller] <= 1 + 1e-6).all()
    assert (origins[~smaller] <= 0).all()
    assert (ends[~smaller] >= 1 - 1e-6).all()


def test_the_whole_picture_seen_through_a_window_is_the_picture() -> None:
    maps = torch.from_numpy(random_floats(0, 2, 3, 5, 7))

    seen = look_through(maps, torch.zeros(2, 2), torch.ones(2, 2))

    assert torch.allclose(seen, maps, atol=1e-5)

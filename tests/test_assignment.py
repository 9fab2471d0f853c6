"""Which cell answers for which object, whatever was predicted."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from localizer.assignment import Assignment, assign
from localizer.dense_head import cell_centres
from localizer.objects import Objects
from tests.scenes import CLASSES, Corners, inside, objects, pictures_of_objects, unhurried, unit_boxes

HEIGHT, WIDTH = 6, 8
CENTRES = cell_centres(HEIGHT, WIDTH)
CELLS = len(CENTRES)

seeds = st.integers(0, 2**32 - 1)


def random_answers(pictures: int, seed: int) -> tuple[Tensor, Tensor]:
    """Probabilities (N, G, classes), and boxes (N, G, 4) around the cells, some of them almost empty."""
    lot = torch.Generator().manual_seed(seed)
    reach = torch.rand(pictures, CELLS, 4, generator=lot) ** 2
    boxes = torch.cat([CENTRES - reach[..., :2], CENTRES + reach[..., 2:]], dim=-1)
    return torch.rand(pictures, CELLS, len(CLASSES), generator=lot) ** 3, boxes


def assign_at_random(made: Objects, seed: int) -> Assignment:
    return assign(*random_answers(len(made), seed), CENTRES, made)


def covering(corners: Corners) -> Tensor:
    """(G,): whether a cell's centre is inside a box."""
    return inside(torch.tensor(corners), CENTRES)


def answering(share: Assignment, row: int, place: int) -> Tensor:
    """(G,): whether a cell of a picture answers for the object at a place."""
    return share.answers[row] & (share.objects[row] == place)


@unhurried
@given(pictures_of_objects(), seeds)
def test_no_cell_answers_for_an_empty_place(pictures: list[list[tuple[int, Corners]]], seed: int) -> None:
    made = objects(*pictures)

    share = assign_at_random(made, seed)

    assert made.real.gather(1, share.objects)[share.answers].all()
    assert not share.answers[~made.real.any(1)].any()


@unhurried
@given(pictures_of_objects(), seeds)
def test_quality_is_a_share_and_nothing_where_no_object_is_answered_for(
    pictures: list[list[tuple[int, Corners]]], seed: int
) -> None:
    share = assign_at_random(objects(*pictures), seed)

    assert share.quality.shape == share.answers.shape == (3, CELLS)
    assert share.quality.min() >= 0
    assert share.quality.max() <= 1
    assert (share.quality[~share.answers] == 0).all()


@unhurried
@given(unit_boxes(least=0.01), seeds)
def test_an_object_by_itself_is_answered_for_by_cells_inside_it_or_by_the_nearest(
    corners: Corners, seed: int
) -> None:
    share = assign_at_random(objects([(1, corners)]), seed)

    cells = share.answers[0]
    middle = torch.tensor([corners[0] + corners[2], corners[1] + corners[3]]) / 2
    away = (CENTRES - middle).abs().amax(1)
    assert 1 <= cells.sum() <= 13
    assert (covering(corners) | (away <= away.min() + 1e-5))[cells].all()
    assert (share.objects[0][cells] == 0).all()


@unhurried
@given(seeds, st.floats(0.0, 0.4), st.floats(0.0, 0.4), st.lists(unit_boxes(), min_size=4, max_size=4))
def test_every_object_of_its_own_quarter_of_the_picture_is_answered_for(
    seed: int, across: float, down: float, shapes: list[Corners]
) -> None:
    shrink = torch.tensor([0.5 - across, 0.5 - down] * 2)
    boxes = [
        (torch.tensor(shape) * shrink + torch.tensor([x, y, x, y])).tolist()
        for shape, (x, y) in zip(shapes, [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)], strict=True)
    ]
    made = objects([(number % 3, tuple(box)) for number, box in enumerate(boxes)])

    share = assign_at_random(made, seed)

    assert all(answering(share, 0, place).any() for place in range(4))


@pytest.mark.parametrize("seed", range(5))
def test_an_object_between_cells_gets_the_nearest(seed: int) -> None:
    tiny = (0.49, 0.4, 0.5, 0.41)

    share = assign_at_random(objects([(0, tiny)]), seed)

    nearest = (CENTRES - torch.tensor([0.495, 0.405])).abs().amax(1).argmin()
    assert not covering(tiny).any()
    assert share.answers[0].nonzero().flatten().tolist() == [int(nearest)]


@unhurried
@given(seeds)
def test_a_cell_inside_two_objects_answers_for_the_one_its_box_overlaps_best(seed: int) -> None:
    left, right = (0.0, 0.0, 0.6, 1.0), (0.4, 0.0, 1.0, 1.0)
    probabilities, boxes = random_answers(1, seed)
    both = (covering(left) & covering(right)).nonzero().flatten()
    boxes[0, both] = torch.tensor(right)
    probabilities[0, both] = 1.0

    share = assign(probabilities, boxes, CENTRES, objects([(0, left), (1, right)]))

    assert len(both) == 12
    assert share.answers[0, both].all()
    assert (share.objects[0, both] == 1).all()


def test_the_cells_that_see_an_object_best_are_chosen_and_the_best_has_the_quality_of_its_box() -> None:
    whole = (0.0, 0.0, 1.0, 1.0)
    probabilities, boxes = torch.full((1, CELLS, 3), 0.2), torch.tensor(whole).expand(1, CELLS, 4).clone()
    seeing = torch.arange(5, 5 + 13)
    probabilities[0, seeing, 2] = 0.6
    boxes[0, seeing[0]] = torch.tensor([0.0, 0.0, 0.9, 1.0])

    share = assign(probabilities, boxes, CENTRES, objects([(2, whole)]))

    assert share.answers[0].nonzero().flatten().tolist() == seeing.tolist()
    assert share.quality[0, seeing[1:]].tolist() == pytest.approx([1.0] * 12)
    assert float(share.quality[0, seeing[0]]) == pytest.approx(0.9**4, rel=1e-4)


def test_another_class_s_probability_does_not_count() -> None:
    whole = (0.0, 0.0, 1.0, 1.0)
    probabilities, boxes = torch.full((1, CELLS, 3), 0.1), torch.tensor(whole).expand(1, CELLS, 4)
    probabilities[0, :13, 0], probabilities[0, 20:33, 1] = 0.9, 0.5

    share = assign(probabilities, boxes, CENTRES, objects([(1, whole)]))

    assert share.answers[0].nonzero().flatten().tolist() == list(range(20, 33))


def test_a_box_twice_as_large_as_the_object_is_of_low_quality() -> None:
    small, double = (0.25, 0.25, 0.75, 0.75), (0.25, 0.0, 0.75, 1.0)
    boxes = torch.tensor(double).expand(1, CELLS, 4)

    share = assign(torch.ones(1, CELLS, 3), boxes, CENTRES, objects([(0, small)]))

    assert share.quality.max() == pytest.approx(0.5, rel=1e-4)

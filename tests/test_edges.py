"""An edge as a distribution: where it is expected, and how surprising its true place is."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from localizer import edges
from localizer.dense_head import distances
from localizer.head import positions
from tests.scenes import random_floats, two_hot, unhurried

GRIDS = [positions(), distances()]

grids = st.sampled_from(GRIDS)
seeds = st.integers(0, 2**32 - 1)
places = st.floats(0, 1, width=32)


@unhurried
@given(grids, seeds, st.floats(0.1, 100))
def test_an_edge_is_expected_among_the_positions(grid: torch.Tensor, seed: int, sharpness: float) -> None:
    logits = torch.from_numpy(random_floats(seed, 5, len(grid))) * sharpness

    expected = edges.expectation(logits, grid)

    assert expected.shape == (5,)
    assert expected.min() >= grid[0] - 1e-5
    assert expected.max() <= grid[-1] + 1e-5


@unhurried
@given(grids, places)
def test_a_distribution_over_the_two_nearest_positions_is_expected_at_the_place(
    grid: torch.Tensor, place: float
) -> None:
    logits = two_hot(torch.tensor([place]), grid)

    assert float(edges.expectation(logits, grid)) == pytest.approx(place, abs=1e-5)


@pytest.mark.parametrize("grid", GRIDS)
def test_on_a_position_the_loss_is_that_of_an_ordinary_cross_entropy(grid: torch.Tensor) -> None:
    logits = torch.from_numpy(random_floats(0, len(grid), len(grid)))

    losses = edges.cross_entropy(logits, grid, grid)

    expected = torch.nn.functional.cross_entropy(logits, torch.arange(len(grid)), reduction="none")
    assert torch.allclose(losses, expected, atol=1e-6)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_certain_and_right_answer_costs_nothing(grid: torch.Tensor) -> None:
    logits = 100 * torch.eye(len(grid))

    assert edges.cross_entropy(logits, grid, grid).max() < 1e-6
    assert torch.allclose(edges.expectation(logits, grid), grid)


@unhurried
@given(grids, places, seeds, st.floats(0.01, 10))
def test_no_distribution_is_less_surprised_than_the_one_of_the_true_place(
    grid: torch.Tensor, place: float, seed: int, noise: float
) -> None:
    true = torch.tensor([place])
    best = two_hot(true, grid)
    other = best + noise * torch.from_numpy(random_floats(seed, 1, len(grid)))

    assert edges.cross_entropy(best, grid, true) <= edges.cross_entropy(other, grid, true) + 1e-5


@unhurried
@given(grids, st.floats(0.3, 0.7), st.floats(0.02, 0.15), st.sampled_from([-1, 1]))
def test_the_farther_a_sharp_distribution_is_the_more_it_is_surprised(
    grid: torch.Tensor, place: float, away: float, way: int
) -> None:
    true = torch.tensor(place)
    logits = [-((grid - place - way * step * away) ** 2) / 0.01 for step in range(3)]

    losses = [float(edges.cross_entropy(one, grid, true)) for one in logits]

    assert losses == sorted(losses)
    assert losses[0] < losses[2]


@pytest.mark.parametrize(("place", "end"), [(-0.4, 0.0), (1.7, 1.0)])
def test_a_place_beyond_the_positions_counts_as_the_last_of_them(place: float, end: float) -> None:
    logits = torch.from_numpy(random_floats(0, 1, len(positions())))

    beyond, last = (edges.cross_entropy(logits, positions(), torch.tensor([one])) for one in (place, end))

    assert torch.equal(beyond, last)


@unhurried
@given(grids, seeds, st.floats(-0.5, 1.5), st.floats(0.1, 1_000))
def test_gradients_are_finite(grid: torch.Tensor, seed: int, place: float, sharpness: float) -> None:
    logits = (torch.from_numpy(random_floats(seed, 2, len(grid))) * sharpness).requires_grad_()

    losses = edges.cross_entropy(logits, grid, torch.full((2,), place)) + edges.expectation(logits, grid)
    losses.sum().backward()  # type: ignore[no-untyped-call]

    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()

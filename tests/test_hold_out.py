"""The tenth that choices are made on: no near-duplicate on both sides, classes spread, drawn by seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.near_duplicates import NEAR_DUPLICATE, near_duplicate_groups
from indexer.reduction import Floats, unit_rows
from localizer.errors import TrainingError
from localizer.examples import Examples
from localizer.hold_out import hold_out
from tests.scenes import CLASSES, examples, image, random_floats, unhurried

seeds = st.integers(0, 2**32 - 1)


def numbered(vectors: Floats, class_ids: list[int] | None = None) -> Examples:
    """Pictures whose image id is their row."""
    ids = class_ids or [row % 3 for row in range(len(vectors))]
    pictures = [image((CLASSES[number], (0.0, 0.0, 9.0, 9.0)), image_id=row) for row, number in enumerate(ids)]
    return examples(pictures, vectors)


def rows(one: Examples) -> list[int]:
    return [picture.image_id for picture in one.images]


def different(count: int, seed: int = 0) -> Floats:
    """Vectors of pictures that have little in common."""
    return unit_rows(random_floats(seed, count, 64))


@pytest.mark.parametrize("count", [40, 100, 333])
def test_about_a_tenth_is_held_aside_and_nothing_lost(count: int) -> None:
    learned, held = hold_out(numbered(different(count)), seed=0)

    assert 0.05 * count <= len(held) <= 0.15 * count
    assert sorted(rows(learned) + rows(held)) == list(range(count))


@unhurried
@given(seeds, st.integers(0, 9), st.lists(st.integers(0, 29), min_size=1, max_size=25))
def test_near_duplicates_never_stand_on_both_sides(seed: int, lot: int, copied: list[int]) -> None:
    once = different(30, seed)
    again = unit_rows(once[copied] + 0.01 * random_floats(seed + 1, len(copied), 64))
    vectors = np.concatenate([once, again])

    learned, held = hold_out(numbered(vectors), seed=lot)

    assert (vectors[rows(learned)] @ vectors[rows(held)].T < NEAR_DUPLICATE).all()
    assert len(held) > 0


def test_near_duplicates_are_chained() -> None:
    steps = np.deg2rad([0, 20, 40, 60, 120])  # cos 20 = 0.94, cos 40 = 0.77

    groups = near_duplicate_groups(np.stack([np.cos(steps), np.sin(steps)], axis=1).astype(np.float32))

    assert len(set(groups[:4])) == 1
    assert groups[4] != groups[0]


def test_near_duplicates_are_found_among_thousands() -> None:
    vectors = different(2_100)
    vectors[2_050] = vectors[1_500]

    groups = near_duplicate_groups(vectors)

    assert groups[2_050] == groups[1_500]
    assert len(set(groups.tolist())) == 2_099


@unhurried
@given(seeds)
def test_groups_are_the_same_in_another_order(seed: int) -> None:
    vectors = unit_rows(random_floats(seed, 40, 3))
    order = np.random.default_rng(seed).permutation(40)

    groups, shuffled = near_duplicate_groups(vectors), near_duplicate_groups(vectors[order])

    same = groups[:, np.newaxis] == groups
    assert np.array_equal(same[np.ix_(order, order)], shuffled[:, np.newaxis] == shuffled)


def test_the_same_seed_holds_out_the_same_and_another_something_else() -> None:
    made = numbered(different(100))

    first, again, other = (rows(hold_out(made, seed)[1]) for seed in (4, 4, 5))

    assert first == again
    assert first != other


def test_classes_are_spread_evenly() -> None:
    made = numbered(different(120), [0] * 60 + [1] * 40 + [2] * 20)

    _, held = hold_out(made, seed=1)

    counts = np.bincount(held.class_ids.numpy(), minlength=3)
    assert counts == pytest.approx(np.array([6, 4, 2]), abs=1)


@pytest.mark.parametrize("class_ids", [[0] * 38 + [1, 2], [0] * 30 + [1] * 7 + [2] * 3])
def test_classes_too_rare_to_be_spread_are_no_obstacle(class_ids: list[int]) -> None:
    learned, held = hold_out(numbered(different(40), class_ids), seed=0)

    assert len(learned) + len(held) == 40
    assert 2 <= len(held) <= 6


@pytest.mark.parametrize("count", [2, 3, 7])
def test_fewer_pictures_than_parts_are_parted_all_the_same(count: int) -> None:
    learned, held = hold_out(numbered(different(count)), seed=0)

    assert len(held) == 1
    assert len(learned) == count - 1


def test_many_pictures_of_one_thing_are_not_all_that_is_held_aside() -> None:
    vectors = np.concatenate([different(60), np.repeat(different(1, seed=9), 40, axis=0)])

    learned, held = hold_out(numbered(vectors, [row % 3 for row in range(60)] + [0] * 40), seed=0)

    assert len(set(near_duplicate_groups(held.vectors).tolist())) > 1
    assert len(held) < len(learned) / 4


@pytest.mark.parametrize("alike", [2, 4, 9])
def test_of_two_things_that_with_fewer_pictures_is_held_aside(alike: int) -> None:
    one, other = different(2)

    learned, held = hold_out(numbered(np.stack([one] * alike + [other])), seed=0)

    assert (len(learned), len(held)) == (alike, 1)


@pytest.mark.parametrize("count", [1, 12])
def test_pictures_that_are_all_alike_cannot_be_parted(count: int) -> None:
    made = numbered(np.ones((count, 4), dtype=np.float32))

    with pytest.raises(TrainingError, match=rf"found {count} that are near-duplicates"):
        hold_out(made, seed=0)

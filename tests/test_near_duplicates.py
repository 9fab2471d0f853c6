"""Near-duplicates: by vectors alone, and by maps where they are kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.near_duplicates import (
    CANDIDATE,
    NEAR_DUPLICATE,
    is_near_duplicate,
    near_duplicate_groups,
    near_duplicate_pairs,
    shared_parts,
)
from indexer.reduction import Floats, unit_rows
from tests.scenes import random_floats, unhurried

seeds = st.integers(0, 2**32 - 1)


def at_scores(*scores: float) -> Floats:
    """A first unit row, and others of these scores with it."""
    return np.array([[1, 0], *([score, np.sqrt(1 - score**2)] for score in scores)], dtype=np.float32)


def test_without_maps_the_score_alone_tells() -> None:
    vectors = at_scores(NEAR_DUPLICATE + 0.01, NEAR_DUPLICATE - 0.7)

    assert near_duplicate_pairs(vectors).tolist() == [[0, 1]]
    assert near_duplicate_groups(vectors).tolist() == [0, 0, 1]


def test_maps_decide_between_pictures_that_look_alike() -> None:
    vectors = at_scores(0.8, 0.8, CANDIDATE - 1)
    first, other = random_floats(0, 2, 16, 5, 5)
    maps = np.stack([first, first[:, :, ::-1], other, first]).astype(np.float16)

    pairs = near_duplicate_pairs(vectors, maps)

    assert pairs.tolist() == [[0, 1]]  # the mirror image; not one of other parts, nor one whose vector is far off


@unhurried
@given(seeds, st.integers(1, 12), st.booleans())
def test_pairs_are_those_of_asking_for_each(seed: int, count: int, kept: bool) -> None:  # noqa: FBT001
    vectors = unit_rows(random_floats(seed, count, 3))
    maps = random_floats(seed, count, 4, 2, 2) if kept else None

    pairs = near_duplicate_pairs(vectors, maps).tolist()

    def told(one: int, other: int) -> bool:
        both = () if maps is None else (maps[one], maps[other])
        return is_near_duplicate(float(vectors[one] @ vectors[other]), *both)

    expected = [[one, other] for one in range(count) for other in range(one + 1, count) if told(one, other)]
    assert all(pair in expected for pair in pairs)
    if maps is None or count <= 6:  # each is compared with its five nearest
        assert pairs == expected


def test_many_of_the_same_picture_are_one_group() -> None:
    vectors, maps = np.ones((40, 1), dtype=np.float32), np.ones((40, 3, 2, 2), dtype=np.float16)

    assert set(near_duplicate_groups(vectors, maps).tolist()) == {0}


@unhurried
@given(seeds)
def test_shared_parts_are_alike_both_ways_and_wherever_they_lie(seed: int) -> None:
    one, other = random_floats(seed, 2, 6, 3, 4)

    assert shared_parts(one, one[:, ::-1, ::-1]) == pytest.approx(1, abs=1e-5)
    assert shared_parts(one, other) == pytest.approx(shared_parts(other, one), abs=1e-5)
    assert -1 <= shared_parts(one, other) <= 1


def test_empty_maps_share_nothing() -> None:
    assert shared_parts(np.zeros((4, 2, 2), np.float32), np.zeros((4, 2, 2), np.float32)) == 0


def test_there_are_no_pairs_of_one_picture_or_none() -> None:
    assert near_duplicate_groups(np.ones((1, 2), np.float32)).tolist() == [0]
    assert near_duplicate_pairs(np.empty((0, 2), np.float32)).shape == (0, 2)

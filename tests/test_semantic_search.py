"""Ranking by what is in pictures and by looks together, against scoring every image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.filters import Filters
from indexer.index_building import build_index
from indexer.index_settings import IndexSettings
from indexer.likeness import Likeness
from indexer.reduction import Floats, unit_rows
from indexer.semantic_index import SemanticIndex
from indexer.semantic_search import SemanticSearch
from indexer.subset import Subset
from localizer.semantic import join
from tests.scenes import random_floats, unhurried

DIM, CLASSES = 8, 4
likenesses = st.builds(Likeness, st.sampled_from([0, 0.5, 1.5, 4]), st.sampled_from([0, 0.4, 0.6]))
seeds = st.integers(0, 2**32 - 1)


def random_rows(seed: int, count: int) -> Floats:
    """Of pictures that mostly show one of a few things, which a head tells surely."""
    generator = np.random.default_rng(seed)
    presence = np.eye(CLASSES)[generator.integers(0, CLASSES, count)] + generator.uniform(
        0, 0.02, (count, CLASSES)
    )
    return join(unit_rows(random_floats(seed, count, DIM)), presence.astype(np.float32), 3.0)


def search_in(rows: Floats, likeness: Likeness, settings: IndexSettings | None = None) -> SemanticSearch:
    vectors = unit_rows(rows[:, :DIM])
    settings = settings or IndexSettings()
    return SemanticSearch(
        build_index(vectors, settings), SemanticIndex.build(rows, "abc", settings, likeness), DIM
    )


def one_by_one(row: Floats, rows: Floats, likeness: Likeness) -> list[float]:
    """The score of each, as the README defines it."""
    scores = []
    for other in rows.astype(np.float64):
        looks, own = row[:DIM].astype(np.float64), other[:DIM]
        alike = float(looks @ own / np.linalg.norm(looks) / np.linalg.norm(own))
        reward = min(max((alike - likeness.threshold) / (1 - likeness.threshold), 0), 1)
        scores.append((float(row @ other) + likeness.reward * reward) / (1 + likeness.reward))
    return scores


@unhurried
@given(seeds, likenesses, st.integers(1, 60), st.sets(st.integers(0, 299), max_size=20), st.sampled_from([1, 3]))
def test_the_best_are_those_of_scoring_every_image(
    seed: int, likeness: Likeness, k: int, exclude: set[int], step: int
) -> None:
    rows = random_rows(seed, 300)
    row = unit_rows(rows[:1] - 0.25 * rows[1:2])[0]
    subset = np.arange(0, 300, step)
    among = Subset.of(Filters(class_any=("cat",)), lambda _: subset) if step > 1 else None

    hits = search_in(rows, likeness).nearest(row, k, sorted(exclude), among)

    expected = np.array(one_by_one(row, rows, likeness))
    searched = [number for number in subset.tolist() if number not in exclude]
    best = sorted(searched, key=lambda number: -expected[number])[:k]
    assert [hit.score for hit in hits] == pytest.approx(expected[best].tolist(), abs=1e-5)
    assert len({hit.image_id for hit in hits}) == len(hits)
    assert all(expected[hit.image_id] == pytest.approx(hit.score, abs=1e-5) for hit in hits)
    assert not {hit.image_id for hit in hits} - set(searched)


@unhurried
@given(seeds, likenesses, st.integers(1, 30))
def test_what_is_found_first_does_not_depend_on_how_many_are_asked_for(
    seed: int, likeness: Likeness, k: int
) -> None:
    rows = random_rows(seed, 200)
    rows = np.concatenate([rows, rows[:50], rows[:50]])  # the same picture three times
    search = search_in(rows, likeness)

    assert search.nearest(rows[7], k) == search.nearest(rows[7], 100)[:k]


@unhurried
@given(seeds, likenesses)
def test_scores_are_at_most_1_and_a_copy_has_that(seed: int, likeness: Likeness) -> None:
    rows = random_rows(seed, 50)

    hits = search_in(rows, likeness).nearest(rows[3], 50)

    assert hits[0].image_id == 3
    assert hits[0].score == pytest.approx(1)
    assert all(-1 <= hit.score <= 1 for hit in hits)


def test_a_changed_copy_comes_before_what_shows_the_same_only_with_a_reward() -> None:
    rows = random_rows(0, 300)
    changed = unit_rows(rows[5:6, :DIM] + 0.03 * random_floats(1, 1, DIM))
    mistaken = np.roll(rows[5:6, DIM:], 1, axis=1)  # what a head sees in the copy
    copy = join(changed, mistaken, 3.0)[0]

    plain, rewarded = (search_in(rows, Likeness(reward, 0.5)).nearest(copy, 1)[0] for reward in (0, 20))

    assert plain.image_id != 5
    assert rewarded.image_id == 5


def test_an_approximate_index_finds_a_copy_too() -> None:
    rows = random_rows(0, 3_000)
    search = search_in(rows, Likeness(1.5, 0.5), IndexSettings("hnsw"))

    assert [search.nearest(rows[number], 3)[0].image_id for number in range(0, 3_000, 100)] == list(
        range(0, 3_000, 100)
    )


def test_nothing_is_found_where_all_are_left_out() -> None:
    rows = random_rows(0, 5)

    assert search_in(rows, Likeness(1.5, 0.5)).nearest(rows[0], 3, range(5)) == []

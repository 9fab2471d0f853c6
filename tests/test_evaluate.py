"""Retrieval scores against a slow, obvious computation."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score

from indexer.collection import Collection
from indexer.errors import DatasetError
from indexer.evaluate import Scores, average_precision, chance_average_precision, evaluate, precision_at, rank
from indexer.records import IndexedImage

rankings = arrays.arrays(np.bool_, st.integers(1, 30))


def slow_scores(
    collection: Collection, queries: str, gallery: str, relevant: Callable[[IndexedImage, IndexedImage], bool]
) -> tuple[list[float], dict[str, list[list[float]]]]:
    """One query, one place, one comparison at a time."""
    vectors = collection.vectors()
    of_class: dict[str, list[list[float]]] = {}
    for query in collection.all_images():
        if query.split != queries:
            continue
        others = [
            one for one in collection.all_images() if one.split == gallery and one.image_id != query.image_id
        ]
        others.sort(key=lambda one: -float(vectors[query.image_id] @ vectors[one.image_id]))
        judged = [relevant(query, one) for one in others]
        if not any(judged):
            continue
        precisions = [sum(judged[:k]) / k for k in (1, 5, 10)]
        found = [sum(judged[: place + 1]) / (place + 1) for place in range(len(judged)) if judged[place]]
        assert query.main_object is not None
        of_class.setdefault(query.main_object.class_name, []).append([*precisions, sum(found) / len(found)])
    every = [scores for scores_of_class in of_class.values() for scores in scores_of_class]
    return np.mean(every, axis=0).tolist(), of_class


def as_list(scores: Scores) -> list[float]:
    return [scores.precision_at_1, scores.precision_at_5, scores.precision_at_10, scores.map]


@pytest.mark.parametrize(("queries", "gallery"), [("val", "train"), ("train", "train")])
def test_scores_are_those_of_brute_force(collection: Collection, queries: str, gallery: str) -> None:
    def same_main(one: IndexedImage, other: IndexedImage) -> bool:
        assert one.main_object is not None
        assert other.main_object is not None
        return one.main_object.class_name == other.main_object.class_name

    def shares(one: IndexedImage, other: IndexedImage) -> bool:
        return bool(set(one.class_names) & set(other.class_names))

    report = evaluate(collection, queries, gallery)

    for part, relevant in ((report.main_class, same_main), (report.shares_class, shares)):
        overall, of_class = slow_scores(collection, queries, gallery, relevant)
        assert as_list(part.overall) == pytest.approx(overall)
        assert part.queries == sum(map(len, of_class.values()))
        assert set(part.per_class) == set(of_class)
        for name, scores in of_class.items():
            assert as_list(part.per_class[name]) == pytest.approx(np.mean(scores, axis=0).tolist())


@given(rankings)
def test_average_precision_is_that_of_scikit_learn(ranking: np.typing.NDArray[np.bool_]) -> None:
    expected = average_precision_score(ranking, -np.arange(len(ranking))) if ranking.any() else 0.0

    assert average_precision(ranking[np.newaxis])[0] == pytest.approx(expected)


@given(rankings, st.integers(1, 40))
def test_precision_counts_missing_places_as_misses(ranking: np.typing.NDArray[np.bool_], k: int) -> None:
    assert precision_at(ranking[np.newaxis], k)[0] == sum(ranking[:k]) / k


@pytest.mark.parametrize(("relevant", "total"), [(1, 1), (1, 9), (4, 9), (9, 9)])
def test_chance_is_the_mean_over_random_rankings(relevant: int, total: int) -> None:
    lot = np.random.default_rng(0)
    kinds = np.arange(total) < relevant
    shuffled = np.array([lot.permutation(kinds) for _ in range(20_000)])

    assert chance_average_precision(relevant, total) == pytest.approx(average_precision(shuffled).mean(), abs=0.01)


def test_ranking_puts_the_closest_first_and_equals_in_the_gallerys_order() -> None:
    gallery = np.array([[0, 1], [1, 0], [1, 0]], dtype=np.float32)

    assert rank(gallery[1:2], gallery).tolist() == [[1, 2, 0]]


def test_a_split_that_is_not_there_names_those_that_are(collection: Collection) -> None:
    with pytest.raises(DatasetError, match="annotated splits: train, val"):
        evaluate(collection, "test", "train")

"""What a score means: its percentile within the collection, for the same query."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from search_service import score_sample
from search_service.engine import SearchEngine
from search_service.score_sample import draw, percentiles
from search_service.settings import Settings
from tests.conftest import client_of

SCORES = st.lists(st.integers(-100, 100).map(lambda number: number / 100), min_size=1, max_size=40)


def results(client: FlaskClient, **wishes: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    answer = client.post("/api/v1/search", json={"image_id": 3, "k": 100, **wishes}).get_json()
    found: list[dict[str, Any]] = answer["results"]
    return found


@given(SCORES)
def test_a_percentile_is_the_percentage_of_the_others_that_score_less(scores: list[float]) -> None:
    rows = np.arange(len(scores))

    found = percentiles(rows.tolist(), scores, rows, np.array(scores, dtype=np.float32))

    for one, percentile in zip(scores, found, strict=True):
        others = len(scores) - 1
        assert percentile == pytest.approx(100 * sum(other < one for other in scores) / others if others else 100)


def test_a_row_outside_of_the_sample_is_held_against_all_of_it() -> None:
    sampled = np.array([3, 8, 9, 12])

    found = percentiles([5, 8], [0.5, 0.4], sampled, np.array([0.9, 0.4, 0.1, 0.2], dtype=np.float32))

    assert found == pytest.approx([75, 100 * 2 / 3])


@pytest.mark.parametrize("rows", [0, 1, 1_000, 50_000])
def test_a_sample_is_all_of_few_rows_and_always_the_same_of_many(rows: int) -> None:
    drawn = draw(rows)

    assert len(set(drawn.tolist())) == len(drawn) == min(rows, score_sample.SIZE)
    assert np.array_equal(drawn, np.sort(drawn))
    assert np.array_equal(drawn, draw(rows))
    assert not rows or 0 <= drawn[0] <= drawn[-1] < rows


@pytest.mark.parametrize("mode", ["visual", "semantic"])
def test_results_tell_how_much_of_the_collection_is_less_like_the_query(
    trained_client: FlaskClient, mode: str
) -> None:
    found = results(trained_client, mode=mode)

    scores = [one["score"] for one in found]
    assert len(found) == 39
    for one in found:
        less = sum(other < one["score"] - 1e-6 for other in scores)
        assert one["percentile"] == pytest.approx(100 * less / 38)


def test_the_percentile_of_a_result_is_the_same_under_filters_and_on_any_page(trained_client: FlaskClient) -> None:
    told = {one["image_id"]: one["percentile"] for one in results(trained_client)}

    filtered = results(trained_client, filters={"split": ["val"]}, fold_duplicates=True)
    paged = results(trained_client, offset=7, k=5)

    assert filtered
    assert [one["percentile"] for one in filtered] == [told[one["image_id"]] for one in filtered]
    assert [one["percentile"] for one in paged] == [told[one["image_id"]] for one in paged]


def test_objects_are_held_against_objects(objects_client: FlaskClient) -> None:
    found = results(objects_client, target="objects")

    assert found[0]["percentile"] == 100
    assert all(0 <= one["percentile"] <= 100 for one in found)
    assert [one["percentile"] for one in found] == sorted((one["percentile"] for one in found), reverse=True)


def test_of_a_large_collection_a_sample_stands_for_all(
    collection_path: Path, engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = results(client_of(engine))
    monkeypatch.setattr(score_sample, "SIZE", 20)
    again = SearchEngine.open(Settings(collection=collection_path), engine.embedder)

    sampled = results(client_of(again))

    again.close()
    assert [one["image_id"] for one in sampled] == [one["image_id"] for one in exact]
    steps = {round(one["percentile"] * 20 / 100) for one in sampled}
    assert len(steps) >= 19
    for one, other in zip(sampled, exact, strict=True):
        assert abs(one["percentile"] - other["percentile"]) < 35

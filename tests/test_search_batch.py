"""Many searches in one call."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from indexer.embedder import Embedder
from indexer.reduction import Embedding
from tests.test_api import error_of
from tests.test_search_api import Json, base64_of, ids, search


def test_a_batch_answers_each_query_as_if_it_came_alone(
    client: FlaskClient, devkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: list[Json] = [
        {"image_id": 4, "k": 3},
        {"image_base64": base64_of(devkit, 9), "k": 5, "filters": {"split": ["val"]}},
        {"image_base64": base64_of(devkit, 9), "box": [10, 20, 200, 220]},
        {"positives": [{"image_base64": base64_of(devkit, 2)}, {"image_id": 8}]},
    ]
    alone = [ids(search(client, **query)) for query in queries]
    batches: list[int] = []
    embed = Embedder.embed

    def count(self: Embedder, pixels: list[Any], *rest: Any, **more: Any) -> Embedding:  # noqa: ANN401
        batches.append(len(pixels))
        return embed(self, pixels, *rest, **more)

    monkeypatch.setattr(Embedder, "embed", count)

    body = client.post("/api/v1/search/batch", json={"queries": queries}).get_json()

    assert [ids(item["answer"]) for item in body["answers"]] == alone
    assert [item["error"] for item in body["answers"]] == [None] * 4
    assert batches == [3]


def test_a_query_of_a_batch_that_cannot_be_answered_spoils_no_other(client: FlaskClient) -> None:
    queries = [{"image_id": 4}, {"image_id": 999}, {"image_base64": "aGVsbG8="}, {"image_id": 4, "k": 0}]

    body = client.post("/api/v1/search/batch", json={"queries": queries}).get_json()

    assert [item["error"] and item["error"]["code"] for item in body["answers"]] == [
        None, "unknown_image", "invalid_image", "invalid_k",
    ]  # fmt: skip
    assert len(body["answers"][0]["answer"]["results"]) == 10


def test_each_query_of_a_batch_is_told_what_it_asked_for(trained_client: FlaskClient) -> None:
    queries = [{"image_id": 4}, {"image_id": 4, "localize": False}]

    body = trained_client.post("/api/v1/search/batch", json={"queries": queries}).get_json()

    told = [item["answer"]["localization"] for item in body["answers"]]
    assert told[0] is not None
    assert told[1] is None


@pytest.mark.parametrize("queries", [[], [{"image_id": 0}] * 65, 3, None])
def test_a_batch_has_1_to_64_queries(client: FlaskClient, queries: object) -> None:
    response = client.post("/api/v1/search/batch", json={"queries": queries})

    assert response.status_code == 400
    assert error_of(response)["code"] == "invalid_queries"

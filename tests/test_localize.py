"""What is in a picture, over HTTP and on the page: from the same embedding as the search."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.reduction import Embedding
from localizer.alignment import SEMANTIC, bring_in_step
from localizer.predict import Localizer
from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.settings import Settings

PREDICTION = {"class", "probability", "box", "predicted_iou"}


def picture(devkit: Path, number: int = 3) -> Path:
    return sorted((devkit / "JPEGImages").iterdir())[number]


def ask(client: FlaskClient, route: str, devkit: Path, **fields: str) -> dict[str, object]:
    with picture(devkit).open("rb") as file:
        response = client.post(route, data={"image": (file, "x.jpg"), **fields})
    assert response.status_code == 200, response.text
    body: dict[str, object] = response.get_json()
    return body


def test_localize_tells_class_box_and_how_sure_it_is(trained_client: FlaskClient, devkit: Path) -> None:
    body = ask(trained_client, "/api/v1/localize", devkit)

    assert set(body) == {"query", "candidates", "objects", "took_ms", *PREDICTION}
    query, box = body["query"], body["box"]
    assert isinstance(query, dict)
    assert isinstance(box, list)
    assert 0 <= box[0] < box[2] <= query["width"]
    assert 0 <= box[1] < box[3] <= query["height"]
    assert 0 <= float(str(body["probability"])) <= 1
    assert 0 <= float(str(body["predicted_iou"])) <= 1


def test_candidates_begin_with_the_class_that_is_told(trained_client: FlaskClient, devkit: Path) -> None:
    body = ask(trained_client, "/api/v1/localize", devkit)

    candidates = body["candidates"]
    assert isinstance(candidates, list)
    assert len(candidates) == 5
    assert candidates[0] == {"class": body["class"], "probability": body["probability"]}
    likely = [one["probability"] for one in candidates]
    assert likely == sorted(likely, reverse=True)


def test_objects_are_told_best_first(trained_client: FlaskClient, devkit: Path) -> None:
    objects = ask(trained_client, "/api/v1/localize", devkit)["objects"]

    assert isinstance(objects, list)
    assert all(set(one) == PREDICTION for one in objects)
    likely = [one["probability"] for one in objects]
    assert likely == sorted(likely, reverse=True)


@pytest.mark.parametrize("kind", ["image_base64", "image_id"])
def test_localize_takes_the_same_inputs_as_search(trained_client: FlaskClient, devkit: Path, kind: str) -> None:
    value = base64.b64encode(picture(devkit).read_bytes()).decode() if kind == "image_base64" else 3

    body = trained_client.post("/api/v1/localize", json={kind: value}).get_json()

    uploaded = ask(trained_client, "/api/v1/localize", devkit)
    assert body["class"] == uploaded["class"]
    assert body["box"] == pytest.approx(uploaded["box"], abs=1.0)


def test_search_tells_the_same_from_its_one_embedding(
    trained_client: FlaskClient, devkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    located = ask(trained_client, "/api/v1/localize", devkit)
    embed = Embedder.embed
    asked: list[object] = []

    def count_and_embed(self: Embedder, pixels: Any, *rest: Any, **more: Any) -> Embedding:  # noqa: ANN401
        asked.append(pixels)
        return embed(self, pixels, *rest, **more)

    monkeypatch.setattr(Embedder, "embed", count_and_embed)

    localization = ask(trained_client, "/api/v1/search", devkit)["localization"]

    assert localization == {name: located[name] for name in (*PREDICTION, "candidates", "objects")}
    assert len(asked) == 1


@pytest.mark.parametrize(("value", "told"), [(False, False), (True, True), (None, True)])
def test_search_leaves_the_localization_out_on_request(
    trained_client: FlaskClient, *, value: bool | None, told: bool
) -> None:
    body = {"image_id": 3} if value is None else {"image_id": 3, "localize": value}

    found = trained_client.post("/api/v1/search", json=body).get_json()

    assert (found["localization"] is not None) == told


def test_semantic_is_the_default_mode_and_visual_is_as_it_was(
    trained_client: FlaskClient, client: FlaskClient
) -> None:
    default = trained_client.post("/api/v1/search", json={"image_id": 5}).get_json()
    semantic = trained_client.post("/api/v1/search", json={"image_id": 5, "mode": "semantic"}).get_json()
    visual = trained_client.post("/api/v1/search", json={"image_id": 5, "mode": "visual"}).get_json()
    untrained = client.post("/api/v1/search", json={"image_id": 5}).get_json()

    assert default["mode"] == "semantic"
    assert default["results"] == semantic["results"]
    assert visual["mode"] == untrained["mode"] == "visual"
    assert visual["results"] == untrained["results"]
    assert visual["results"] != semantic["results"]


def test_an_uploaded_picture_finds_itself_in_both_modes(trained_client: FlaskClient, devkit: Path) -> None:
    for mode in ("visual", "semantic"):
        results = ask(trained_client, "/api/v1/search", devkit, mode=mode)["results"]
        assert isinstance(results, list)
        assert results[0]["image_id"] == 3
        assert results[0]["score"] > 0.99


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"mode": "louder"}, "invalid_mode"),
        ({"mode": 3}, "invalid_mode"),
        ({"localize": "perhaps"}, "invalid_localize"),
        ({"localise": True}, "unknown_field"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(
    trained_client: FlaskClient, fields: dict[str, object], code: str
) -> None:
    response = trained_client.post("/api/v1/search", json={"image_id": 3, **fields})

    assert response.status_code == 400
    assert response.get_json()["error"]["code"] == code


@pytest.mark.parametrize(("route", "fields"), [("localize", {}), ("search", {"mode": "semantic"})])
def test_without_a_head_409_says_what_to_run(client: FlaskClient, route: str, fields: dict[str, str]) -> None:
    response = client.post(f"/api/v1/{route}", json={"image_id": 3, **fields})

    assert response.status_code == 409
    assert "python -m localizer train --collection" in response.get_json()["error"]["message"]


def test_without_a_head_search_works_and_tells_nothing(client: FlaskClient) -> None:
    found = client.post("/api/v1/search", json={"image_id": 3}).get_json()

    assert found["localization"] is None
    assert found["results"]


def test_readiness_tells_what_is_there(client: FlaskClient, trained_client: FlaskClient) -> None:
    assert client.get("/readyz").get_json()["modes"] == ["visual"]
    ready = trained_client.get("/readyz").get_json()
    assert ready["modes"] == ["semantic", "visual"]
    assert ready["localizes"] is True


def test_the_page_draws_predicted_boxes_beside_true_ones(trained_client: FlaskClient, devkit: Path) -> None:
    indexed = trained_client.get("/?positive=3").text
    with picture(devkit).open("rb") as file:
        uploaded = trained_client.post("/", data={"image": (file, "x.jpg")}).text

    for page in (indexed, uploaded):
        assert 'class="predicted-box"' in page
        assert 'class="true-box"' in page
        assert "Main object" in page


def test_the_page_switches_modes(trained_client: FlaskClient, client: FlaskClient) -> None:
    page = trained_client.get("/?positive=3&mode=visual").text

    assert '<a href="/?positive=3&amp;mode=semantic">What is in it</a>' in page
    assert '<a href="/?positive=3&amp;mode=visual" aria-current="page">Looks alone</a>' in page
    assert "Looks alone" not in client.get("/?positive=3").text


def test_one_head_alone_serves(own_trained_path: Path) -> None:
    for missing, told in (("detect", "class"), ("main", "objects")):
        path = own_trained_path.with_name(f"without-{missing}")
        shutil.copytree(own_trained_path, path)
        shutil.rmtree(path / "heads" / missing)
        client = create_app(SearchEngine.open(Settings(collection=path))).test_client()

        body = client.post("/api/v1/localize", json={"image_id": 3}).get_json()

        assert body[told] is not None
        assert body["objects" if missing == "detect" else "class"] is None


def test_a_head_of_another_collection_is_not_served(own_trained_path: Path) -> None:
    for card in own_trained_path.glob("heads/*/*/head.json"):
        content = json.loads(card.read_text())
        card.write_text(json.dumps({**content, "fingerprint": "0" * 64}))
    client = create_app(SearchEngine.open(Settings(collection=own_trained_path))).test_client()

    assert client.post("/api/v1/search", json={"image_id": 3}).status_code == 200
    assert client.post("/api/v1/localize", json={"image_id": 3}).status_code == 409


def test_after_a_build_the_semantic_index_is_made_anew_from_what_is_stored(
    own_trained_path: Path, own_devkit: Path, request_build: Callable[..., BuildRequest]
) -> None:
    build(request_build(own_trained_path, voc_root=own_devkit, allow_removals=True))

    served = SearchEngine.open(Settings(collection=own_trained_path))
    done = bring_in_step(own_trained_path)

    assert served.modes == ("semantic", "visual")
    assert done == [SEMANTIC]
    with Collection.open(own_trained_path) as collection:
        assert Localizer.open(collection).stored_semantic_index(collection) is not None


def test_a_damaged_semantic_index_is_made_anew(own_trained_path: Path) -> None:
    [stored] = own_trained_path.glob("derived/*/semantic.npz")
    stored.write_bytes(stored.read_bytes()[:99])

    assert SearchEngine.open(Settings(collection=own_trained_path)).modes == ("semantic", "visual")
    assert bring_in_step(own_trained_path) == [SEMANTIC]
    with Collection.open(own_trained_path) as collection:
        assert Localizer.open(collection).stored_semantic_index(collection) is not None

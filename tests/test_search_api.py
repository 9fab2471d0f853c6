"""Searching over JSON by parts, by several pictures, under filters, page by page, and many at once."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.index_building import build_index
from indexer.near_duplicates import NEAR_DUPLICATE
from indexer.records import IndexedImage
from indexer.reduction import unit_rows
from indexer.semantic_index import SemanticIndex
from indexer.semantic_search import SemanticSearch
from localizer.semantic import join
from search_service.engine import SearchEngine
from search_service.ranking import combine
from search_service.settings import Settings
from tests.conftest import client_of
from tests.test_api import error_of, indexed_file, upload

Json = dict[str, Any]


def search(client: FlaskClient, **body: object) -> Json:
    response = client.post("/api/v1/search", json=body)
    assert response.status_code == 200, response.text
    answer: Json = response.get_json()
    return answer


def ids(answer: Json) -> list[int]:
    return [result["image_id"] for result in answer["results"]]


def base64_of(devkit: Path, number: int) -> str:
    return base64.b64encode(indexed_file(devkit, number)).decode()


def test_a_part_of_a_picture_is_searched_with_alike_by_every_way_in(client: FlaskClient, devkit: Path) -> None:
    box = [30, 40, 230, 260]

    by_id = search(client, image_id=5, box=box)
    by_base64 = search(client, image_base64=base64_of(devkit, 5), box=box)
    by_form = upload(client, indexed_file(devkit, 5), box="30,40,230,260").get_json()

    assert by_base64["results"] == by_form["results"]
    assert ids(by_id) == [image_id for image_id in ids(by_base64) if image_id != 5][: len(ids(by_id))] or (
        5 not in ids(by_id)
    )
    assert by_id["query"]["positives"][0]["box"] == box
    assert ids(by_id) != ids(search(client, image_id=5))


def test_what_is_in_a_part_is_told_in_pixels_of_the_whole(trained_client: FlaskClient) -> None:
    box = [100, 60, 300, 260]

    located = trained_client.post("/api/v1/localize", json={"image_id": 3, "box": box}).get_json()

    xmin, ymin, xmax, ymax = located["box"]
    assert 100 <= xmin < xmax <= 300
    assert 60 <= ymin < ymax <= 260


def test_what_an_answer_gave_for_a_picture_stands_for_it(trained_client: FlaskClient, devkit: Path) -> None:
    for mode in ("visual", "semantic"):
        first = search(trained_client, image_base64=base64_of(devkit, 5), mode=mode)

        again = search(trained_client, embedding=first["query"]["positives"][0]["embedding"], mode=mode)

        scores = [[result["score"] for result in answer["results"]] for answer in (first, again)]
        assert scores[0] == pytest.approx(scores[1], abs=2e-3)
        assert ids(first)[0] == ids(again)[0] == 5
        assert again["localization"] is None


def test_several_pictures_search_by_the_mean_of_the_positives_less_a_quarter_of_that_of_the_negatives(
    client: FlaskClient, collection: Collection
) -> None:
    answer = search(client, positives=[{"image_id": 1}, {"image_id": 2}], negatives=[{"image_id": 3}], k=37)

    vectors = collection.vectors()
    row = (vectors[1] + vectors[2]) / 2 - vectors[3] / 4
    expected = [image_id for image_id in np.argsort(-(vectors @ row), kind="stable") if image_id not in (1, 2, 3)]
    assert ids(answer) == expected
    assert answer["results"][0]["score"] == pytest.approx(
        (vectors[expected[0]] @ row) / np.linalg.norm(row), abs=1e-5
    )


def test_a_negative_of_the_same_class_leaves_the_class_as_it_is() -> None:
    generator = np.random.default_rng(0)
    classes = np.repeat(np.arange(6), 40)
    presence = np.eye(6, dtype=np.float32)[classes] + np.float32(0.02)
    vectors = unit_rows(generator.normal(size=(240, 32)).astype(np.float32))
    rows = join(vectors, presence, 3.0)
    index = SemanticIndex.build(rows, "abc")
    search = SemanticSearch(build_index(vectors), index, 32)

    kept = [
        hit.image_id // 40 == first // 40
        for first in range(0, 240, 20)
        for hit in search.nearest(combine([rows[first]], [rows[first + 1]]), 10, [first, first + 1])
    ]

    assert np.mean(kept) >= 0.9


def test_files_of_a_form_are_positives_and_negatives(client: FlaskClient, devkit: Path) -> None:
    with (
        (devkit / "JPEGImages/000001.jpg").open("rb") as one,
        (devkit / "JPEGImages/000002.jpg").open("rb") as two,
        (devkit / "JPEGImages/000003.jpg").open("rb") as three,
    ):
        body = client.post(
            "/api/v1/search", data={"image": [(one, "1.jpg"), (two, "2.jpg")], "negative": [(three, "3.jpg")]}
        ).get_json()

    assert (len(body["query"]["positives"]), len(body["query"]["negatives"])) == (2, 1)
    assert {1, 2} & set(ids(body)[:2])


def satisfies(image: IndexedImage, class_name: str) -> bool:
    return class_name in image.class_names and image.split == "train"


def test_under_filters_the_k_best_that_fulfil_them_are_found(client: FlaskClient, collection: Collection) -> None:
    filters = {"class": ["dog", "cat"], "split": ["train"]}
    fitting = [
        image.image_id for image in collection.all_images() if satisfies(image, "dog") or satisfies(image, "cat")
    ]
    ranking = np.argsort(-(collection.vectors() @ collection.vector(0)), kind="stable")

    answer = search(client, image_id=0, k=len(fitting), filters=filters)

    assert len(fitting) >= 3
    assert ids(answer) == [image_id for image_id in ranking if image_id in fitting and image_id != 0]
    assert answer["searched"] == len(set(fitting) - {0})
    flat = client.get("/api/v1/images/0/similar?class=dog&class=cat&split=train&k=40").get_json()
    assert ids(flat) == ids(answer)


def test_a_least_score_cuts_the_results(client: FlaskClient) -> None:
    scores = [result["score"] for result in search(client, image_id=0, k=40)["results"]]

    answer = search(client, image_id=0, k=40, filters={"min_score": scores[6] - 1e-6})

    assert [result["score"] for result in answer["results"]] == scores[:7]
    assert answer["more"] is False


def test_pages_follow_each_other_without_gap_or_repeat(client: FlaskClient) -> None:
    whole = ids(search(client, image_id=0, k=39))

    pages = [search(client, image_id=0, k=10, offset=offset) for offset in (0, 10, 20, 30)]

    assert [image_id for page in pages for image_id in ids(page)] == whole
    assert [page["more"] for page in pages] == [True, True, True, False]
    assert search(client, image_id=0, k=10, offset=900)["results"] == []


def test_near_duplicates_of_a_better_result_are_folded_away(
    devkit: Path, tmp_path: Path, request_build: Callable[..., BuildRequest]
) -> None:
    pictures = tmp_path / "devkit" / "JPEGImages"
    pictures.mkdir(parents=True)
    for number in range(12):
        for copy in range(3 if number < 4 else 1):
            (pictures / f"{number:02d}-{copy}.jpg").write_bytes(indexed_file(devkit, number) + b" " * copy)
    build(request_build(tmp_path / "collection", voc_root=tmp_path / "devkit"))
    client = client_of(SearchEngine.open(Settings(collection=tmp_path / "collection")))

    answer = search(client, image_base64=base64_of(devkit, 0), k=12, fold_duplicates=True)

    found = [result["filename"][:2] for result in answer["results"]]
    assert len(found) == len(set(found))
    assert answer["results"][0]["near_duplicates"] == 2
    with Collection.open(tmp_path / "collection") as opened:
        kept = opened.vectors_of(ids(answer))
    assert (kept @ kept.T - 2 * np.eye(len(kept)) < NEAR_DUPLICATE).all()


def test_an_object_finds_objects_and_each_image_once_by_its_best(
    objects_client: FlaskClient, objects_engine: SearchEngine, devkit: Path
) -> None:
    image = objects_engine.catalogue.image(7)
    box = list(image.objects[0].box.corners)

    by_upload = search(objects_client, image_base64=base64_of(devkit, 7), box=box, target="objects", k=40)
    by_id = search(objects_client, image_id=7, box=box, target="objects", k=40)

    first = by_upload["results"][0]
    assert first["image_id"] == 7
    assert first["score"] > 0.95
    assert first["object"]["box"] == box
    assert len(ids(by_upload)) == len(set(ids(by_upload))) == 40
    assert 7 not in ids(by_id)
    assert by_id["target"] == "objects"


def test_filters_are_held_against_the_object_that_is_found(objects_client: FlaskClient) -> None:
    filters = {"class": ["dog"], "truncated": False}

    answer = search(objects_client, image_id=0, target="objects", filters=filters, k=40)

    assert answer["results"]
    assert all(
        (result["object"]["class"], result["object"]["truncated"]) == ("dog", False)
        for result in answer["results"]
    )


def test_without_an_index_of_objects_409_says_how_to_make_one(client: FlaskClient) -> None:
    response = client.post("/api/v1/search", json={"image_id": 0, "target": "objects"})

    assert response.status_code == 409
    assert "build --objects" in error_of(response)["message"]


def test_objects_are_not_searched_semantically(objects_client: FlaskClient) -> None:
    response = objects_client.post("/api/v1/search", json={"image_id": 0, "target": "objects", "mode": "semantic"})

    assert error_of(response)["code"] == "invalid_mode"


def test_the_collection_is_listed_page_by_page_under_the_same_filters(
    client: FlaskClient, collection: Collection
) -> None:
    fitting = [image.image_id for image in collection.all_images() if "dog" in image.class_names]

    whole = client.get("/api/v1/images?k=100").get_json()
    dogs = client.get("/api/v1/images?class=dog&k=1&offset=1").get_json()

    assert [image["image_id"] for image in whole["images"]] == list(range(40))
    assert (whole["total"], whole["offset"]) == (40, 0)
    assert [image["image_id"] for image in dogs["images"]] == fitting[1:2]
    assert (dogs["total"], dogs["offset"]) == (len(fitting), 1)


def test_a_card_is_cut_on_the_side_where_the_object_is_not(objects_client: FlaskClient) -> None:
    page = objects_client.get("/?positive=3&target=objects").text

    places = set(re.findall(r'class="picture cropped across-(\w+) down-(\w+)"', page))
    assert places <= {(across, down) for across in ("Min", "Mid", "Max") for down in ("Min", "Mid", "Max")}
    assert len(places) > 2
    assert all(f'preserveAspectRatio="x{across}Y{down} slice"' in page for across, down in places)

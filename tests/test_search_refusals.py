"""Searches that make no sense: each refused in one line that says what was expected and what was found."""

import io
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.test_api import error_of, indexed_file
from tests.test_search_api import Json, ids, search


def test_a_box_that_reaches_over_the_edge_is_cut_and_one_outside_is_refused(client: FlaskClient) -> None:
    record = client.get("/api/v1/images/5").get_json()

    cut = search(client, image_id=5, box=[-50, -50, 100, 5_000])["query"]["positives"][0]["box"]
    outside = client.post("/api/v1/search", json={"image_id": 5, "box": [9_000, 0, 9_100, 100]})

    assert cut == [0, 0, 100, record["height"]]
    assert outside.status_code == 400
    assert error_of(outside)["code"] == "invalid_box"


def test_an_embedding_of_another_collection_is_refused(client: FlaskClient, trained_client: FlaskClient) -> None:
    foreign = search(trained_client, image_id=5)["query"]["positives"][0]["embedding"]

    for embedding in (foreign, "", "AAAA", "ä", "@@", foreign[:-8]):
        response = client.post("/api/v1/search", json={"embedding": embedding})

        assert response.status_code == 400
        assert error_of(response)["code"] == "invalid_embedding"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"positives": [{"image_id": 1}], "negatives": [{"image_id": 1}]}, "no_direction"),
        ({"positives": []}, "no_image"),
        ({"negatives": [{"image_id": 1}]}, "no_image"),
        ({"positives": [{"image_id": 1}], "image_id": 2}, "no_image"),
        ({"positives": [{}]}, "no_image"),
        ({"positives": [{"image_id": 1}] * 11}, "too_many_images"),
        ({"positives": [{"image_id": "one"}]}, "invalid_image_id"),
        ({"positives": 3}, "invalid_positives"),
        ({"embedding": "AA", "box": [0, 0, 9, 9]}, "invalid_box"),
        ({"image_id": 1, "box": [0, 0, 9]}, "invalid_box"),
        ({"image_id": 1, "box": [9, 0, 0, 9]}, "invalid_box"),
        ({"image_id": 1, "box": "left"}, "invalid_box"),
        ({"image_id": 1, "box": [0, 0, 1e999, 9]}, "invalid_box"),
        ({"image_id": 1, "filters": 3}, "invalid_filters"),
        ({"image_id": 1, "filters": {"pose": ["Upside down"]}}, "unknown_pose"),
        ({"image_id": 1, "filters": {"min_share": 0.5, "max_share": 0.1}}, "invalid_min_share"),
        ({"image_id": 1, "filters": {"min_objects": 3, "max_objects": 1}}, "invalid_min_objects"),
        ({"image_id": 1, "offset": 10**20}, "invalid_offset"),
        ({"positives": [1]}, "invalid_positives"),
        ({"positives": [None]}, "invalid_positives"),
        ({"positives": {}}, "invalid_positives"),
        ({"embedding": 5}, "invalid_embedding"),
        ({"image_id": 1, "filters": {"class": "dog"}}, "invalid_class"),
        ({"image_id": 1, "filters": {"class": ["unicorn"]}}, "unknown_class"),
        ({"image_id": 1, "filters": {"class_none": ["unicorn"]}}, "unknown_class"),
        ({"image_id": 1, "filters": {"split": ["test"]}}, "unknown_split"),
        ({"image_id": 1, "filters": {"colour": "red"}}, "unknown_field"),
        ({"image_id": 1, "filters": {"truncated": "perhaps"}}, "invalid_truncated"),
        ({"image_id": 1, "filters": {"min_share": 2}}, "invalid_min_share"),
        ({"image_id": 1, "filters": {"min_score": -1.5}}, "invalid_min_score"),
        ({"image_id": 1, "filters": {"min_objects": -1}}, "invalid_min_objects"),
        ({"image_id": 1, "filters": {"min_objects": 10**30}}, "invalid_min_objects"),
        ({"image_id": 1, "offset": -1}, "invalid_offset"),
        ({"image_id": 1, "offset": 991}, "invalid_offset"),
        ({"image_id": 1, "target": "sounds"}, "invalid_target"),
        ({"image_id": 1, "fold_duplicates": "x"}, "invalid_fold_duplicates"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_in_one_line(client: FlaskClient, body: Json, code: str) -> None:
    response = client.post("/api/v1/search", json=body)

    assert response.status_code == 400
    assert error_of(response)["code"] == code
    assert error_of(response)["message"].startswith("expected ")
    assert "\n" not in error_of(response)["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"image_id": 1, "filters": []}, "expected filters to be an object, found []"),
        ({"positives": {}}, "expected positives to be a list of pictures, found {}"),
        ({"positives": [1]}, "expected positives.0 to be an object, found 1"),
        ({"embedding": 5}, "expected embedding to be a text that an answer gave, found 5"),
        (
            {"image_base64": 5},
            "expected image_base64 to be the bytes of a file in base64, and nothing else, found 5",
        ),
        (
            {"positives": [{"image_id": 1, "zz": 2}]},
            "expected fields of ['box', 'embedding', 'image_base64', 'image_id'], found 'positives.0.zz'",
        ),
    ],
)
def test_a_refusal_is_in_our_own_words(client: FlaskClient, body: Json, message: str) -> None:
    assert error_of(client.post("/api/v1/search", json=body))["message"] == message


def test_null_stands_for_what_is_not_said(client: FlaskClient) -> None:
    said = search(client, image_id=1)

    unsaid = search(client, image_id=1, box=None, filters={"class": None, "min_share": None}, mode=None)

    assert ids(said) == ids(unsaid)


@pytest.mark.parametrize("depth", [200, 400, 600, 900, 5_000])
def test_deep_json_is_refused_or_read_at_any_depth(client: FlaskClient, depth: int) -> None:
    body = '{"image_id": 1, "filters": ' + "[" * depth + "]" * depth + "}"

    response = client.post("/api/v1/search", data=body, content_type="application/json")

    assert response.status_code == 400


def test_a_box_in_a_form_is_of_one_picture(client: FlaskClient, devkit: Path) -> None:
    files = [(io.BytesIO(indexed_file(devkit, number)), f"{number}.jpg") for number in (1, 2)]

    response = client.post("/api/v1/search", data={"image": files, "box": "10,10,90,90"})

    assert error_of(response)["code"] == "invalid_box"


@pytest.mark.parametrize(("field", "code"), [("image", "too_many_images"), ("negative", "unknown_field")])
def test_localize_takes_one_picture_and_drops_none(
    trained_client: FlaskClient, devkit: Path, field: str, code: str
) -> None:
    first, second = ((io.BytesIO(indexed_file(devkit, number)), "a.jpg") for number in (1, 2))
    data = {"image": [first, second]} if field == "image" else {"image": first, field: second}

    response = trained_client.post("/api/v1/localize", data=data)

    assert response.status_code == 400
    assert error_of(response)["code"] == code


def test_a_refusal_names_the_field_what_is_expected_and_what_was_found(client: FlaskClient) -> None:
    response = client.post("/api/v1/search", json={"image_id": 1, "filters": {"min_share": 2}})

    assert error_of(response)["message"] == "expected filters.min_share to be from 0 to 1, found 2"


@pytest.mark.parametrize("asked", ["classs=dog", "class=unicorn", "k=0", "k=101", "offset=-1", "min_share=x"])
def test_a_listing_that_makes_no_sense_is_refused(client: FlaskClient, asked: str) -> None:
    assert client.get(f"/api/v1/images?{asked}").status_code == 400

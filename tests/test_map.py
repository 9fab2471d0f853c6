"""The map's data and its page, as they come from the server."""

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from indexer import derived, plane
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from search_service.engine import SearchEngine
from search_service.map_data import PictureMap
from search_service.settings import Settings
from tests.conftest import client_of
from tests.elements import Elements


@pytest.fixture
def mapped(mapped_engine: SearchEngine) -> FlaskClient:
    return client_of(mapped_engine)


@pytest.fixture
def own_mapped(tmp_path: Path, mapped_path: Path) -> Iterator[Collection]:
    with Collection.open(Path(shutil.copytree(mapped_path, tmp_path / "mapped"))) as collection:
        yield collection


def marks_of(page: str) -> dict[str, str | None]:
    """What the page tells its script."""
    (found,) = Elements(page).of("div", **{"class": "map"})
    return found


def test_the_data_tell_of_each_image_in_the_order_of_ids(mapped: FlaskClient, mapped_engine: SearchEngine) -> None:
    told = mapped.get("/api/v1/map").get_json()

    places = plane.load(mapped_engine.collection)
    assert places is not None
    assert np.allclose(np.column_stack([told["x"], told["y"]]), places, atol=1e-4 * float(np.ptp(places)))
    images = mapped_engine.collection.all_images()
    mains = [image.main_object for image in images]
    assert [told["classes"][number] for number in told["class"]] == [main and main.class_name for main in mains]
    assert [told["splits"][number] for number in told["split"]] == [image.split for image in images]
    assert told["localized"] == [-1] * len(images)
    assert set(told) == {"x", "y", "class", "split", "localized", "classes", "splits"}


def test_what_is_not_annotated_and_in_no_split_is_told_so(
    own_devkit: Path, tmp_path: Path, request_build: Callable[..., BuildRequest]
) -> None:
    shutil.rmtree(own_devkit / "Annotations")
    shutil.rmtree(own_devkit / "ImageSets")
    build(request_build(tmp_path / "bare", voc_root=own_devkit))
    with Collection.open(tmp_path / "bare") as collection:
        plane.store(collection)

        told = json.loads(PictureMap(collection).content.body(compressed=False))

    assert told["class"] == told["split"] == [-1] * 12


def test_verdicts_stand_beside_the_images_they_are_of(
    mapped_engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search_service.map_data.verdicts", lambda _: {3: True, 5: False})

    told = json.loads(PictureMap(mapped_engine.collection).content.body(compressed=False))

    assert [told["localized"][image_id] for image_id in (3, 4, 5)] == [1, -1, 0]


def test_the_data_are_worked_out_once_and_kept_by_clients(mapped: FlaskClient) -> None:
    first = mapped.get("/api/v1/map")
    again = mapped.get("/api/v1/map", headers={"If-None-Match": first.headers["ETag"]})
    small = mapped.get("/api/v1/map", headers={"Accept-Encoding": "gzip"})

    assert again.status_code == 304
    assert not again.data
    assert first.headers["Cache-Control"] == "private, max-age=0"
    assert "Accept-Encoding" in first.headers["Vary"]
    assert gzip.decompress(small.data) == first.data
    assert small.headers["ETag"] != first.headers["ETag"]
    assert mapped.get("/api/v1/map", headers={"Accept-Encoding": "gzip;q=0"}).data == first.data
    held = mapped.application.extensions["lookalike"].current.picture_map
    assert held.content is held.content


def test_the_data_are_as_the_specification_says(mapped: FlaskClient) -> None:
    specification = mapped.get("/api/v1/openapi.json").get_json()

    schema = specification["components"]["schemas"]["Map"]["properties"]
    assert set(schema) == set(mapped.get("/api/v1/map").get_json())
    assert specification["paths"]["/api/v1/map"]["get"]["x-codeSamples"]


def test_without_places_the_answer_names_the_command(trained_client: FlaskClient, trained_path: Path) -> None:
    response = trained_client.get("/api/v1/map")

    assert response.status_code == 409
    error = response.get_json()["error"]
    assert error["code"] == "no_map"
    assert f"python -m indexer map --collection {trained_path}" in error["message"]
    assert "\n" not in error["message"]


def test_without_places_the_page_names_the_command(trained_client: FlaskClient, trained_path: Path) -> None:
    response = trained_client.get("/map?positive=3")

    assert response.status_code == 200
    assert f"python -m indexer map --collection {trained_path}" in response.text
    assert not Elements(response.text).of("div", **{"class": "map"})
    assert 'href="/map?positive=3"' not in trained_client.get("/?positive=3").text


def test_damaged_places_are_told_of_and_nothing_else_breaks(own_mapped: Collection) -> None:
    [path] = own_mapped.path.glob("derived/*/plane.npz")
    path.write_bytes(path.read_bytes()[:100])
    client = client_of(SearchEngine.open(Settings(collection=own_mapped.path)))

    assert "is damaged" in client.get("/api/v1/map").get_json()["error"]["message"]
    assert "is damaged" in client.get("/map").text
    assert client.get("/?positive=3").status_code == 200


def test_places_of_another_collection_are_refused(own_mapped: Collection) -> None:
    derived.save(own_mapped, "plane", {"places": np.zeros((3, 2), np.float32)})

    assert not PictureMap(own_mapped).there


def test_places_that_come_later_are_found(own_mapped: Collection) -> None:
    shutil.rmtree(own_mapped.path / "derived")
    held = PictureMap(own_mapped)
    assert not held.there

    plane.store(own_mapped)

    assert held.there


@pytest.mark.parametrize("places", [np.zeros((40, 2)), np.full((40, 2), 1e-7), np.full((40, 2), 1e9)])
def test_places_of_any_extent_can_be_told(own_mapped: Collection, places: np.ndarray) -> None:
    places[0] *= 2
    derived.save(own_mapped, "plane", {"places": places.astype(np.float32)})

    told = json.loads(PictureMap(own_mapped).content.body(compressed=False))

    assert np.allclose(np.column_stack([told["x"], told["y"]]), places, rtol=1e-3)


def test_the_other_pages_lead_to_the_map(mapped: FlaskClient) -> None:
    assert Elements(mapped.get("/").text).of("a", href="/map")
    assert Elements(mapped.get("/?positive=3").text).of("a", href="/map?positive=3")
    assert Elements(mapped.get("/images/3").text).of("a", href="/map?positive=3")


def test_an_indexed_query_lies_in_its_own_place(mapped: FlaskClient) -> None:
    told = mapped.get("/api/v1/map").get_json()
    page = mapped.get("/map?positive=3").text

    x, y = map(float, (marks_of(page)["data-star"] or "").split(","))
    assert (x, y) == pytest.approx((told["x"][3], told["y"][3]), abs=1e-2)
    similar = mapped.get("/api/v1/images/3/similar?k=10").get_json()["results"]
    assert marks_of(page)["data-neighbours"] == ",".join(str(one["image_id"]) for one in similar)
    assert Elements(page).of("a", href="/?positive=3")
    assert "000003.jpg" in page


def test_another_query_lies_among_its_nearest_results(mapped: FlaskClient) -> None:
    told = mapped.get("/api/v1/map").get_json()
    body = {"positives": [{"image_id": 3}, {"image_id": 7}]}
    nearest = mapped.post("/api/v1/search", json=body).get_json()["results"][:5]
    weights = [max(0, one["score"]) for one in nearest]
    expected = [np.average([told[axis][one["image_id"]] for one in nearest], weights=weights) for axis in "xy"]

    star = marks_of(mapped.get("/map?positive=3&positive=7").text)["data-star"] or ""

    assert [float(part) for part in star.split(",")] == pytest.approx(expected, abs=0.05)


def test_a_picture_that_was_sent_lies_near_its_copy(mapped: FlaskClient) -> None:
    embedding = mapped.get("/api/v1/images/3/similar?k=1").get_json()["query"]["positives"][0]["embedding"]

    page = mapped.get("/map", query_string={"positive": f"~{embedding}"}).text

    assert marks_of(page)["data-star"]
    assert (marks_of(page)["data-neighbours"] or "").startswith("3,")
    assert "your picture" in page


def test_a_query_that_finds_nothing_has_no_place(mapped: FlaskClient) -> None:
    page = mapped.get("/map?positive=3&positive=7&min_score=1").text

    assert "data-star" not in marks_of(page)
    assert "no place here" in page


def test_an_unknown_image_gets_the_page_of_errors(mapped: FlaskClient) -> None:
    assert mapped.get("/map?positive=4000").status_code == 404


def test_the_script_comes_from_here_compressed_and_for_good(mapped: FlaskClient) -> None:
    (element,) = [one for one in Elements(mapped.get("/map").text).of("script") if "plotly" in (one["src"] or "")]
    address = element["src"] or ""

    plain = mapped.get(address)
    small = mapped.get(address, headers={"Accept-Encoding": "gzip, br"})
    again = mapped.get(address, headers={"If-None-Match": plain.headers["ETag"]})

    assert plain.content_type.startswith("text/javascript")
    assert "immutable" in plain.headers["Cache-Control"]
    assert small.headers["Content-Encoding"] == "gzip"
    assert len(small.data) < len(plain.data) / 3
    assert gzip.decompress(small.data) == plain.data
    assert again.status_code == 304


def test_the_policy_is_as_strict_as_elsewhere(mapped: FlaskClient) -> None:
    page = mapped.get("/map?positive=3")

    assert page.headers["Content-Security-Policy"] == mapped.get("/").headers["Content-Security-Policy"]
    assert not [one for _, one in Elements(page.text).found if "style" in one]

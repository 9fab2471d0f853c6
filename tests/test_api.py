"""The JSON API: what it answers, and how it refuses."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from indexer.build import build
from indexer.build_settings import BuildRequest
from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.picture_files import PictureFiles
from search_service.query_embedding import MAX_PICTURE_BYTES
from search_service.settings import Settings
from tests.conftest import client_of
from tests.test_images import NOISE, black_png, encoded


def indexed_file(devkit: Path, number: int) -> bytes:
    return (devkit / f"JPEGImages/{number:06d}.jpg").read_bytes()


def send_form(client: FlaskClient, address: str, picture: bytes, **fields: str) -> TestResponse:
    boundary, body = encode_multipart({"image": FileStorage(io.BytesIO(picture), "a.jpg", "image"), **fields})
    return client.post(address, data=body, content_type=f"multipart/form-data; boundary={boundary}")


def upload(client: FlaskClient, data: bytes, **fields: str) -> TestResponse:
    return send_form(client, "/api/v1/search", data, **fields)


def error_of(response: TestResponse) -> dict[str, str]:
    assert response.is_json
    body = response.get_json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    error: dict[str, str] = body["error"]
    return error


def test_an_uploaded_copy_of_an_indexed_picture_finds_it_first(client: FlaskClient, devkit: Path) -> None:
    for number in (0, 11, 39):
        body = upload(client, indexed_file(devkit, number)).get_json()

        assert body["results"][0]["image_id"] == number
        assert body["results"][0]["score"] > 0.99
        assert len(body["results"]) == 10
        scores = [result["score"] for result in body["results"]]
        assert scores == sorted(scores, reverse=True)


def test_an_answer_has_all_that_is_promised(client: FlaskClient, devkit: Path) -> None:
    body = upload(client, indexed_file(devkit, 3), k="2").get_json()

    assert set(body) == {
        "query", "localization", "mode", "target", "searched", "more", "results", "took_ms",
    }  # fmt: skip
    assert (body["target"], body["searched"], body["more"]) == ("images", 40, True)
    assert body["localization"] is None
    with Image.open(devkit / "JPEGImages/000003.jpg") as picture:
        [sight] = body["query"]["positives"]
        assert len(sight.pop("embedding")) > 20
        assert sight == {
            "image_id": None, "filename": None, "width": picture.width, "height": picture.height, "box": None,
        }  # fmt: skip
    assert set(body["took_ms"]) == {"decode", "wait", "embed", "search", "total"}
    first = body["results"][0]
    assert set(first) == {
        "image_id", "score", "filename", "width", "height", "split", "objects", "image_url", "thumbnail_url",
        "percentile", "object", "near_duplicates",
    }  # fmt: skip
    assert set(first["objects"][0]) == {"class", "box", "pose", "truncated", "occluded", "difficult"}
    assert first["objects"][0]["class"] == "boat"
    assert len(first["objects"][0]["box"]) == 4


def test_an_indexed_query_is_left_out_of_its_own_results(client: FlaskClient) -> None:
    body = client.post("/api/v1/search", json={"image_id": 7, "k": 100}).get_json()

    [sight] = body["query"]["positives"]
    assert (sight["image_id"], sight["filename"]) == (7, "000007.jpg")
    found = [result["image_id"] for result in body["results"]]
    assert sorted(found) == [image_id for image_id in range(40) if image_id != 7]


def test_base64_upload_and_form_find_the_same(client: FlaskClient, devkit: Path) -> None:
    data = indexed_file(devkit, 5)

    by_form = upload(client, data).get_json()["results"]
    by_base64 = client.post("/api/v1/search", json={"image_base64": base64.b64encode(data).decode()}).get_json()

    assert by_base64["results"] == by_form


def test_base64_may_come_in_lines(client: FlaskClient, devkit: Path) -> None:
    lines = base64.encodebytes(indexed_file(devkit, 5)).decode()

    body = client.post("/api/v1/search", json={"image_base64": lines}).get_json()

    assert body["results"][0]["image_id"] == 5


def as_people_send_it(data: bytes) -> dict[str, str]:
    """Kinds of base64 of a file whose length leaves the padding to be seen, and both letters of an alphabet."""
    plain = base64.b64encode(data).decode()
    assert plain.endswith("=")
    assert "/" in plain
    assert "+" in plain
    safe = base64.urlsafe_b64encode(data).decode()
    return {
        "unpadded": plain.rstrip("="),
        "url-safe": safe,
        "url-safe, unpadded": safe.rstrip("="),
        "lines of Windows": plain.replace("A", "A\r\n\t") + "\r\n",
        "data URI": f"data:image/jpeg;base64,{plain}",
        "no media type": f"data:;base64,{plain}",
        "another media type": f"data:application/octet-stream;base64,{plain}",
        "parameters": f"data:image/jpeg;name=a.jpg;charset=utf-8;base64,{plain}",
        "capitals and spaces": f"  DATA:image/JPEG; BASE64,\n {plain}",
        "quoted": f"data:image/jpeg;base64,{quote(plain, safe='')}",
        "data URI, url-safe": f"data:image/jpeg;base64,{safe.rstrip('=')}",
    }


def test_base64_is_taken_as_people_send_it(client: FlaskClient, devkit: Path) -> None:
    data = indexed_file(devkit, 5)
    data += bytes(-len(data) % 3) + b"\xfb\xef\xbe\xff\xff\xff\x00"  # behind the end marker: ++++////AA==

    for kind, text in as_people_send_it(data).items():
        single = client.post("/api/v1/search", json={"image_base64": text}).get_json()
        batch = client.post("/api/v1/search/batch", json={"queries": [{"image_base64": text}]}).get_json()
        located = client.post("/api/v1/localize", json={"image_base64": text})
        for answer in (single, batch["answers"][0]["answer"]):
            assert answer["results"][0]["image_id"] == 5, kind
        assert error_of(located)["code"] == "no_head", kind  # it is read, and no head is trained


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data:image/jpeg,%FF%D8%FF", "a data URI without ;base64"),
        ("data:base64,aaaa", "a data URI without ;base64"),
        ("data:image/jpeg;base64", "another text"),
        ("https://example.org/a.jpg", "another text"),
        ("aaaa=aaaa", "another text"),
        ("aaaaa", "another text"),
        ("data:image/jpeg;base64,data:image/jpeg;base64,aaaa", "another text"),
        ("data:image/jpeg;base64,%FF%C3", "another text"),
        ("\uff21aaa", "another text"),
        (["aaaa"], "['aaaa']"),
        (True, "True"),
    ],
)
def test_what_is_no_base64_is_refused_in_one_line(client: FlaskClient, text: object, found: str) -> None:
    for body in ({"image_base64": text}, {"positives": [{"image_id": 1}], "negatives": [{"image_base64": text}]}):
        response = client.post("/api/v1/search", json=body)

        assert response.status_code == 400
        assert error_of(response)["code"] == "invalid_base64"
        expected = "expected image_base64 to be the bytes of a file in base64, and nothing else"
        assert error_of(response)["message"] == f"{expected}, found {found}"


def test_an_image_id_may_be_text(client: FlaskClient) -> None:
    for text in ("7", " 7 ", "007"):
        single = client.post("/api/v1/search", json={"image_id": text}).get_json()
        among = client.post("/api/v1/search", json={"positives": [{"image_id": text}]}).get_json()
        batch = client.post("/api/v1/search/batch", json={"queries": [{"image_id": text}]}).get_json()

        for answer in (single, among, batch["answers"][0]["answer"]):
            assert answer["query"]["positives"][0]["image_id"] == 7


@pytest.mark.parametrize(
    "value", ["one", "", "1e3", "12.0", 12.0, "\u0661\u0662", "0x7", True, [7], "7 8", "9" * 5_000]
)
def test_what_is_no_whole_number_is_no_image_id(client: FlaskClient, value: object) -> None:
    response = client.post("/api/v1/search", json={"image_id": value})

    assert response.status_code == 400
    assert error_of(response)["code"] == "invalid_image_id"
    assert error_of(response)["message"].startswith("expected image_id to be a whole number, found ")


@pytest.mark.parametrize("value", ["-1", "40", "9" * 30])
def test_text_of_an_image_that_there_is_not_is_unknown(client: FlaskClient, value: str) -> None:
    by_text = client.post("/api/v1/search", json={"image_id": value})
    by_number = client.post("/api/v1/search", json={"image_id": int(value)})

    assert (by_text.status_code, error_of(by_text)) == (by_number.status_code, error_of(by_number))
    assert by_text.status_code == 404


def test_similar_is_the_search_by_id(client: FlaskClient) -> None:
    by_get = client.get("/api/v1/images/7/similar?k=5").get_json()
    by_post = client.post("/api/v1/search", json={"image_id": 7, "k": 5}).get_json()

    assert by_get["results"] == by_post["results"]
    assert len(by_get["results"]) == 5


def test_an_image_has_its_record_its_file_and_a_thumbnail(client: FlaskClient, devkit: Path) -> None:
    record = client.get("/api/v1/images/4").get_json()

    assert record["filename"] == "000004.jpg"
    assert client.get(record["image_url"]).data == indexed_file(devkit, 4)
    thumbnail = client.get(record["thumbnail_url"])
    assert thumbnail.content_type == "image/jpeg"
    with Image.open(io.BytesIO(thumbnail.data)) as small:
        assert max(small.size) == 320
        assert small.width / small.height == pytest.approx(record["width"] / record["height"], abs=0.01)


@pytest.mark.parametrize(
    ("ending", "kind"),
    [(".jfif", "image/jpeg"), (".JPE", "image/jpeg"), (".JPG", "image/jpeg"), (".webp", "image/webp")],
)
def test_a_file_is_sent_as_what_its_ending_says(
    own_devkit: Path, tmp_path: Path, request_build: Callable[..., BuildRequest], ending: str, kind: str
) -> None:
    (own_devkit / "JPEGImages/000000.jpg").rename(own_devkit / f"JPEGImages/000000{ending}")
    build(request_build(tmp_path / "collection", voc_root=own_devkit))
    engine = SearchEngine.open(Settings(collection=tmp_path / "collection"))

    response = client_of(engine).get("/api/v1/images/0/file")

    assert (response.status_code, response.content_type) == (200, kind)


@pytest.mark.parametrize("kind", ["image_url", "thumbnail_url"])
def test_pictures_are_cached_for_good_and_asked_for_once(client: FlaskClient, kind: str) -> None:
    address = client.get("/api/v1/images/4").get_json()[kind]
    first = client.get(address)

    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})

    assert "immutable" in first.headers["Cache-Control"]
    assert again.status_code == 304
    assert again.data == b""


def test_alive_and_ready(client: FlaskClient) -> None:
    ready = client.get("/readyz").get_json()

    assert client.get("/healthz").get_json() == {"status": "alive"}
    assert (ready["status"], ready["images"], ready["generation"]) == ("ready", 40, 1)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "expected a picture"),
        (b"this is a text", "expected a picture"),
        (encoded(NOISE, "JPEG")[:-400], "damaged or cut off"),
        (encoded(Image.new("RGB", (1, 1))), "at least 8 pixels a side, found 1 x 1"),
        (black_png(30_000, 30_000), "at most 80,000,000 pixels"),
    ],
    ids=["empty", "text", "cut off", "one pixel", "too many pixels"],
)
def test_what_is_no_usable_picture_is_refused(client: FlaskClient, data: bytes, said: str) -> None:
    for response in (
        upload(client, data),
        client.post("/api/v1/search", json={"image_base64": base64.b64encode(data).decode()}),
    ):
        assert response.status_code == 400
        assert error_of(response)["code"] == "invalid_image"
        assert said in error_of(response)["message"]


def test_over_16_mib_is_refused_by_any_way_in(client: FlaskClient) -> None:
    data = b"\xff" * (MAX_PICTURE_BYTES + 1)

    for response in (
        upload(client, data),
        upload(client, data * 2),
        client.post("/api/v1/search", json={"image_base64": base64.b64encode(data).decode()}),
    ):
        assert response.status_code == 413
        assert error_of(response)["code"] == "too_large"


@pytest.mark.parametrize("k", ["0", "101", "-1", "ten", "1.5"])
def test_k_is_a_whole_number_from_1_to_100(client: FlaskClient, devkit: Path, k: str) -> None:
    by_form = upload(client, indexed_file(devkit, 0), k=k)
    by_address = client.get(f"/api/v1/images/0/similar?k={k}")
    by_json = client.post("/api/v1/search", json={"image_id": 0, "k": k})

    for response in (by_form, by_address, by_json):
        assert response.status_code == 400
        assert error_of(response)["code"] == "invalid_k"


@pytest.mark.parametrize("k", [0, 101, True, 2.5, [3], {}])
def test_k_in_json_may_be_of_no_other_type(client: FlaskClient, k: Any) -> None:  # noqa: ANN401 - on purpose
    response = client.post("/api/v1/search", json={"image_id": 0, "k": k})

    assert response.status_code == 400
    assert error_of(response)["code"] == "invalid_k"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "no_image"),
        ({"image_id": 1, "image_base64": "aaaa"}, "no_image"),
        ({"image_id": True}, "invalid_image_id"),
        ({"image_base64": "@@@"}, "invalid_base64"),
        ({"image_base64": 7}, "invalid_base64"),
        ({"image_base64": "ä"}, "invalid_base64"),
        ({"image_id": 1, "top": 3}, "unknown_field"),
        ([1], "invalid_json"),
        ("image", "invalid_json"),
    ],
)
def test_a_body_that_asks_nothing_clear_is_refused(
    client: FlaskClient,
    body: Any,  # noqa: ANN401 - whatever a client sends
    code: str,
) -> None:
    response = client.post("/api/v1/search", json=body)

    assert response.status_code == 400
    assert error_of(response)["code"] == code


@pytest.mark.parametrize(
    "body", ["{", "", "\xff", "[" * 200_000, '{"a":' * 200_000, '{"k": ' + "9" * 10_000 + "}"]
)
def test_broken_json_is_refused(client: FlaskClient, body: str) -> None:
    response = client.post("/api/v1/search", data=body, content_type="application/json")

    assert response.status_code == 400
    assert error_of(response)["code"] == "invalid_json"


@pytest.mark.parametrize("fields", [{}, {"k": "3"}, {"image": "text, no file"}])
def test_a_form_without_a_picture_is_refused(client: FlaskClient, fields: dict[str, str]) -> None:
    response = client.post("/api/v1/search", data=fields, content_type="multipart/form-data")

    assert response.status_code == 400
    assert error_of(response)["code"] == "no_image"


@pytest.mark.parametrize("content_type", ["image/jpeg", "text/plain", ""])
def test_another_content_type_is_refused(client: FlaskClient, content_type: str) -> None:
    response = client.post("/api/v1/search", data=b"abc", content_type=content_type)

    assert response.status_code == 415
    assert error_of(response)["code"] == "unsupported_media_type"


@pytest.mark.parametrize("image_id", ["40", "99999999999999999999999", "-1", "abc"])
@pytest.mark.parametrize("route", ["", "/file", "/thumbnail", "/similar"])
def test_an_unknown_image_is_not_found(client: FlaskClient, image_id: str, route: str) -> None:
    response = client.get(f"/api/v1/images/{image_id}{route}")

    assert response.status_code == 404
    assert error_of(response)["code"] in ("unknown_image", "not_found")


def test_an_unknown_image_in_json_is_not_found(client: FlaskClient) -> None:
    response = client.post("/api/v1/search", json={"image_id": 10**30})

    assert response.status_code == 404
    assert error_of(response)["message"].startswith("expected an image id from 0 to 39")
    assert len(error_of(response)["message"]) < 100


def test_a_picture_whose_file_is_gone_says_so(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = client.application.extensions["lookalike"].current.engine
    monkeypatch.setattr(engine, "files", PictureFiles(Path("/nowhere"), engine.decoders))

    response = client.get("/api/v1/images/4/file")

    assert response.status_code == 404
    assert error_of(response)["code"] == "file_gone"


def test_a_picture_of_any_file_name_can_be_had(
    own_devkit: Path, tmp_path: Path, request_build: Callable[..., BuildRequest]
) -> None:
    odd = 'a\nb"c;ä.jpg'
    (own_devkit / "JPEGImages/000001.jpg").rename(own_devkit / "JPEGImages" / odd)
    build(request_build(tmp_path / "collection", voc_root=own_devkit))
    engine = SearchEngine.open(Settings(collection=tmp_path / "collection"))
    app = create_app(engine)
    image_id = len(engine.collection) - 1

    response = app.test_client().get(f"/api/v1/images/{image_id}/file", buffered=True)

    assert response.status_code == 200
    assert response.data == (own_devkit / "JPEGImages" / odd).read_bytes()


def test_a_wrong_method_and_a_wrong_address_are_refused_in_json(client: FlaskClient) -> None:
    assert error_of(client.get("/api/v1/search"))["code"] == "method_not_allowed"
    assert error_of(client.get("/api/v2/search"))["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/search", {"image_id": 3}),
        ("POST", "/api/v1/search/batch", {"queries": [{"image_id": 3}]}),
        ("GET", "/api/v1/images/3/similar", None),
        ("POST", "/api/v1/localize", {"image_id": 3}),
        ("GET", "/?positive=3", None),
        ("GET", "/images/3", None),
    ],
)
def test_the_header_tells_what_each_stage_took(
    trained_client: FlaskClient, method: str, path: str, body: dict[str, object] | None
) -> None:
    response = trained_client.open(path, method=method, json=body)

    told = dict(part.split(";dur=") for part in response.headers["Server-Timing"].split(", "))
    took = {stage: float(milliseconds) for stage, milliseconds in told.items()}
    assert {"decode", "wait", "embed", "search", "localize", "total"} == set(took)
    assert 0 < took["localize"] < sum(took.values()) - took["total"] <= took["total"] + 1e-2


def test_what_takes_no_stages_has_no_such_header(client: FlaskClient) -> None:
    assert "Server-Timing" not in client.get("/healthz").headers

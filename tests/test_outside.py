"""Nothing that a client sends reaches the file system or the network, and nothing that it uploads is kept."""

import base64
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

MARK = "sent-by-a-client"
NAMES = [
    f"../../../../etc/{MARK}", f"/etc/{MARK}", f"..%2f..%2f{MARK}", f"%2e%2e/{MARK}", f"....//{MARK}",
    f"..\\{MARK}", f"file:///etc/{MARK}", f"http://127.0.0.1:9/{MARK}", f"\\\\127.0.0.1\\{MARK}",
    f"{MARK}.jpg", f"3;{MARK}",
]  # fmt: skip
ROUTES = [
    "/images/{}", "/images/3/{}", "/api/v1/images/{}", "/api/v1/images/{}/file", "/api/v1/images/{}/thumbnail",
    "/api/v1/images/{}/similar", "/api/v1/images/3/file/{}", "/map/{}", "/api/{}", "/api/v1/{}", "/{}",
]  # fmt: skip
ADDRESSES = [
    "/?positive={}", "/?negative={}", "/?positive=3&class={}", "/?positive=3&split={}", "/?positive=3&pose={}",
    "/?positive=3&mode={}", "/?positive=3&target={}", "/?region_of={}&box=1,1,9,9", "/?region_of=3&box={}",
    "/browse?class={}", "/map?positive={}", "/api/v1/images?class={}",
    "/api/v1/images?split={}", "/api/v1/images?{}=1", "/api/v1/images?k={}",
]  # fmt: skip
FIELDS = ("image_id", "image_base64", "embedding", "mode", "target", "k", "box")

_watched: list[list[tuple[str, str]]] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _watched and event.startswith(("open", "os.", "shutil.", "socket.", "subprocess.", "urllib.")):
        _watched[-1].append((event, repr(arguments)))


sys.addaudithook(_note)  # for as long as the process runs: Python takes none back


@contextmanager
def watching() -> Iterator[list[tuple[str, str]]]:
    """What Python asks of the system within the block, in any thread: (event, arguments)."""
    seen: list[tuple[str, str]] = []
    _watched.append(seen)
    try:
        yield seen
    finally:
        _watched.remove(seen)


def touched(seen: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What of it has to do with what was sent, or with the network."""
    network = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.", "subprocess.")
    return [(event, told) for event, told in seen if MARK in told or event.startswith(network)]


def test_what_is_watched_is_seen(tmp_path: Path) -> None:
    with watching() as seen:
        (tmp_path / MARK).write_text("")

    assert [event for event, _ in touched(seen)] == ["open"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("route", ROUTES)
def test_no_part_of_an_address_is_a_path(client: FlaskClient, route: str, name: str) -> None:
    with watching() as seen:
        response = client.get(route.format(name))

    assert 300 <= response.status_code < 500
    assert touched(seen) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_static_file_lies_in_its_folder_or_is_not_there(client: FlaskClient, name: str) -> None:
    with watching() as seen:
        response = client.get(f"/static/{name}")

    assert response.status_code in (308, 404)
    assert [told for event, told in seen if event == "open" and MARK in told] == []


def test_no_file_outside_of_the_static_folder_is_served(client: FlaskClient) -> None:
    for way in ("../app.py", "..%2fapp.py", "%2e%2e/app.py", "....//app.py", "/../../pyproject.toml"):
        assert client.get(f"/static/{way}").status_code in (308, 404)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_value_in_an_address_is_a_path(client: FlaskClient, address: str) -> None:
    for name in NAMES:
        with watching() as seen:
            response = client.get(address.format(name))

        assert 400 <= response.status_code < 500, name
        assert touched(seen) == []


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_of_json_or_of_a_form_is_a_path_or_fetched(client: FlaskClient, field: str) -> None:
    for name in NAMES:
        with watching() as seen:
            answers = [
                client.post("/api/v1/search", json={field: name}),
                client.post("/api/v1/search/batch", json={"queries": [{"image_id": 3}], field: name}),
                client.post("/api/v1/search", data={field: name}),
                client.post("/api/v1/localize", json={field: name}),
            ]

        assert all(400 <= answer.status_code < 500 for answer in answers), name
        assert touched(seen) == []


def large_picture() -> bytes:
    """Of noise, so large that the server puts its upload into a temporary file."""
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert len(file.getvalue()) > 2**20
    return file.getvalue()


def send(
    client: FlaskClient, address: str, data: bytes, name: str = "a.png", field: str = "image"
) -> TestResponse:
    boundary, body = encode_multipart({field: FileStorage(io.BytesIO(data), name, field)})
    return client.post(address, data=body, content_type=f"multipart/form-data; boundary={boundary}")


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_an_uploaded_file_is_no_path(client: FlaskClient, devkit: Path, name: str) -> None:
    small = (devkit / "JPEGImages/000008.jpg").read_bytes()
    send(client, "/api/v1/search", small)  # decoders are started by the first picture

    with watching() as seen:
        answers = [send(client, "/api/v1/search", small, name), send(client, "/", small, name)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert touched(seen) == []
    assert all(MARK not in answer.text for answer in answers)


def held(*folders: Path) -> dict[str, tuple[int, int]]:
    """Each file with its size and when it was changed."""
    files = [path for folder in folders for path in folder.rglob("*")]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


UPLOADS: dict[str, Callable[[FlaskClient, bytes], TestResponse]] = {
    "form": lambda client, data: send(client, "/api/v1/search", data),
    "page": lambda client, data: send(client, "/", data),
    "localize": lambda client, data: send(client, "/api/v1/localize", data),
    "json": lambda client, data: client.post("/api/v1/search", json={"image_base64": in_base64(data)}),
    "no picture": lambda client, data: send(client, "/api/v1/search", bytes(len(data))),
    "wrong field": lambda client, data: send(client, "/api/v1/search", data, field="other"),
}


@pytest.mark.parametrize("way", UPLOADS)
def test_nothing_that_is_uploaded_is_kept(
    trained_client: FlaskClient,
    trained_path: Path,
    devkit: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = held(trained_path, devkit)
    with watching() as seen:
        response = UPLOADS[way](trained_client, large_picture())

    assert response.status_code == (400 if way in ("no picture", "wrong field") else 200)
    assert any(str(tmp_path) in told for event, told in seen if event == "open") == (way != "json")
    assert held(trained_path, devkit) == before
    assert list(tmp_path.iterdir()) == []

"""Devkits by address: the same collection as from a folder, served from there; what is wrong told in one line."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from indexer import places, voc
from indexer.__main__ import main
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.places import place
from search_service.engine import SearchEngine
from search_service.settings import Settings
from tests.conftest import client_of

for extra in ("boto3", "moto", "s3fs", "upath"):
    pytest.importorskip(extra, reason="the extra s3 is not installed, or not what tests it")

import s3fs  # noqa: E402 - they are there

from tests import buckets  # noqa: E402

Request = Callable[..., BuildRequest]


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    with buckets.serving() as client:
        yield client


@pytest.fixture(scope="module")
def address(store: Any, devkit: Path) -> str:  # noqa: ANN401 - boto3's
    return buckets.upload(store, devkit, "VOC2012")


def told(*arguments: object) -> Result:
    arguments = ("build", "--quiet", "--backbone", "efficientnet_lite2", *arguments)
    return CliRunner().invoke(main, [str(one) for one in arguments])


def parts(path: Path) -> dict[str, Any]:
    """What is in a collection, but for where its devkit lies."""
    with Collection.open(path) as collection:
        manifest = asdict(collection.manifest)
        kept = {name: manifest[name] for name in ("fingerprint", "splits", "classes", "skipped")}
        maps = {stage: maps.tobytes() for stage, maps in collection.maps.items()}
        return {**kept, **maps, "images": collection.all_images(), "vectors": collection.vectors().tobytes()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, address: str, request_build: Request) -> Path:
    """A collection of the devkit in the bucket; nobody may change it."""
    path = tmp_path_factory.mktemp("remote") / "collection"
    build(request_build(path, voc_root=place(f"{address}/")))
    return path


def test_a_bucket_gives_what_a_folder_gives(built: Path, collection_path: Path, address: str) -> None:
    assert parts(built) == parts(collection_path)
    with Collection.open(built) as collection:
        assert collection.manifest.voc_root == address


def test_a_second_build_finds_the_devkit_and_embeds_nothing(built: Path, request_build: Request) -> None:
    summary = build(request_build(built))

    assert (summary.embedded, summary.reused, summary.published) == (0, 40, False)


def test_the_service_serves_files_and_thumbnails_from_there(built: Path, devkit: Path) -> None:
    engine = SearchEngine.open(Settings(collection=built))
    try:
        client = client_of(engine)
        name = engine.collection.images([3])[0].filename
        whole, small = (client.get(f"/api/v1/images/3/{kind}") for kind in ("file", "thumbnail"))

        assert (whole.status_code, whole.mimetype) == (200, "image/jpeg")
        assert whole.data == (devkit / "JPEGImages" / name).read_bytes()
        assert int(whole.headers["Content-Length"]) == len(whole.data)
        assert (small.status_code, small.data[:2]) == (200, b"\xff\xd8")
        assert client.get("/api/v1/images/3/similar").status_code == 200
    finally:
        engine.close()


def test_the_devkit_of_a_service_may_be_named_by_address(collection_path: Path, address: str) -> None:
    environment = {"LOOKALIKE_COLLECTION": str(collection_path), "LOOKALIKE_VOC_ROOT": address}
    engine = SearchEngine.open(Settings.from_environment(environment))
    try:
        image = engine.collection.images([0])[0]
        assert str(engine.files.path(image)) == f"{address}/JPEGImages/{image.filename}"
    finally:
        engine.close()


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_other_protocols_are_read_alike(protocol: str, devkit: Path) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    if protocol == "memory":
        memory.put(str(devkit), "/drawn", recursive=True)
    root = place(f"file://{devkit}" if protocol == "file" else "memory://drawn")

    read, expected = voc.read_split(root, "val"), voc.read_split(devkit, "val")

    assert (read.images, read.notices) == (expected.images, expected.notices)
    paths = [voc.picture_path(root, image.filename) for image in read.images]
    assert [path.read_bytes() for path in paths] == [
        voc.picture_path(devkit, image.filename).read_bytes() for image in expected.images
    ]


def test_an_address_behaves_as_a_path(address: str) -> None:
    picture = place(address) / "JPEGImages" / "a b?#%20.jpg"

    assert str(picture) == f"{address}/JPEGImages/a b?#%20.jpg"
    assert (picture.name, picture.stem, picture.suffix) == ("a b?#%20.jpg", "a b?#%20", ".jpg")
    assert str(picture.parent.parent) == address
    assert not picture.is_file()
    assert places.absolute(place(address)) == address


def test_the_only_devkit_in_a_folder_is_found(address: str) -> None:
    assert str(voc.find_root(place("s3://pictures"))) == address


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("s3://pictures/nowhere", "expected a folder JPEGImages in s3://pictures/nowhere, found none"),
        ("s3://no-such-bucket/VOC2012", "expected a folder JPEGImages in s3://no-such-bucket/VOC2012, found none"),
        ("s3://name:word@pictures/VOC2012", "expected an address without name and password"),
        ("nonsense://there/VOC2012", "expected to read nonsense://there"),
    ],
)
@pytest.mark.usefixtures("address")
def test_a_wrong_address_is_told_in_one_line(wrong: str, said: str, tmp_path: Path) -> None:
    refused = told("--voc-root", wrong, "--collection", tmp_path / "c")

    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: {said}")
    assert len(refused.stderr.splitlines()) == 1
    assert "word" not in refused.stderr.replace("password", "")
    assert not (tmp_path / "c").exists()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Changes the store's endpoint for a test."""

    def go(endpoint: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        s3fs.S3FileSystem.clear_instance_cache()

    yield go
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "http://nowhere.invalid"])
def test_a_store_that_cannot_be_reached_is_told_in_one_line(
    endpoint: str, address: str, tmp_path: Path, elsewhere: Callable[[str], None]
) -> None:
    elsewhere(endpoint)
    started = time.monotonic()

    refused = told("--voc-root", address, "--collection", tmp_path / "c")

    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: expected to read {address}/JPEGImages, found that it cannot be read")
    assert len(refused.stderr.splitlines()) == 1
    assert time.monotonic() - started < 60


class Refusing(BaseHTTPRequestHandler):
    """A store that nobody is allowed to read."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None: ...


def test_a_store_that_refuses_is_told_in_one_line(
    address: str, tmp_path: Path, elsewhere: Callable[[str], None]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever).start()
        elsewhere(f"http://127.0.0.1:{server.server_port}")
        refused = told("--voc-root", address, "--collection", tmp_path / "c")
        server.shutdown()

    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: expected to read")
    assert "Forbidden" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_service_whose_store_is_away_says_so(built: Path, elsewhere: Callable[[str], None]) -> None:
    engine = SearchEngine.open(Settings(collection=built))
    try:
        client = client_of(engine)
        elsewhere("http://127.0.0.1:1")

        for kind in ("file", "thumbnail"):
            answer = client.get(f"/api/v1/images/3/{kind}")
            assert answer.status_code == 503
            assert "files_unreachable" in answer.text
        assert client.get("/").status_code == 200
        assert client.get("/api/v1/images/3/similar").status_code == 200
    finally:
        engine.close()

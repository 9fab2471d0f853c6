"""A collection whose names are scripts: shown as they are, and never run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from indexer import plane, sample, voc
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.settings import Settings
from tests import browsing
from tests.browsing import Visitor
from tests.conftest import BufferedClient

SCRIPT = "<script>window.ran = 1</script>"
IMAGE = "\"'><img src=x onerror=window.ran=1>"
NAMES = {"class": SCRIPT, "pose": IMAGE, "file": f"{IMAGE}&{{{{7*7}}}}"}
PAGES = (
    "/", "/?positive=3", "/?positive=3&negative=4&k=48", "/images/3", "/browse", "/map", "/map?positive=3",
    "/quality", "/api/docs",
)  # fmt: skip
REFLECTED = (
    "/?positive={}", "/?class={}", "/?positive=3&pose={}", "/browse?split={}", "/browse?{}=1", "/{}",
    "/map?colour={}", "/quality?true={}", "/quality?class={}", "/?turn={}", "/static/{}",
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, request_build: Callable[..., BuildRequest]) -> Flask:
    """The service over a collection of such names, with a map."""
    folder = tmp_path_factory.mktemp("hostile")
    root = sample.draw_devkit(folder / "VOCdevkit", images=12, seed=3)
    for picture in sorted((root / "JPEGImages").iterdir()):
        _rename(root, picture)
    build(request_build(folder / "collection", voc_root=root))
    with Collection.open(folder / "collection") as collection:
        plane.store(collection)
    return create_app(SearchEngine.open(Settings(collection=folder / "collection")))


def _rename(root: Path, picture: Path) -> None:
    """Give one picture such a name, and its annotation such classes and poses."""
    name = f"{picture.stem}{NAMES['file']}"
    annotation = root / "Annotations" / f"{picture.stem}.xml"
    text = annotation.read_text()
    for kind in voc.CLASS_NAMES:
        text = text.replace(f"<name>{kind}</name>", f"<name>{_escaped(NAMES['class'])}</name>")
    text = text.replace("<pose>Unspecified</pose>", f"<pose>{_escaped(NAMES['pose'])}</pose>")
    annotation.with_stem(name).write_text(text)
    annotation.unlink()
    picture.rename(picture.with_stem(name))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


@pytest.fixture
def hostile_client(hostile: Flask) -> FlaskClient:
    """A client of it."""
    hostile.test_client_class = BufferedClient
    return hostile.test_client()


@pytest.fixture(scope="module")
def hostile_site(hostile: Flask) -> Iterator[str]:
    """Its address."""
    with browsing.serving(hostile) as address:
        yield address


def test_the_collection_has_these_names(hostile_client: FlaskClient) -> None:
    image = hostile_client.get("/api/v1/images/3").get_json()

    assert NAMES["file"] in image["filename"]
    assert {one["class"] for one in image["objects"]} == {NAMES["class"]}
    assert {one["pose"] for one in image["objects"]} == {NAMES["pose"]}


@pytest.mark.parametrize("address", PAGES)
def test_no_page_has_them_as_markup(hostile_client: FlaskClient, address: str) -> None:
    page = hostile_client.get(address)

    assert page.status_code == 200
    assert not [markup for markup in ("<script>window", "<img src=x", "&49") if markup in page.text]


def test_what_is_no_page_is_nothing_that_a_browser_takes_for_one(hostile_client: FlaskClient) -> None:
    for address in (
        "/api/v1/map",
        "/api/v1/images",
        "/api/v1/images/3",
        "/api/v1/images/3/similar",
        "/api/v1/openapi.json",
    ):
        response = hostile_client.get(address)

        assert response.mimetype == "application/json"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert hostile_client.get("/api/v1/images/3/file").mimetype == "image/jpeg"


@pytest.mark.parametrize("address", PAGES)
def test_no_script_of_theirs_runs_in_a_browser(
    visit: Callable[..., Visitor], hostile_site: str, address: str
) -> None:
    visitor = visit(hostile_site)

    page = visitor.open(address)

    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.ran") is None
    assert page.locator("img[src='x']").count() == 0


@pytest.mark.parametrize("sent", [SCRIPT, IMAGE])
@pytest.mark.parametrize("address", REFLECTED)
def test_what_an_address_says_is_never_markup_of_the_page(
    hostile_client: FlaskClient, address: str, sent: str
) -> None:
    page = hostile_client.get(address.format(sent))

    assert page.status_code < 500
    assert not [markup for markup in ("<script>window", "<img src=x") if markup in page.text]

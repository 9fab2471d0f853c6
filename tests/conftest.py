"""Real parts made small: a drawn devkit, a seeded ResNet50 on disk, a collection built from both."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from flask.testing import FlaskClient
from playwright.sync_api import Browser, sync_playwright
from torchvision import models
from werkzeug.test import TestResponse

from indexer import plane, sample
from indexer.__main__ import main as indexer_commands
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from localizer.__main__ import main as localizer_commands
from localizer.alignment import bring_in_step
from localizer.publish import train_and_publish
from localizer.settings import Settings
from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.settings import Settings as ServiceSettings
from tests import browsing, milvus
from tests.browsing import Visitor
from tests.postgres import postgres_server, postgres_url, stored  # noqa: F401 - fixtures
from tests.servers import new_path, servers  # noqa: F401 - fixtures

# Converted backbones of the tests lie here, and not among the user's own; started processes inherit it.
os.environ["XDG_CACHE_HOME"] = str(Path(__file__).parents[1] / ".cache")

SIDE = 64  # pixels; ResNet50 then gives maps of 2 x 2, a dozen times as fast as at 224
IMAGES = 40


@pytest.fixture(scope="session")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty drawn pictures; nobody may change them."""
    return sample.draw_devkit(tmp_path_factory.mktemp("devkit") / "VOCdevkit", images=IMAGES, seed=7)


@pytest.fixture
def own_devkit(tmp_path: Path) -> Path:
    """Twelve drawn pictures to change at will."""
    return sample.draw_devkit(tmp_path / "own" / "VOCdevkit", images=12, seed=3)


@pytest.fixture
def pictures(tmp_path: Path, devkit: Path) -> Path:
    """A folder of three pictures, one of them in a folder below."""
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    files = sorted((devkit / "JPEGImages").iterdir())
    for name, source in zip(("a.jpg", "b.JPG", "deeper/c.jpg"), files, strict=False):
        shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="session")
def resnet50_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state dict of a ResNet50 of random weights, always the same, as torch.save writes it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = models.resnet50().state_dict()
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="session")
def request_build(resnet50_weights: Path) -> Callable[..., BuildRequest]:
    """A build request with the small backbone, and whatever else is asked for."""

    def request(collection: Path, **settings: object) -> BuildRequest:
        asked = {"backbone": "resnet50", "weights": str(resnet50_weights), "side": SIDE, "quiet": True, **settings}
        return BuildRequest(collection=collection, **asked)  # type: ignore[arg-type]

    return request


@pytest.fixture(scope="session")
def collection_path(
    tmp_path_factory: pytest.TempPathFactory, devkit: Path, request_build: Callable[..., BuildRequest]
) -> Path:
    """A collection of the drawn devkit; nobody may change it."""
    path = tmp_path_factory.mktemp("collection") / "collection"
    build(request_build(path, voc_root=devkit))
    return path


@pytest.fixture
def collection(collection_path: Path) -> Iterator[Collection]:
    """That collection, open."""
    with Collection.open(collection_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def trained_path(tmp_path_factory: pytest.TempPathFactory, collection_path: Path) -> Path:
    """A copy of that collection with both heads, hardly trained; nobody may change it."""
    path = tmp_path_factory.mktemp("trained") / "collection"
    shutil.copytree(collection_path, path)
    for task in ("main", "detect"):
        train_and_publish(path, task, "train", Settings(epochs=3), lambda *_: None)
    return path


@pytest.fixture
def own_trained_path(tmp_path: Path, trained_path: Path) -> Path:
    """A copy of it to change at will."""
    return Path(shutil.copytree(trained_path, tmp_path / "trained"))


@pytest.fixture(scope="session")
def trained_engine(trained_path: Path) -> SearchEngine:
    """A search engine over it."""
    return SearchEngine.open(ServiceSettings(collection=trained_path))


@pytest.fixture
def trained_client(trained_engine: SearchEngine) -> FlaskClient:
    """A client of the service over it."""
    return client_of(trained_engine)


@pytest.fixture(scope="session")
def evaluated_path(tmp_path_factory: pytest.TempPathFactory, trained_path: Path) -> Path:
    """A copy of it on which search and heads were evaluated; nobody may change it."""
    path = Path(shutil.copytree(trained_path, tmp_path_factory.mktemp("evaluated") / "collection"))
    for command in (indexer_commands, localizer_commands):
        assert CliRunner().invoke(command, ["evaluate", "--collection", str(path)]).exit_code == 0
    return path


@pytest.fixture(scope="session")
def objects_engine(
    tmp_path_factory: pytest.TempPathFactory, trained_path: Path, request_build: Callable[..., BuildRequest]
) -> SearchEngine:
    """A search engine over the collection with both heads, whose objects are indexed, too."""
    path = Path(shutil.copytree(trained_path, tmp_path_factory.mktemp("objects") / "collection"))
    build(request_build(path, index_objects=True))
    bring_in_step(path)
    return SearchEngine.open(ServiceSettings(collection=path))


@pytest.fixture
def objects_client(objects_engine: SearchEngine) -> FlaskClient:
    """A client of the service over it."""
    return client_of(objects_engine)


@pytest.fixture(scope="session")
def plain_engine(
    tmp_path_factory: pytest.TempPathFactory, devkit: Path, request_build: Callable[..., BuildRequest]
) -> SearchEngine:
    """A search engine over pictures of which none is annotated, and none is in a list."""
    root = tmp_path_factory.mktemp("plain")
    shutil.copytree(devkit / "JPEGImages", root / "devkit" / "JPEGImages")
    (root / "devkit/JPEGImages/broken.jpg").write_bytes(b"no picture")
    build(request_build(root / "collection", voc_root=root / "devkit"))
    with Collection.open(root / "collection") as collection:
        plane.store(collection)
    return SearchEngine.open(ServiceSettings(collection=root / "collection"))


@pytest.fixture
def plain_client(plain_engine: SearchEngine) -> FlaskClient:
    """A client of the service over it."""
    return client_of(plain_engine)


@pytest.fixture(scope="session")
def engine(collection_path: Path) -> SearchEngine:
    """A search engine over that collection."""
    return SearchEngine.open(ServiceSettings(collection=collection_path))


class BufferedClient(FlaskClient):
    """Reads each response to its end, so that the server closes what it opened for it."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:  # noqa: ANN401 - as werkzeug has it
        """Make a request."""
        return super().open(*args, **{"buffered": True, **kwargs})


@pytest.fixture
def client(engine: SearchEngine) -> FlaskClient:
    """A client of the service over that collection."""
    return client_of(engine)


def client_of(engine: SearchEngine) -> FlaskClient:
    """A client of the service over an engine."""
    app = create_app(engine)
    app.test_client_class = BufferedClient
    return app.test_client()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        chromium = browsing.launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site(trained_engine: SearchEngine) -> Iterator[str]:
    """The address of the service over the collection with both heads."""
    with browsing.serving(create_app(trained_engine)) as address:
        yield address


@pytest.fixture(scope="session")
def objects_site(objects_engine: SearchEngine) -> Iterator[str]:
    """The address of the service over the collection whose objects are indexed."""
    with browsing.serving(create_app(objects_engine)) as address:
        yield address


@pytest.fixture(scope="session")
def plain_site(plain_engine: SearchEngine) -> Iterator[str]:
    """The address of the service over pictures that are not annotated."""
    with browsing.serving(create_app(plain_engine)) as address:
        yield address


@pytest.fixture(scope="session")
def mapped_path(tmp_path_factory: pytest.TempPathFactory, trained_path: Path) -> Path:
    """A copy of the collection with both heads, with places on a map; nobody may change it."""
    path = Path(shutil.copytree(trained_path, tmp_path_factory.mktemp("mapped") / "collection"))
    with Collection.open(path) as collection:
        plane.store(collection)
    return path


@pytest.fixture(scope="session")
def mapped_engine(mapped_path: Path) -> SearchEngine:
    """A search engine over it."""
    return SearchEngine.open(ServiceSettings(collection=mapped_path))


@pytest.fixture(scope="session")
def mapped_site(mapped_engine: SearchEngine) -> Iterator[str]:
    """The address of the service over it."""
    with browsing.serving(create_app(mapped_engine)) as address:
        yield address


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors of a site; at the end of the test none of them may have met trouble."""
    visitors: list[Visitor] = []

    def make(address: str, **context: Any) -> Visitor:  # noqa: ANN401 - Playwright's
        page = browser.new_context(**{"viewport": browsing.DESKTOP, **context}).new_page()
        visitors.append(Visitor(page, address))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.page.context.close()
    assert [visitor.troubles for visitor in visitors if visitor.troubles] == []


@pytest.fixture
def visitor(visit: Callable[..., Visitor], site: str) -> Visitor:
    """A visitor of that service at a desk."""
    return visit(site)


@pytest.fixture(scope="session")
def milvus_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for any number of processes, milvus-lite where none is named; each test has its own collections."""
    if milvus.NAMED:
        yield milvus.NAMED
        return
    with milvus.serving(tmp_path_factory.mktemp("milvus")) as (address, _):
        yield address

"""The fixtures of `conftest.py` over Milvus and PostgreSQL: a module that imports them tests these stores."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from localizer.publish import train_and_publish
from localizer.settings import Settings
from search_service.engine import SearchEngine
from tests.servers import Servers, build_shared, open_engine

__all__ = ["collection", "collection_path", "engine", "objects_engine", "trained_engine", "trained_path"]

Build = Callable[..., BuildRequest]
NewPath = Callable[[], Path]


@pytest.fixture(scope="module")
def collection_path(servers: Servers, new_path: NewPath, devkit: Path, request_build: Build) -> Path:
    """A collection of the drawn devkit; nobody may change it."""
    return build_shared(new_path(), servers, request_build, voc_root=devkit)


@pytest.fixture
def collection(collection_path: Path) -> Iterator[Collection]:
    """That collection, open."""
    with Collection.open(collection_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def engine(collection_path: Path) -> Iterator[SearchEngine]:
    """A search engine over it."""
    opened = open_engine(collection_path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def objects_engine(
    servers: Servers, new_path: NewPath, devkit: Path, request_build: Build
) -> Iterator[SearchEngine]:
    """A search engine over a collection whose objects are indexed, too."""
    path = build_shared(new_path(), servers, request_build, voc_root=devkit, index_objects=True)
    opened = open_engine(path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def trained_path(servers: Servers, new_path: NewPath, devkit: Path, request_build: Build) -> Path:
    """One with both heads, hardly trained; nobody may change it."""
    path = build_shared(new_path(), servers, request_build, voc_root=devkit)
    for task in ("main", "detect"):
        train_and_publish(path, task, "train", Settings(epochs=3), lambda *_: None)
    return path


@pytest.fixture(scope="module")
def trained_engine(trained_path: Path) -> Iterator[SearchEngine]:
    """A search engine over it."""
    opened = open_engine(trained_path)
    yield opened
    opened.close()

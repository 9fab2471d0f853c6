"""The servers of a shared store for the tests: PostgreSQL and Milvus Lite, and collections that lie on them.

`on_servers.py` has the fixtures of `conftest.py` over this pair of stores.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from indexer.build import build
from indexer.build_settings import BuildRequest
from search_service.engine import SearchEngine
from search_service.settings import Settings
from tests.postgres import new_database


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses: of Milvus, and of a database of PostgreSQL."""

    vectors: str
    metadata: str

    @property
    def asked(self) -> dict[str, str]:
        """As a build is asked for them."""
        return {"vectors": self.vectors, "metadata": self.metadata}


@pytest.fixture(scope="session")
def servers(milvus_uri: str, postgres_server: str) -> Iterator[Servers]:
    """Both, with a database for this session."""
    with new_database(postgres_server) as url:
        yield Servers(milvus_uri, url)


@pytest.fixture(scope="session")
def new_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Folders of names that no other collection on the servers has."""
    return lambda: tmp_path_factory.mktemp("shared") / f"c{uuid.uuid4().hex[:12]}"


def elsewhere(path: Path, folder: Path) -> Path:
    """The same collection as another machine has it at first: a folder with nothing but the addresses."""
    other = folder / path.name
    other.mkdir(parents=True)
    (other / "stores.json").write_bytes((path / "stores.json").read_bytes())
    return other


def build_shared(
    path: Path, servers: Servers, request_build: Callable[..., BuildRequest], **asked: object
) -> Path:
    """Build a collection on the servers."""
    build(request_build(path, **servers.asked, **asked))
    return path


def open_engine(path: Path) -> SearchEngine:
    """A search engine over it."""
    return SearchEngine.open(Settings(collection=path))

"""Keys to test with, and a service that asks for them."""

from pathlib import Path

from flask.testing import FlaskClient

from search_service.access import Access
from search_service.api_keys import read_keys
from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.settings import Settings
from tests.conftest import BufferedClient

READER = "reader-0123456789abcdef"
ADMINISTRATOR = "admin-0123456789abcdef"
WRONG = "wrong-0123456789abcdef"


def key_file(folder: Path, content: str = f"read {READER}\nadmin {ADMINISTRATOR}\n", mode: int = 0o600) -> Path:
    """A file of keys."""
    path = folder / "keys.txt"
    path.write_text(content)
    path.chmod(mode)
    return path


def guarded(engine: SearchEngine, access: Access) -> FlaskClient:
    """A client of a service over an engine that lets in whom `access` says."""
    app = create_app(engine, Settings(collection=engine.collection.path, access=access))
    app.test_client_class = BufferedClient
    return app.test_client()


def keyed(engine: SearchEngine, folder: Path, **settings: object) -> FlaskClient:
    """The same with those keys, which are written into a folder."""
    return guarded(engine, Access(keys=read_keys(key_file(folder)), **settings))  # type: ignore[arg-type]


def bearer(key: str) -> dict[str, str]:
    """The header that sends a key."""
    return {"Authorization": f"Bearer {key}"}

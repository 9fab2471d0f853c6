"""A PostgreSQL server for the tests and benchmarks: that of LOOKALIKE_TEST_POSTGRES, or one in a temporary folder.

`python -m tests.postgres COMMAND ...` runs a command, such as pytest on many processes, beside one server for all.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import make_url

from indexer import database
from indexer.catalogue import Catalogue
from indexer.database import Database
from indexer.records import IndexedImage, Notice

VARIABLE = "LOOKALIKE_TEST_POSTGRES"
_DEBIAN = Path("/usr/lib/postgresql")
_USER = "postgres"  # the server refuses to be root
_SETTINGS = ("listen_addresses=127.0.0.1", "max_connections=200")

Stored = Callable[[Sequence[IndexedImage], Sequence[Notice]], AbstractContextManager[Database]]
"""Stores records, and opens them for reading."""


def programs() -> Path | None:
    """The folder of the server's programs: on PATH, or where Debian has the newest; None where there are none."""
    found = shutil.which("initdb")
    if found and shutil.which("pg_ctl"):
        return Path(found).parent
    numbered = [path for path in _DEBIAN.glob("*/bin") if (path / "initdb").is_file()]
    return max(numbered, key=lambda path: int(path.parent.name), default=None)


@contextmanager
def running_server(folder_of_programs: Path, *settings: str) -> Iterator[str]:
    """The URL of a server of these settings, that is stopped afterwards."""
    # Not in pytest's folder, which other users may not enter.
    with tempfile.TemporaryDirectory(prefix="lookalike-postgres-") as name:
        folder, port = Path(name), free_port()
        if os.getuid() == 0:
            shutil.chown(folder, _USER)
        data = folder / "data"
        locale = ("--encoding=UTF8", "--locale=C.UTF-8")
        _run(folder_of_programs / "initdb", "--auth=trust", "--no-sync", *locale, f"--username={_USER}", data)
        given = (f"-p {port}", f"-k {folder}", *(f"-c {one}" for one in _SETTINGS + settings))
        control = (folder_of_programs / "pg_ctl", "--wait", "-D", data)
        _run(*control, "-l", folder / "log", "-o", " ".join(given), "start")
        try:
            yield f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
        finally:
            _run(*control, "--mode=immediate", "stop")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def ask(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Have statements executed, each by itself; the rows of the last."""
    import psycopg  # noqa: PLC0415 - where it is missing, nobody asks

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = [connection.execute(statement.encode()) for statement in statements][-1]
        return cursor.fetchall() if cursor.description else []


@contextmanager
def new_database(server: str, options: str = "") -> Iterator[str]:
    """The URL of an empty database of a server."""
    name = f"test_{uuid.uuid4().hex}"
    ask(server, f"CREATE DATABASE {name} TEMPLATE template0 {options}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        ask(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server, of a role that may do anything."""
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    found = programs()
    if os.environ.get(VARIABLE):
        yield os.environ[VARIABLE]
    elif found is None:
        pytest.skip(f"{VARIABLE} names no server, and PostgreSQL is not installed (Debian: postgresql)")
    else:
        with running_server(found, "fsync=off") as url:
            yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of a test's own."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest) -> Iterator[Stored]:
    """Records in a file, and in PostgreSQL: whatever is asked of them is answered alike."""
    if request.param == "sqlite":
        yield in_file
    else:
        with new_database(request.getfixturevalue("postgres_server")) as url:
            catalogue = Catalogue(url, "voc")
            catalogue.migrate()
            yield lambda images, skipped: in_schema(catalogue, images, skipped)
            catalogue.close()


@contextmanager
def in_file(images: Sequence[IndexedImage], skipped: Sequence[Notice]) -> Iterator[Database]:
    """Records in a file of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metadata.sqlite"
        database.write(path, images, skipped)
        read = Database(path)
        yield read
        read.close()


@contextmanager
def in_schema(
    catalogue: Catalogue, images: Sequence[IndexedImage], skipped: Sequence[Notice]
) -> Iterator[Database]:
    """Records in PostgreSQL, in place of those before."""
    catalogue.write_records(1, images, skipped)
    read = catalogue.open_records(1)
    yield read
    read.close()


def _run(*command: object) -> None:
    as_user = ["runuser", "-u", _USER, "--"] if os.getuid() == 0 else []
    # A file instead of a pipe: the server inherits it, and would keep a pipe open.
    with tempfile.TemporaryFile() as said:
        words = [*as_user, *map(str, command)]
        done = subprocess.run(words, cwd="/", stdout=said, stderr=said, check=False)
        said.seek(0)
        assert done.returncode == 0, f"{words} failed: {said.read().decode()}"


def main(command: Sequence[str]) -> int:
    """Run a command with `VARIABLE` set, where there can be a server; its exit code."""
    found = programs()
    if os.environ.get(VARIABLE) or found is None:
        return subprocess.call(command)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with running_server(found, "fsync=off") as url:
        return subprocess.call(command, env={**os.environ, VARIABLE: url})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

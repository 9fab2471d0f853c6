"""The wall around pymilvus: what a server is asked, and what becomes of its troubles."""

import logging
import multiprocessing
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer.errors import CollectionError, StoreBusyError, StoreUnreachableError
from indexer.milvus_address import MilvusAddress
from indexer.milvus_rows import Facts
from indexer.milvus_server import MilvusServer
from tests.milvus import made_up_images, needs_milvus, serving
from tests.postgres import free_port

FACTS = Facts.of_images(made_up_images(1, seed=0))


@pytest.fixture
def server(milvus_uri: str) -> Iterator[MilvusServer]:
    opened = MilvusServer(milvus_uri)
    yield opened
    for name in opened.names("server_"):
        opened.drop(name)
    opened.close()


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a listener that takes every connection and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield listener.getsockname()[1]


def make(server: MilvusServer, *names: str) -> None:
    for name in names:
        server.create(name, 4, FACTS.fields, 3)


@needs_milvus
def test_collections_come_are_named_and_go(server: MilvusServer) -> None:
    make(server, "server_b", "server_a")

    assert server.names("server_") == ["server_a", "server_b"]
    server.drop("server_a")
    server.drop("server_a")
    assert server.names("server_") == ["server_b"]
    assert not server.has("server_a")


@needs_milvus
def test_a_schema_tells_what_it_was_made_of(server: MilvusServer) -> None:
    make(server, "server_a")

    shape = server.shape("server_a")

    assert (shape.dim, shape.slots) == (4, 3)
    assert shape.fields == {"row", "vector", *(field.name for field in FACTS.fields)}


@needs_milvus
def test_an_alias_is_made_switched_and_deleted(server: MilvusServer) -> None:
    make(server, "server_a", "server_b")

    assert server.pointed("server_now") is None
    server.unpoint("server_now")
    for name in ("server_a", "server_b", "server_b"):
        server.point("server_now", name)
        assert server.pointed("server_now") == name
        assert server.has("server_now")
    server.unpoint("server_now")
    assert server.pointed("server_now") is None
    assert server.names("server_") == ["server_a", "server_b"]


@needs_milvus
def test_a_server_that_is_there_says_so_at_once(server: MilvusServer) -> None:
    server.ping()


@needs_milvus
@pytest.mark.parametrize("ask", [MilvusServer.ping, lambda server: server.names("")], ids=["ping", "names"])
@pytest.mark.parametrize("listening", [False, True])
def test_a_server_that_does_not_answer_is_told_of_in_time(
    mute: int, ask: Callable[[MilvusServer], None], *, listening: bool
) -> None:
    server = MilvusServer(f"http://root:s3cret@127.0.0.1:{mute if listening else free_port()}/pets", timeout=0.5)
    started = time.monotonic()

    with pytest.raises(
        StoreUnreachableError, match=r"answer within 0\.5 seconds, found no answer; see that"
    ) as told:
        ask(server)

    assert time.monotonic() - started < 2
    assert told.value.store == "Milvus"
    assert "s3cret" not in f"{told.value}{server!r}{told.value.__cause__}"


@needs_milvus
def test_many_who_wait_for_a_silent_server_wait_no_longer_than_one(mute: int) -> None:
    server = MilvusServer(f"http://127.0.0.1:{mute}", timeout=1)
    started = time.monotonic()

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(server.names, "") for _ in range(8)]

    assert [type(one.exception()) for one in asked] == [StoreUnreachableError] * 8
    assert time.monotonic() - started < 4


@needs_milvus
def test_a_server_that_dies_is_missed(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, process):
        server = MilvusServer(address, timeout=1)
        make(server, "server_a")
        process.kill()
        process.wait()
        with pytest.raises(StoreUnreachableError):
            server.names("")
    server.close()


@needs_milvus
def test_what_a_server_refuses_is_told_in_one_line(
    server: MilvusServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(
        CollectionError, match=r"expected Milvus at http.* to do as asked, found: .*nowhere"
    ) as told:
        server.query("nowhere", "row > 0", ["row"])

    assert "\n" not in str(told.value)
    assert [record for record in caplog.records if "milvus" in record.name] == []
    assert capfd.readouterr().err == ""


@needs_milvus
@pytest.mark.parametrize("code", [8, 9])
def test_a_server_that_takes_no_more_is_told_from_one_that_refuses(
    server: MilvusServer, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    from pymilvus import MilvusClient, MilvusException  # noqa: PLC0415 - it may not be installed

    def refuse(*_: object, **__: object) -> None:
        raise MilvusException(code, "quota exceeded[reason=rate limit]")

    monkeypatch.setattr(MilvusClient, "upsert", refuse)

    with pytest.raises(StoreBusyError, match="quota exceeded"):
        server.upsert("server_a", [])


def ask_from_a_fork(server: MilvusServer) -> None:
    server.ping()
    sys.exit(0 if server.names("server_f") == ["server_forked"] else 1)


@needs_milvus
def test_a_process_that_is_forked_makes_its_own_connection(server: MilvusServer) -> None:
    make(server, "server_forked")
    child = multiprocessing.get_context("fork").Process(target=ask_from_a_fork, args=(server,))
    child.start()
    child.join(20)

    assert child.exitcode == 0
    assert server.names("server_f") == ["server_forked"]


@needs_milvus
def test_milvus_lite_runs_inside_the_process_where_a_path_is_given(tmp_path: Path) -> None:
    server = MilvusServer(str(tmp_path / "vectors.db"))
    make(server, "server_a")

    assert server.names("") == ["server_a"]
    server.close()
    with pytest.raises(CollectionError, match="not exists"):
        MilvusServer(str(tmp_path / "nowhere" / "vectors.db")).ping()


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("http://localhost", ("http://localhost:19530", "", "")),
        ("https://a.example", ("https://a.example:443", "", "")),
        ("http://me:p%40ss@[::1]:1/pets", ("http://[::1]:1", "me:p@ss", "pets")),
        ("/srv/vectors.db", ("/srv/vectors.db", "", "")),
    ],
)
def test_an_address_is_read_and_its_secrets_kept_apart(uri: str, found: tuple[str, str, str]) -> None:
    assert MilvusAddress.parse(uri) == found


@pytest.mark.parametrize(
    "uri", ["", "localhost:19530", "ftp://s3cret@a", "http://", "http://a:s3cret", "http://[a"]
)
def test_an_address_that_is_none_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(CollectionError, match="expected http") as told:
        MilvusServer(uri)

    assert "s3cret" not in str(told.value)


def test_a_consistency_that_is_none_is_refused() -> None:
    with pytest.raises(CollectionError, match=r"expected a consistency of Strong, Bounded, .*, found 'strict'"):
        MilvusServer("http://localhost", consistency="strict")


def test_where_the_client_is_not_installed_a_line_says_how_it_is() -> None:
    program = """
import sys
sys.modules["pymilvus"] = None
from indexer.errors import CollectionError
from indexer.milvus_server import MilvusServer
try:
    MilvusServer("http://localhost").ping()
except CollectionError as error:
    print(error)
"""
    told = subprocess.check_output([sys.executable, "-c", program], text=True)

    assert told.endswith("found none; run pip install '.[milvus]'\n")

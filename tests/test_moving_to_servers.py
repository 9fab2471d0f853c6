"""A collection that moves to servers: with its heads, not in another's place, and with no word of passwords."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from indexer import store_addresses
from indexer.__main__ import main
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.errors import CollectionError
from localizer import checkpoint
from tests.milvus import needs_milvus
from tests.postgres import free_port
from tests.servers import Servers, build_shared, elsewhere, open_engine

pytestmark = needs_milvus

Request = Callable[..., BuildRequest]


def test_heads_that_were_trained_before_move_too(
    own_trained_path: Path, servers: Servers, request_build: Request, tmp_path: Path
) -> None:
    path = own_trained_path.rename(tmp_path / f"c{uuid.uuid4().hex[:12]}")
    fingerprint = build_shared_fingerprint(path, servers, request_build)

    other = elsewhere(path, tmp_path / "elsewhere")
    Collection.open(other).close()

    engine = open_engine(other)
    assert (engine.modes, engine.localizes) == (("visual",), True)
    engine.close()
    assert checkpoint.digests(other, fingerprint) == checkpoint.digests(path, fingerprint)
    assert set(checkpoint.digests(other, fingerprint)) == {"main", "detect"}


def build_shared_fingerprint(path: Path, servers: Servers, request_build: Request) -> str:
    """Move it; what its heads have to fit."""
    build_shared(path, servers, request_build)
    with Collection.open(path) as collection:
        return collection.manifest.fingerprint


def test_a_collection_of_another_devkit_does_not_take_the_place_of_one_of_the_same_name(
    new_path: Callable[[], Path],
    servers: Servers,
    devkit: Path,
    own_devkit: Path,
    request_build: Request,
    tmp_path: Path,
) -> None:
    path = build_shared(new_path(), servers, request_build, voc_root=devkit)
    fresh, built = tmp_path / "fresh" / path.name, tmp_path / "built" / path.name
    build(request_build(built, voc_root=own_devkit))

    for other, asked in ((fresh, {"voc_root": own_devkit}), (built, {})):
        with pytest.raises(CollectionError, match=rf"expected no other collection {path.name} on these servers"):
            build(request_build(other, **servers.asked, **asked))

    assert not fresh.exists() or not list(fresh.glob("stores.json"))
    with Collection.open(path) as collection:
        assert collection.manifest.generation == 1
    assert len(list((built / "generations").iterdir())) == 1


@pytest.mark.parametrize("away", ["vectors", "metadata"])
def test_servers_that_are_not_there_are_told_in_one_line_and_not_kept(
    away: str, new_path: Callable[[], Path], servers: Servers, devkit: Path
) -> None:
    path, nowhere = new_path(), f"127.0.0.1:{free_port()}"
    asked = (
        servers.asked
        | {
            "vectors": {"vectors": f"http://{nowhere}"},
            "metadata": {"metadata": f"postgresql://user:secret@{nowhere}/voc"},
        }[away]
    )
    flags = [word for name, value in asked.items() for word in (f"--{name}", value)]

    ended = CliRunner().invoke(
        main, ["build", "--voc-root", str(devkit), "--collection", str(path), "--store-timeout", "2", *flags]
    )

    assert ended.exit_code == 1
    [line] = ended.output.splitlines()
    assert line.startswith("error: expected ")
    assert nowhere in line
    assert "secret" not in line
    assert not (path / "stores.json").exists()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://user:secret@host:5432/voc", "postgresql://user:***@host:5432/voc"),
        ("postgresql://user:se@cret@host/voc", "postgresql://user:***@host/voc"),
        ("postgresql://user@host/voc?password=secret&x=1", "postgresql://user@host/voc?password=***&x=1"),
        ("postgresql://user@host/voc?x=1&password=secret", "postgresql://user@host/voc?x=1&password=***"),
        ("http://user:secret@host:19530/base", "http://user:***@host:19530/base"),
        ("http://host:19530", "http://host:19530"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert store_addresses.shown(address) == shown


def test_a_password_with_an_at_sign_as_it_is_is_refused_and_not_repeated() -> None:
    with pytest.raises(CollectionError, match=r"write that of a password %40") as told:
        store_addresses.settle_addresses(None, "http://host:1", "postgresql://user:se@cret@host/voc")

    assert "cret" not in str(told.value).replace("postgresql", "")

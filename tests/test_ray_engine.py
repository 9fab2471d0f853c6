"""Embedding over a Ray cluster: the same collection as without, whoever is killed on the way."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result

from indexer import backbones, engines, inference
from indexer.__main__ import main
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.embedder import Embedder, EmbeddingStep
from indexer.engine_settings import RAY, Engine
from indexer.errors import DatasetError
from indexer.pipeline import PictureFile
from indexer.places import place
from indexer.staging import StagedPiece, Staging
from tests import killing
from tests.kill_phases import build_into
from tests.wholeness import assert_tidy, digest_of_generation

testing = pytest.importorskip("ray.cluster_utils", reason="the extra ray is not installed")
buckets = pytest.importorskip("tests.buckets", reason="the extra s3, or what tests it, is not installed")

Request = Callable[..., BuildRequest]


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    """A bucket, whose settings the cluster has to be started with."""
    with buckets.serving() as client:
        yield client


@pytest.fixture(scope="module")
def engine(store: object) -> Iterator[Engine]:  # noqa: ARG001 - see there
    """Two actors on two nodes, both on this machine, with more logical CPUs than actors."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        node = {"num_cpus": 2, "object_store_memory": 256 << 20}
        cluster = testing.Cluster(initialize_head=True, head_node_args=node)
        cluster.add_node(**node)
        cluster.wait_for_nodes()
        yield Engine(name=RAY, address=cluster.address)
        cluster.shutdown()


def content(path: Path) -> str:
    with Collection.open(path) as collection:
        return digest_of_generation(collection)


def damage(devkit: Path) -> None:
    """Cut one picture off."""
    picture = devkit / "JPEGImages/000005.jpg"
    picture.write_bytes(picture.read_bytes()[:3_000])


def actors() -> set[int]:
    """Ids of the processes that embed, on a cluster that this process started."""
    below = psutil.Process().children(recursive=True)
    return {one.pid for one in below if any("MapWorker" in word for word in one.cmdline())}


def test_a_cluster_builds_what_this_process_builds(
    engine: Engine, own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    damage(own_devkit)
    here, there = (request_build(tmp_path / name, voc_root=own_devkit, index_objects=True) for name in "ab")

    summaries = [build(here), build(replace(there, engine=engine))]

    assert [(one.images, one.embedded, one.skipped) for one in summaries] == [(11, 11, summaries[0].skipped)] * 2
    assert [one.name for one in summaries[1].skipped] == ["000005.jpg"]
    assert "damaged or cut off" in summaries[1].skipped[0].reason
    assert content(tmp_path / "b") == content(tmp_path / "a")
    assert_tidy(tmp_path / "b")


def test_actors_read_from_a_bucket(
    engine: Engine,
    store: Any,  # noqa: ANN401 - boto3's
    own_devkit: Path,
    tmp_path: Path,
    request_build: Request,
) -> None:
    address = buckets.upload(store, own_devkit, "own")
    request = request_build(tmp_path / "c", voc_root=place(address), engine=engine, reduce=False, keep_maps=False)
    local = replace(request, collection=tmp_path / "local", engine=Engine())

    assert [build(one).embedded for one in (request, local)] == [12, 12]
    assert content(request.collection) == content(local.collection)


def test_where_nothing_is_to_be_embedded_no_cluster_is_looked_for(
    collection_path: Path, devkit: Path, request_build: Request
) -> None:
    gone = Engine(name=RAY, address="127.0.0.1:1")

    summary = build(request_build(collection_path, voc_root=devkit, engine=gone))

    assert (summary.embedded, summary.published) == (0, False)


@pytest.fixture
def unreduced(devkit: Path, request_build: Request, monkeypatch: pytest.MonkeyPatch) -> Request:
    """Twenty pieces of two pictures each, in one pass."""
    monkeypatch.setattr(inference, "PIECE", killing.PIECE)
    return partial(request_build, voc_root=devkit, reduce=False, keep_maps=False)


def test_a_killed_actor_costs_no_picture(
    engine: Engine, tmp_path: Path, unreduced: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(unreduced(tmp_path / "undisturbed"))
    put, seen, kept = Staging.put, set[int](), list[str]()

    def kill_one_and_put(self: Staging, piece: StagedPiece) -> None:
        if not kept:
            seen.update(actors())
            os.kill(min(seen), signal.SIGKILL)
        kept.extend(piece.keys)
        put(self, piece)

    monkeypatch.setattr(Staging, "put", kill_one_and_put)
    summary = build(unreduced(tmp_path / "disturbed", engine=engine))

    assert len(seen) == 2
    assert (summary.embedded, len(kept), len(set(kept))) == (40, 40, 40)
    assert content(tmp_path / "disturbed") == content(tmp_path / "undisturbed")


def test_a_killed_driver_is_taken_up(engine: Engine, tmp_path: Path, unreduced: Request) -> None:
    request = unreduced(tmp_path / "killed", engine=engine)
    build(unreduced(tmp_path / "undisturbed"))

    run = killing.run(partial(build_into, request), tmp_path / "killed", killing.Death(event=20))
    summary = build(request)

    assert run.killed
    assert 0 < summary.resumed < 40
    assert summary.embedded == 40
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")
    assert_tidy(tmp_path / "killed")


def test_an_actor_that_cannot_see_the_devkit_says_so(engine: Engine, resnet50_weights: Path) -> None:
    embedder = Embedder(backbones.load("resnet50", str(resnet50_weights), side=64))
    piece = [PictureFile(Path("/elsewhere/JPEGImages/1.jpg"), "0")]

    with (
        engines.opened(engine) as make_pieces,
        pytest.raises(DatasetError, match=r"expected the folder /elsewhere/JPEGImages on .* let all nodes"),
    ):
        list(make_pieces(EmbeddingStep(embedder, keep_maps=False)).run([piece]))


def test_what_an_actor_meets_is_told_as_if_it_had_been_met_here(
    engine: Engine, devkit: Path, resnet50_weights: Path, tmp_path: Path
) -> None:
    refused = told(
        "--voc-root", devkit, "--collection", tmp_path / "c", "--ray-address", engine.address,
        "--backbone", "efficientnet_lite2", "--weights", resnet50_weights,
    )  # fmt: skip

    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: the weights of {resnet50_weights} have other shapes than")
    assert len(refused.stderr.splitlines()) == 1


def told(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["build", "--quiet", "--engine", "ray", *map(str, arguments)])


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1", "nowhere.invalid:6379", "127.0.0.1:99999"])
def test_a_cluster_that_is_not_there_is_told_in_one_line(
    address: str, own_devkit: Path, tmp_path: Path, resnet50_weights: Path
) -> None:
    started = time.monotonic()

    refused = told(
        "--voc-root", own_devkit, "--collection", tmp_path / "c", "--weights", resnet50_weights, "--side", 64,
        "--ray-address", address,
    )  # fmt: skip

    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: expected a Ray cluster at {address}, found none (")
    assert len(refused.stderr.splitlines()) == 1
    assert time.monotonic() - started < 30


def test_where_ray_is_not_installed_it_is_said_how_to(
    own_devkit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _: None)

    refused = told("--voc-root", own_devkit, "--collection", tmp_path / "c")

    assert refused.stderr.splitlines() == [
        "error: expected ray to be installed for --engine ray, found none; pip install '.[ray]'"
    ]

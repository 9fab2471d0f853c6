"""Several at work on one collection at the same time: each ends whole, or says that another is at work."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch

from indexer import derived, sample
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.newest import numbered
from indexer.verify import verify
from indexer.writers_lock import only_writer
from localizer import checkpoint
from localizer.checkpoint import MAIN
from localizer.predict import Localizer
from tests.kill_phases import build_into, evaluate_all, lay_out, train
from tests.killing import Act, run
from tests.test_build import picture
from tests.test_checkpoint import head
from tests.wholeness import GENERATION, assert_tidy, assert_whole

HOME = Path(__file__).parents[1]

Request = Callable[..., BuildRequest]


def together(path: Path, *acts: Act) -> None:
    """Perform all acts at once, each in a process of its own; none may fail."""
    with ThreadPoolExecutor(len(acts)) as threads:
        list(threads.map(lambda act: run(act, path), acts))


def test_of_two_trainings_both_publish_and_the_semantic_index_is_of_the_last(own_trained_path: Path) -> None:
    (held,) = numbered(own_trained_path / "heads/main")

    together(own_trained_path, *(partial(train, MAIN, seed) for seed in (1, 2)))

    first = int(held.name)
    assert [int(one.name) for one in numbered(own_trained_path / "heads/main")] == [first + 1, first + 2]
    assert "semantic index" in assert_whole(own_trained_path)
    with Collection.open(own_trained_path) as collection:
        assert Localizer.open(collection).stored_semantic_index(collection) is not None
    assert_tidy(own_trained_path)


def test_heads_saved_by_many_threads_get_numbers_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        folders = list(threads.map(lambda number: checkpoint.save(tmp_path, head(number)), range(24)))

    assert sorted(folder.name for folder in folders) == [f"{number:06d}" for number in range(1, 25)]
    assert [folder.name for folder in (tmp_path / "heads/main").iterdir() if folder.name < "000023"] == []
    last = next(number for number, folder in enumerate(folders) if folder.name == "000024")
    loaded = checkpoint.load(tmp_path, MAIN, "f" * 64)
    assert torch.equal(loaded.state["weight"], head(last).state["weight"])


def test_maps_and_evaluations_worked_out_at_once_are_whole(own_trained_path: Path) -> None:
    together(own_trained_path, lay_out, evaluate_all, lay_out, evaluate_all)

    assert {"map", "evaluation of search", "evaluation of heads"} <= assert_whole(own_trained_path).keys()
    assert_tidy(own_trained_path)


def test_a_build_beside_a_training_and_readers_leaves_both_whole(
    own_trained_path: Path, own_devkit: Path, request_build: Request
) -> None:
    before = assert_whole(own_trained_path)
    picture(own_devkit, 3).unlink()
    build = partial(build_into, request_build(own_trained_path, voc_root=own_devkit, allow_removals=True))

    together(own_trained_path, build, partial(train, MAIN, 1), partial(train, "detect", 1), assert_whole)

    after = assert_whole(own_trained_path)
    assert {part for part in (GENERATION, "head main", "head detect") if before.get(part) == after[part]} == set()
    assert_tidy(own_trained_path)


def test_of_two_builds_at_once_one_says_that_the_other_is_at_work(tmp_path: Path) -> None:
    devkit = sample.draw_devkit(tmp_path / "VOCdevkit", images=120, seed=1)  # more than a second's work
    arguments = ["build", "--voc-root", devkit, "--collection", tmp_path / "c", "--backbone", "efficientnet_lite2"]
    command = [sys.executable, "-m", "indexer", *map(str, arguments), "--runtime", "torch", "--quiet"]

    builds = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=HOME) for _ in range(2)]
    said = {build: build.communicate()[1] for build in builds}

    assert sorted(build.returncode for build in builds) == [0, 75]
    refused = next(build for build in builds if build.returncode)
    assert said[refused].startswith(f"error: another build is running on {tmp_path / 'c'}")
    assert len(said[refused].splitlines()) == 1
    assert assert_whole(tmp_path / "c")


@pytest.mark.parametrize("name", ["plane.npz", "retrieval.json"])
def test_what_a_killed_writer_left_is_told_and_goes_when_anything_is_stored(
    own_trained_path: Path, name: str
) -> None:
    with Collection.open(own_trained_path) as collection:
        derived.save_record(collection, "any", {"a": 1})
        part = own_trained_path / "derived" / collection.folder.name / f"{name}.part"
        part.write_bytes(b"half")
        told = verify(own_trained_path).leftovers

        derived.save_record(collection, "any", {"a": 2})

    assert told == (str(part.relative_to(own_trained_path)),)
    assert not part.exists()


def test_what_a_living_writer_is_about_to_finish_is_left_alone(own_trained_path: Path) -> None:
    with Collection.open(own_trained_path) as collection, ThreadPoolExecutor(1) as threads:
        with only_writer(own_trained_path / "derived"):
            part = own_trained_path / "derived" / collection.folder.name / "plane.npz.part"
            part.parent.mkdir(exist_ok=True)
            part.write_bytes(b"half")
            waiting = threads.submit(derived.save_record, collection, "any", {"a": 1})
            told = verify(own_trained_path).leftovers
            part.rename(part.with_name("finished.txt"))  # fails where the other cleared it
            assert not waiting.done()
        waiting.result()

        assert derived.load_record(collection, "any") == {"a": 1}
    assert told == ()

"""What was worked out from a generation follows its collection, and the heads on it."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer import plane, retrieval_record
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from localizer import evaluation_record
from localizer.alignment import HEADS, MAP, RETRIEVAL, SEMANTIC, bring_in_step
from localizer.evaluate import evaluate
from localizer.evaluation_recording import make_record
from localizer.publish import train_and_publish
from localizer.settings import Settings

Request = Callable[..., BuildRequest]


@pytest.fixture
def worked_out(own_trained_path: Path) -> Path:
    """A collection with heads, map and evaluations."""
    with Collection.open(own_trained_path) as collection:
        plane.store(collection)
        retrieval_record.keep(collection, retrieval_record.measure(collection, "val", "train"))
        evaluation_record.keep(collection, make_record(evaluate(collection, "val")))
    return own_trained_path


def without_one_picture(path: Path, devkit: Path, request_build: Request, tmp_path: Path) -> None:
    """Build again from a copy of the devkit that lacks a picture."""
    root = tmp_path / "smaller"
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / part).mkdir(parents=True)
        for file in (devkit / part).iterdir():
            if not file.name.startswith("000007"):
                (root / part / file.name).symlink_to(file)
    build(request_build(path, voc_root=root))


def test_after_a_build_all_that_was_there_is_worked_out_anew(
    worked_out: Path, devkit: Path, request_build: Request, tmp_path: Path
) -> None:
    without_one_picture(worked_out, devkit, request_build, tmp_path)

    done = bring_in_step(worked_out)

    assert done == [SEMANTIC, MAP, RETRIEVAL, HEADS]
    with Collection.open(worked_out) as collection:
        places, search = plane.load(collection), retrieval_record.load(collection)
        heads = evaluation_record.load(collection)
    assert places is not None
    assert places.shape == (39, 2)
    assert search is not None
    assert (search.queries, search.gallery) == ("val", "train")
    assert heads is not None
    assert heads.split == "val"
    assert bring_in_step(worked_out) == []


def test_what_was_never_worked_out_is_left_alone(
    own_trained_path: Path, devkit: Path, request_build: Request, tmp_path: Path
) -> None:
    without_one_picture(own_trained_path, devkit, request_build, tmp_path)

    assert bring_in_step(own_trained_path) == [SEMANTIC]


def test_without_heads_the_map_alone_follows(devkit: Path, request_build: Request, tmp_path: Path) -> None:
    path = tmp_path / "c"
    build(request_build(path, voc_root=devkit))
    with Collection.open(path) as collection:
        plane.store(collection)
    without_one_picture(path, devkit, request_build, tmp_path)

    assert bring_in_step(path) == [MAP]


def test_new_heads_are_judged_anew(worked_out: Path) -> None:
    train_and_publish(worked_out, "main", "train", Settings(epochs=1, seed=5), lambda *_: None)

    assert bring_in_step(worked_out) == [HEADS]


def test_a_split_that_is_gone_is_told_of_and_keeps_nothing_from_the_rest(
    worked_out: Path, request_build: Request, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    build(request_build(worked_out, split="train"))

    done = bring_in_step(worked_out)

    assert done == [SEMANTIC, MAP]
    assert "evaluation of search is not worked out anew: " in caplog.text
    assert "evaluation of heads is not worked out anew: " in caplog.text

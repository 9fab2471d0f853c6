"""Training from end to end: what is published, that it comes out the same again, and what ends it early."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.errors import DatasetError, LookalikeError
from indexer.semantic_index import SemanticIndex
from localizer import checkpoint
from localizer.errors import TrainingError
from localizer.examples import read_examples
from localizer.predict import Localizer
from localizer.publish import train_and_publish
from localizer.settings import Settings
from localizer.tasks import MainObjectTask

Request = Callable[..., BuildRequest]
TWO_EPOCHS = Settings(epochs=2)


def silent(*_: object) -> None:
    """Watch nothing."""


@pytest.fixture
def untrained(tmp_path: Path, collection_path: Path) -> Path:
    return Path(shutil.copytree(collection_path, tmp_path / "collection"))


@pytest.mark.parametrize("task", ["main", "detect"])
def test_a_published_head_says_how_it_came_about(trained_path: Path, task: str) -> None:
    with Collection.open(trained_path) as collection:
        stored = checkpoint.load(trained_path, task, collection.manifest.fingerprint)

        assert stored.classes == collection.manifest.classes
    assert stored.card["settings"]["epochs"] == 3
    assert stored.card["train_split"] == "train"
    assert stored.card["seconds"] > 0
    assert [one["epoch"] for one in stored.card["history"]] == [1, 2, 3]
    assert stored.card["held_out"]["images"] >= 1


@pytest.mark.parametrize("task", ["main", "detect"])
def test_the_same_seed_gives_the_same_head_and_another_gives_another(untrained: Path, task: str) -> None:
    digests = []
    for seed in (5, 5, 6):
        train_and_publish(untrained, task, "train", replace(TWO_EPOCHS, seed=seed), silent)
        with Collection.open(untrained) as collection:
            digests.append(checkpoint.load(untrained, task, collection.manifest.fingerprint).digest)

    assert digests[0] == digests[1]
    assert digests[1] != digests[2]


@pytest.mark.parametrize("loss", ["mse", "l1", "giou"])
@pytest.mark.parametrize("given", ["map", "vector"])
def test_every_input_can_be_taught_with_every_loss(collection_path: Path, given: str, loss: str) -> None:
    with Collection.open(collection_path) as collection:
        examples = read_examples(collection, "train", given, collection.manifest.classes)

    task = MainObjectTask(20, Settings(epochs=6, given=given, box_loss=loss))
    losses = [epoch.loss for epoch in task.train(examples)]

    assert losses[-1] < losses[0]


def test_the_semantic_index_is_published_with_the_head(trained_path: Path) -> None:
    with Collection.open(trained_path) as collection:
        index = SemanticIndex.load(collection)

        assert index is not None
        assert index.vectors.shape[0] == len(collection)
        assert index.source == Localizer.open(collection).finder.stored.digest


def test_nothing_is_embedded_to_train(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a backbone was asked")

    monkeypatch.setattr("indexer.backbones.Backbone.network", fail)

    assert train_and_publish(untrained, "main", "train", TWO_EPOCHS, silent).folder.is_dir()


def test_ctrl_c_publishes_the_best_head_so_far(untrained: Path) -> None:
    def stop_at_two(epoch: object, _: object) -> None:
        if getattr(epoch, "number", 0) == 2:
            raise KeyboardInterrupt

    summary = train_and_publish(untrained, "main", "train", Settings(epochs=9), stop_at_two)

    assert summary.stopped
    assert summary.epochs == 1
    with Collection.open(untrained) as collection:
        assert Localizer.open(collection).main is not None


def test_ctrl_c_before_the_first_epoch_leaves_nothing(untrained: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_and_publish(untrained, "main", "train", Settings(epochs=9), stop)

    assert not (untrained / "heads").exists()


def test_a_head_outlives_a_build_that_adds_pictures(
    tmp_path: Path, own_devkit: Path, request_build: Request, devkit: Path
) -> None:
    path = tmp_path / "collection"
    build(request_build(path, voc_root=own_devkit))
    train_and_publish(path, "main", "train", TWO_EPOCHS, silent)
    shutil.copy(devkit / "JPEGImages" / "000003.jpg", own_devkit / "JPEGImages" / "new.jpg")

    summary = build(request_build(path))

    with Collection.open(path) as collection:
        assert summary.embedded == 1
        assert Localizer.open(collection).main is not None


@pytest.mark.parametrize(
    ("split", "settings", "expected"),
    [
        (
            "nosuch",
            TWO_EPOCHS,
            "in split 'nosuch', found none; annotated splits: train, val; choose one: --train-",
        ),
        ("train", replace(TWO_EPOCHS, given="vector"), "expected maps to detect objects in"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(
    untrained: Path, split: str, settings: Settings, expected: str
) -> None:
    with pytest.raises(LookalikeError, match=expected):
        train_and_publish(untrained, "detect", split, settings, silent)

    assert not (untrained / "heads").exists()


def test_a_collection_without_maps_says_how_to_get_them(
    tmp_path: Path, own_devkit: Path, request_build: Request
) -> None:
    path = tmp_path / "collection"
    build(request_build(path, voc_root=own_devkit, keep_maps=False))

    with pytest.raises(TrainingError, match=r"build it with --maps, or train with --input vector"):
        train_and_publish(path, "main", "train", TWO_EPOCHS, silent)
    assert train_and_publish(path, "main", "train", replace(TWO_EPOCHS, given="vector"), silent).folder.is_dir()


def test_a_collection_without_boxes_or_splits_is_refused(
    tmp_path: Path, own_devkit: Path, request_build: Request
) -> None:
    shutil.rmtree(own_devkit / "Annotations")
    path = tmp_path / "collection"
    build(request_build(path, voc_root=own_devkit))

    with pytest.raises(DatasetError, match="expected annotated images, found none in"):
        train_and_publish(path, "main", "train", TWO_EPOCHS, silent)


def test_a_split_of_one_picture_is_refused(tmp_path: Path, own_devkit: Path, request_build: Request) -> None:
    for annotation in sorted((own_devkit / "Annotations").iterdir())[1:]:
        annotation.unlink()
    path = tmp_path / "collection"
    build(request_build(path, voc_root=own_devkit))

    with pytest.raises(TrainingError, match="found 1 that are near-duplicates"):
        train_and_publish(path, "main", None, TWO_EPOCHS, silent)


def test_maps_that_hold_no_numbers_end_in_one_line(collection_path: Path) -> None:
    with Collection.open(collection_path) as collection:
        examples = read_examples(collection, "train", "map", collection.manifest.classes)
    examples.inputs["deep"][3] = torch.nan

    with pytest.raises(TrainingError, match="expected a finite loss, found nan; the collection's maps"):
        list(MainObjectTask(20, TWO_EPOCHS).train(examples))


def test_a_learned_head_beats_chance_on_what_it_learned(collection_path: Path) -> None:
    with Collection.open(collection_path) as collection:
        examples = read_examples(collection, "train", "map", collection.manifest.classes)
    task = MainObjectTask(20, Settings(epochs=40))

    *_, last = task.train(examples)

    right = task.judge(last.head, examples).figures["class_accuracy"]
    majority = np.bincount(examples.class_ids.numpy()).max() / len(examples)
    assert right > majority + 0.2


def test_the_card_is_plain_json(trained_path: Path) -> None:
    [folder] = (trained_path / "heads" / "main").iterdir()

    card = json.loads((folder / "head.json").read_text())

    assert {"task", "fingerprint", "classes", "settings", "history", "held_out", "calibration"} <= set(card)


def test_a_head_that_is_to_be_taught_nothing_is_refused(untrained: Path) -> None:
    nothing = replace(TWO_EPOCHS, class_weight=0.0, box_weight=0.0)

    with pytest.raises(TrainingError, match="expected a weight above 0 for class or box"):
        train_and_publish(untrained, "main", "train", nothing, silent)

"""Copies of images: how they are made, what finds them, and which of them are told as near-duplicates."""

import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from indexer import copies, derived, images, retrieval_record
from indexer.__main__ import main as indexer_commands
from indexer.collection import Collection
from indexer.copy_evaluation import evaluate_copies
from indexer.errors import CollectionError
from indexer.images import COPIES, Picture
from indexer.layout import derived_folder
from indexer.semantic_index import SemanticIndex
from localizer.alignment import bring_in_step


def test_copies_are_smaller_cut_grey_and_mirrored() -> None:
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 120, 3), dtype=np.uint8))

    made = images.copies(Picture(pixels, 120, 80))

    assert {kind: (copy.width, copy.height) for kind, copy in made.items()} == {
        "half_size": (60, 40),
        "middle_quarter": (60, 40),
        "grey": (120, 80),
        "mirror": (120, 80),
        "crop": (96, 64),
    }
    assert np.array_equal(np.asarray(made["mirror"].pixels), np.asarray(pixels)[:, ::-1])
    assert np.array_equal(np.asarray(made["middle_quarter"].pixels), np.asarray(pixels)[20:60, 30:90])
    assert np.asarray(made["grey"].pixels).std(axis=2).max() == 0


@pytest.mark.parametrize("size", [(8, 8), (800, 8), (9, 11)])
def test_the_smallest_pictures_are_copied_too(size: tuple[int, int]) -> None:
    made = images.copies(Picture(Image.new("RGB", size), *size))

    assert all(min(copy.pixels.size) >= 1 for copy in made.values())


def test_the_command_tells_what_copies_find_in_each_mode_and_keeps_it(own_trained_path: Path) -> None:
    told = CliRunner().invoke(indexer_commands, ["evaluate", "--collection", str(own_trained_path), "--json"])

    report = json.loads(told.stdout)["copies"]
    with Collection.open(own_trained_path) as collection:
        record = retrieval_record.load(collection)
        count = len(collection)
    assert record is not None
    assert record.copies is not None
    for mode in ("visual", "semantic"):
        assert set(report[mode]) == set(COPIES)
        for kind, found in report[mode].items():
            assert found["copies"] == count
            assert 0 <= found["first"] <= found["among_10"] <= 1
            assert getattr(record.copies, mode)[kind].first == found["first"]
    assert set(report["near_duplicates"]["recall"]) == set(COPIES)
    assert report["near_duplicates"]["by"] == "maps"
    assert report["visual"]["mirror"]["among_10"] > 10 / count  # by chance; the weights are random


def test_without_what_a_head_saw_in_them_copies_are_searched_with_by_looks_alone(own_trained_path: Path) -> None:
    with Collection.open(own_trained_path) as collection:
        (derived_folder(collection.folder) / "copies.npz").unlink()

        report = evaluate_copies(collection, SemanticIndex.load(collection))

    assert report is not None
    assert report.semantic is None
    assert bring_in_step(own_trained_path) == []  # which makes them again
    with Collection.open(own_trained_path) as collection:
        again = evaluate_copies(collection, SemanticIndex.load(collection))
    assert again is not None
    assert again.visual == report.visual
    assert again.semantic is not None


def test_a_damaged_file_of_copies_is_named_and_made_anew(own_trained_path: Path) -> None:
    [stored] = own_trained_path.glob("derived/*/copies.npz")
    stored.write_bytes(stored.read_bytes()[:-5])

    with (
        Collection.open(own_trained_path) as collection,
        pytest.raises(CollectionError, match=r"copies\.npz is damaged"),
    ):
        evaluate_copies(collection, SemanticIndex.load(collection))
    bring_in_step(own_trained_path)

    with Collection.open(own_trained_path) as collection:
        assert evaluate_copies(collection, SemanticIndex.load(collection)) is not None


def test_where_no_picture_can_be_read_the_rest_is_measured(
    own_trained_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(copies, "picture_path", lambda _, name: tmp_path / "gone" / name)

    with Collection.open(own_trained_path) as collection:
        record = retrieval_record.measure(collection, "val", "train")

    assert record.copies is None
    assert set(record.modes) == {"visual", "semantic"}
    assert "no file of a picture can be read" in caplog.text


def test_one_unreadable_picture_costs_its_own_copies(
    collection: Collection, devkit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = shutil.copytree(devkit / "JPEGImages", tmp_path / "JPEGImages")
    (pictures / "000003.jpg").write_bytes(b"no picture")
    monkeypatch.setattr(copies, "picture_path", lambda _, name: pictures / name)

    made = copies.embed_copies(collection, collection.images([2, 3]), keep_maps=False)

    assert made is not None
    assert made.image_ids.tolist() == [2] * len(COPIES)
    assert made.embedding.maps == {}


def test_a_record_that_knows_of_no_copies_still_opens(own_trained_path: Path) -> None:
    with Collection.open(own_trained_path) as collection:
        record = retrieval_record.measure(collection, "val", "train")
        content = asdict(record)
        del content["copies"]
        derived.save_record(collection, retrieval_record.NAME, content)

        loaded = retrieval_record.load(collection)

    assert loaded is not None
    assert loaded.copies is None
    assert loaded.modes == record.modes

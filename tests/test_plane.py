"""Places on a plane: what looks alike lies together, the same again and again, however few there are."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from indexer import derived, plane
from indexer.__main__ import main
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.errors import CollectionError
from indexer.reduction import Floats


def clusters(count: int, centres: int = 3, seed: int = 0) -> tuple[Floats, np.ndarray]:
    """Unit rows (count, 16) about a few directions, and the number of the direction of each."""
    lot = np.random.default_rng(seed)
    numbers = np.arange(count) % centres
    rows = np.eye(centres, 16)[numbers] + lot.normal(scale=0.05, size=(count, 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), numbers


@pytest.fixture
def own_collection(collection_path: Path, tmp_path: Path) -> Path:
    return shutil.copytree(collection_path, tmp_path / "collection")


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 10, 11, 40])
def test_any_number_of_vectors_finds_its_places(count: int) -> None:
    places = plane.lay_out(clusters(count)[0])

    assert places.shape == (count, 2)
    assert places.dtype == np.float32
    assert np.isfinite(places).all()


@pytest.mark.parametrize("count", [5, 60])
def test_the_same_seed_gives_the_same_places(count: int) -> None:
    vectors = clusters(count)[0]

    assert np.array_equal(plane.lay_out(vectors, seed=1), plane.lay_out(vectors, seed=1))


@pytest.mark.parametrize("count", [9, 90])
def test_what_looks_alike_lies_together(count: int) -> None:
    vectors, numbers = clusters(count)

    places = plane.lay_out(vectors)

    distances = np.linalg.norm(places[:, None] - places, axis=2) + np.diag(np.full(count, np.inf))
    assert (numbers[distances.argmin(axis=1)] == numbers).all()


def test_equal_vectors_lie_in_one_place() -> None:
    assert not plane.lay_out(np.ones((20, 4), dtype=np.float32)).any()


def test_places_are_kept_beside_the_generation(own_collection: Path) -> None:
    with Collection.open(own_collection) as collection:
        before = plane.load(collection)
        stored = plane.store(collection)
        after = plane.load(collection)

    assert before is None
    assert after is not None
    assert np.array_equal(stored, after)


def test_places_of_another_number_of_images_are_refused(own_collection: Path) -> None:
    with Collection.open(own_collection) as collection:
        derived.save(collection, "plane", {"places": np.zeros((3, 2), dtype=np.float32)})

        with pytest.raises(CollectionError, match="python -m indexer map"):
            plane.load(collection)


def test_the_command_writes_a_row_for_each_image(own_collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "places.csv"

    result = CliRunner().invoke(main, ["map", "--collection", str(own_collection), "--out", str(out)])

    with Collection.open(own_collection) as collection, out.open(encoding="utf-8", newline="") as file:
        images, places = collection.all_images(), plane.load(collection)
        rows = list(csv.DictReader(file))
    assert result.exit_code == 0
    assert result.output.startswith(f"{len(images)} images laid out in ")
    assert [row["file"] for row in rows] == [image.filename for image in images]
    assert places is not None
    assert [float(row["x"]) for row in rows] == places[:, 0].tolist()


def test_no_cell_that_the_command_writes_is_a_formula(
    own_devkit: Path, tmp_path: Path, request_build: Callable[..., BuildRequest]
) -> None:
    first, *others = sorted((own_devkit / "JPEGImages").iterdir())
    first.rename(first.with_stem("=1+1"))
    build(request_build(tmp_path / "named", voc_root=own_devkit))
    out = tmp_path / "places.csv"

    CliRunner().invoke(main, ["map", "--collection", str(tmp_path / "named"), "--out", str(out)])

    with out.open(encoding="utf-8", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [*(path.name for path in others), "'=1+1.jpg"]


def test_the_command_prints_json(own_collection: Path) -> None:
    result = CliRunner().invoke(main, ["map", "--collection", str(own_collection), "--json"])

    rows = json.loads(result.output)
    assert [row["image_id"] for row in rows] == list(range(len(rows)))
    assert set(rows[0]) == {"image_id", "filename", "class", "split", "x", "y"}

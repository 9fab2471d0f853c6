"""Damage: all of it found at once, told by name, and mended by embedding no more than what is lost."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer import plane
from indexer.__main__ import main
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.generations import generations
from indexer.manifest import Manifest
from indexer.verify import verify

Request = Callable[..., BuildRequest]
FILES = [
    "index.faiss", "objects.faiss", "metadata.sqlite", "maps-deep.npy", "maps-fine.npy", "rows.npz",
    "manifest.json", "manifest-copy.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, devkit: Path, request_build: Request) -> Path:
    """A collection with objects and a map; nobody may change it."""
    path = tmp_path_factory.mktemp("whole") / "collection"
    build(request_build(path, voc_root=devkit, index_objects=True))
    with Collection.open(path) as collection:
        plane.store(collection)
    return path


@pytest.fixture
def own(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return Path(shutil.copytree(whole, tmp_path / "own"))


def run(path: Path, *flags: str) -> Result:
    return CliRunner().invoke(main, ["verify", "--collection", str(path), *flags])


def mend(path: Path) -> dict[str, Any]:
    result = run(path, "--repair", "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def published(path: Path) -> Path:
    return generations(path)[-1]


def content(path: Path) -> dict[str, dict[str, Any]]:
    """Sizes and checksums of all that is published: equal where every byte is."""
    return Manifest.load(published(path)).files


def flip(file: Path, place: int, bits: int = 1) -> None:
    changed = bytearray(file.read_bytes())
    changed[place] ^= bits
    file.write_bytes(changed)


def test_a_whole_collection_is_found_whole(whole: Path) -> None:
    result = run(whole)

    assert (result.exit_code, result.stdout) == (0, "whole\n")
    assert json.loads(run(whole, "--json").stdout) == {"whole": True, "findings": [], "leftovers": []}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_byte_in_any_file_is_found_by_name(own: Path, data: st.DataObject) -> None:
    files = sorted(path for path in own.rglob("*") if path.is_file() and path.stat().st_size)
    file = data.draw(st.sampled_from(files), label="file")
    place = data.draw(st.integers(0, file.stat().st_size - 1), label="place")
    bits = data.draw(st.integers(1, 255), label="bits")
    flip(file, place, bits)

    found = verify(own).findings
    flip(file, place, bits)

    assert [finding.where for finding in found] == [str(file.relative_to(own))]
    assert verify(own).whole


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_mended(own: Path, whole: Path, file: str) -> None:
    (published(own) / file).unlink()

    answer = mend(own)

    assert [finding["where"] for finding in answer["before"]["findings"]] == [f"generations/000001/{file}"]
    assert answer["rebuilt"]["embedded"] == (
        40 if file in ("index.faiss", "maps-deep.npy", "maps-fine.npy") else 0
    )
    assert content(own) == content(whole)


def rows_of(path: Path, name: str) -> tuple[int, int, int]:
    """Start, number and length of the rows of a file."""
    manifest, size = Manifest.load(published(path)), (published(path) / name).stat().st_size
    count = manifest.objects if name.startswith("objects") else manifest.images
    shapes = {f"maps-{stage}.npy": shape for stage, shape in manifest.map_shapes.items()}
    stride = 2 * int(np.prod(shapes[name])) if name in shapes else 4 * manifest.vector_dim
    return size - count * stride, count, stride


@pytest.mark.parametrize("name", ["index.faiss", "maps-deep.npy", "maps-fine.npy"])
def test_only_pictures_of_damaged_rows_are_embedded_again_and_to_the_same_bytes(
    own: Path, whole: Path, name: str
) -> None:
    start, _, stride = rows_of(own, name)
    for row in (3, 17, 39):
        flip(published(own) / name, start + row * stride + row)

    answer = mend(own)

    (finding,) = answer["before"]["findings"]
    assert finding["pictures"] == ["000003.jpg", "000017.jpg", "000039.jpg"]
    assert answer["rebuilt"]["embedded"] == 3
    assert answer["rebuilt"]["reused"] == 37
    assert content(own) == content(whole)


def test_a_damaged_header_costs_no_embedding(own: Path, whole: Path) -> None:
    for name in ("index.faiss", "objects.faiss", "maps-deep.npy"):
        flip(published(own) / name, 9, 255)

    answer = mend(own)

    assert len(answer["before"]["findings"]) == 3
    assert answer["rebuilt"]["embedded"] == 0
    assert content(own) == content(whole)


def test_what_is_cut_off_is_embedded_again(own: Path, whole: Path) -> None:
    start, count, stride = rows_of(own, "maps-fine.npy")
    with (published(own) / "maps-fine.npy").open("r+b") as file:
        file.truncate(start + (count - 2) * stride - 1)

    answer = mend(own)

    assert answer["rebuilt"]["embedded"] == 3
    assert content(own) == content(whole)


def test_a_damaged_database_is_made_anew_without_embedding_and_keeps_the_map(own: Path, whole: Path) -> None:
    flip(published(own) / "metadata.sqlite", 5_000)

    answer = mend(own)

    with Collection.open(own) as mended, Collection.open(whole) as expected:
        assert mended.all_images() == expected.all_images()
        assert np.array_equal(plane.load(mended), plane.load(expected))  # type: ignore[arg-type]
    assert answer["rebuilt"]["embedded"] == 0


def test_a_damaged_file_of_rows_costs_only_what_it_alone_could_have_told(own: Path, whole: Path) -> None:
    flip(published(own) / "rows.npz", 2_000)
    flip(published(own) / "index.faiss", rows_of(own, "index.faiss")[0])

    answer = mend(own)

    assert answer["rebuilt"]["embedded"] == 40
    assert content(own) == content(whole)


def test_without_both_manifests_nothing_is_touched(own: Path) -> None:
    for name in ("manifest.json", "manifest-copy.json"):
        (published(own) / name).write_text("{}")

    result = run(own, "--repair")

    assert result.exit_code == 1
    assert "build with --from-scratch" in result.stdout
    assert [folder.name for folder in generations(own)] == ["000001"]


@pytest.fixture
def second(own: Path, own_devkit: Path) -> Path:
    """A second generation of it, of another devkit."""
    build(BuildRequest(collection=own, voc_root=own_devkit, quiet=True, allow_removals=True))
    return own


def test_a_damaged_reduction_is_taken_from_the_generation_before(second: Path) -> None:
    before = content(second)
    flip(published(second) / "reduction.npz", 3_000)

    answer = mend(second)

    assert answer["rebuilt"]["embedded"] == 0
    assert content(second) == before


def test_a_damaged_reduction_without_another_is_told(own: Path) -> None:
    flip(published(own) / "reduction.npz", 3_000)

    result = run(own, "--repair")

    assert result.exit_code == 1
    assert "all vectors depend on it; build with --from-scratch" in result.stdout


def test_a_damaged_former_generation_is_deleted(second: Path) -> None:
    (generations(second)[0] / "index.faiss").unlink()

    answer = mend(second)

    assert answer["rebuilt"] is None
    assert [folder.name for folder in generations(second)] == ["000002"]


def test_a_damaged_file_beside_the_generation_is_deleted_and_the_command_named(own: Path) -> None:
    flip(own / "derived/000001/plane.npz", 150)

    (finding,) = mend(own)["before"]["findings"]

    assert finding["remedy"].endswith(f"python -m indexer map --collection {own}")
    assert list((own / "derived/000001").iterdir()) == []


def test_what_a_killed_build_left_is_told_and_is_no_damage(own: Path) -> None:
    (own / "building/generation").mkdir()

    result = run(own)

    assert result.exit_code == 0
    assert result.stdout.startswith("building/generation: left by a run that was stopped")


def test_nothing_is_mended_while_a_build_is_running(own: Path) -> None:
    with FileLock(own / "build.lock"):
        result = run(own, "--repair")

    assert result.exit_code == 75
    assert "another build is running" in result.stderr

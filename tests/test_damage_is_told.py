"""Each kind of damage is told in one line of its own, which names what was expected and what to do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torchvision import models

from indexer.__main__ import main as indexer_commands
from indexer.build_lock import only_builder
from indexer.generation_files import INDEX_FILE
from indexer.generations import newest_folder
from indexer.manifest import COPY, FILENAME
from search_service.__main__ import main as service_commands

REPAIR, ANEW = "python -m indexer verify --collection {} --repair", "build with --from-scratch"


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / INDEX_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / INDEX_FILE).write_bytes(content)


def lose_a_file(folder: Path) -> None:
    (folder / "maps-deep.npy").unlink()


def edit_the_manifest(folder: Path) -> None:
    manifest = folder / FILENAME
    manifest.write_text(manifest.read_text().replace('"split": "all"', '"split": "val"'))


def be_of_an_older_format(folder: Path) -> None:
    for name in (FILENAME, COPY):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | {"format_version": content["format_version"] - 1}))


@pytest.mark.parametrize(
    ("damage", "told", "what_to_do"),
    [
        (flip_a_byte, "index.faiss is damaged: expected", REPAIR),
        (lose_a_file, "maps-deep.npy is damaged: expected", REPAIR),
        (edit_the_manifest, "manifest.json was changed after it was written", REPAIR),
        (be_of_an_older_format, "expected format version 5", ANEW),
    ],
)
def test_what_is_damaged_is_told_with_what_to_do(
    own_trained_path: Path, damage: Callable[[Path], None], told: str, what_to_do: str
) -> None:
    damage(newest_folder(own_trained_path))

    ended = CliRunner().invoke(indexer_commands, ["inspect", "--collection", str(own_trained_path)])

    assert ended.exit_code == 1
    [line] = ended.stderr.splitlines()
    assert told in line
    assert what_to_do.format(own_trained_path) in line


@pytest.mark.parametrize("damage", [flip_a_byte, lose_a_file, edit_the_manifest])
def test_what_is_told_to_do_mends_it(own_trained_path: Path, damage: Callable[[Path], None]) -> None:
    damage(newest_folder(own_trained_path))

    mended = CliRunner().invoke(indexer_commands, ["verify", "--collection", str(own_trained_path), "--repair"])
    inspected = CliRunner().invoke(indexer_commands, ["inspect", "--collection", str(own_trained_path)])

    assert (mended.exit_code, inspected.exit_code) == (0, 0)


def test_other_weights_than_those_of_the_build_are_told(
    collection_path: Path, devkit: Path, tmp_path: Path
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        torch.save(models.resnet50().state_dict(), tmp_path / "other.pth")
    picture = devkit / "JPEGImages/000008.jpg"
    query = ["query", str(picture), "--collection", str(collection_path), "--weights", str(tmp_path / "other.pth")]

    ended = CliRunner().invoke(service_commands, query)

    assert ended.exit_code == 1
    assert "expected the weights" in ended.stderr
    assert "give the former with --weights" in ended.stderr


def test_a_collection_that_is_being_built_for_the_first_time_is_told(tmp_path: Path) -> None:
    with only_builder(tmp_path / "new"):
        ended = CliRunner().invoke(indexer_commands, ["inspect", "--collection", str(tmp_path / "new")])

    assert ended.exit_code == 1
    assert "found one whose first build is running; wait for its end" in ended.stderr

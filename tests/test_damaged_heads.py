"""A damaged head: the one before takes its place, or the command that trains another is told."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indexer.__main__ import main
from indexer.newest import numbered
from tests.publishing import publish_head_again


def repair(path: Path) -> Result:
    return CliRunner().invoke(main, ["verify", "--collection", str(path), "--repair"])


def damage(head: Path) -> None:
    weights = head / "head.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


@pytest.mark.parametrize("task", ["main", "detect"])
def test_a_damaged_head_gives_way_to_the_one_before(own_trained_path: Path, task: str) -> None:
    publish_head_again(own_trained_path, task)
    former, used = numbered(own_trained_path / "heads" / task)
    damage(used)

    result = repair(own_trained_path)

    assert result.exit_code == 0, result.output
    assert f"goes back to head {former.name}" in result.stdout
    assert numbered(own_trained_path / "heads" / task) == [former]


@pytest.mark.parametrize("task", ["main", "detect"])
def test_a_damaged_head_without_another_is_told_with_the_command_that_trains_it(
    own_trained_path: Path, task: str
) -> None:
    (used,) = numbered(own_trained_path / "heads" / task)
    damage(used)

    result = repair(own_trained_path)

    assert result.exit_code == 1
    assert f"python -m localizer train --collection {own_trained_path} --task {task}" in result.stdout
    assert used.is_dir()


def test_a_damaged_former_head_is_deleted(own_trained_path: Path) -> None:
    publish_head_again(own_trained_path, "main")
    former, used = numbered(own_trained_path / "heads/main")
    damage(former)

    result = repair(own_trained_path)

    assert result.exit_code == 0, result.output
    assert numbered(own_trained_path / "heads/main") == [used]

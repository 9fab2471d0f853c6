"""A full disk: one clear line, what is published untouched, and nothing half written after the next build."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indexer.__main__ import main
from indexer.collection import Collection
from indexer.generations import generations
from indexer.verify import verify
from localizer.__main__ import main as localizer_commands
from tests.wholeness import assert_tidy, assert_whole


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of 4 MB, or of as many as are asked for."""
    path = tmp_path / "disk"
    path.mkdir()
    size = f"size={getattr(request, 'param', 4)}m"
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", size, "tmpfs", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield path
    subprocess.run(["/bin/umount", "-l", path], check=True)  # mapped files may wait to be collected


def fill(disk: Path, free: int) -> Path:
    """A file that leaves so many KiB of a disk."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(shutil.disk_usage(disk).free - 1024 * free, 0)))
    return ballast


def assert_told(refused: Result) -> None:
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: ")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("free", [0, 16, 64, 200, 500])
def test_a_rebuild_on_a_full_disk_keeps_what_is_published(
    disk: Path, own_devkit: Path, resnet50_weights: Path, free: int
) -> None:
    def run() -> Result:
        arguments = ["build", "--voc-root", own_devkit, "--collection", disk / "c", "--from-scratch"]
        arguments += ["--side", 64, "--weights", resnet50_weights, "--no-reduction", "--no-maps"]
        return CliRunner().invoke(main, [str(one) for one in (*arguments, "--quiet")])

    assert run().exit_code == 0
    ballast = fill(disk, free)

    refused = run()
    with Collection.open(disk / "c") as collection:
        held = len(collection)
    ballast.unlink()
    again = run()

    if refused.exit_code:
        assert_told(refused)
    assert free or refused.exit_code
    assert (held, again.exit_code) == (12, 0)
    assert list((disk / "c/building").iterdir()) == []
    assert len(generations(disk / "c")) == 2
    assert verify(disk / "c").leftovers == ()
    assert verify(disk / "c").whole


def test_a_first_build_on_a_full_disk_goes_on_once_there_is_room(
    disk: Path, own_devkit: Path, resnet50_weights: Path
) -> None:
    arguments = ["build", "--voc-root", own_devkit, "--collection", disk / "c", "--quiet", "--no-maps"]
    command = [str(one) for one in (*arguments, "--side", 64, "--weights", resnet50_weights)]
    ballast = fill(disk, 16)

    refused = CliRunner().invoke(main, command)
    ballast.unlink()
    again = CliRunner().invoke(main, command)

    assert_told(refused)
    assert again.exit_code == 0
    assert_whole(disk / "c")
    assert_tidy(disk / "c")


@pytest.mark.parametrize("disk", [64], indirect=True)
@pytest.mark.parametrize(
    "act", [("train", "--epochs", "1", "--quiet"), ("train", "--task", "detect", "--epochs", "1", "--quiet")]
)
def test_a_head_that_finds_no_room_leaves_the_former_in_use(
    disk: Path, trained_path: Path, act: tuple[str, ...]
) -> None:
    path = Path(shutil.copytree(trained_path, disk / "c"))
    before = assert_whole(path)
    ballast = fill(disk, 16)

    refused = CliRunner().invoke(localizer_commands, [*act, "--collection", str(path)])
    left = assert_whole(path)
    ballast.unlink()
    again = CliRunner().invoke(localizer_commands, [*act, "--collection", str(path)])

    assert_told(refused)
    assert left == before
    assert again.exit_code == 0
    assert_whole(path)
    assert_tidy(path)


@pytest.mark.parametrize("disk", [64], indirect=True)
def test_aligning_on_a_full_disk_leaves_nothing_half_written(disk: Path, trained_path: Path) -> None:
    path = Path(shutil.copytree(trained_path, disk / "c"))
    for made in path.glob("derived/*/semantic.npz"):
        made.unlink()
    ballast = fill(disk, 0)

    refused = CliRunner().invoke(localizer_commands, ["align", "--collection", str(path)])
    ballast.unlink()
    again = CliRunner().invoke(localizer_commands, ["align", "--collection", str(path)])

    assert_told(refused)
    assert again.exit_code == 0
    assert "semantic index" in assert_whole(path)
    assert_tidy(path)

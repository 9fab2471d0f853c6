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


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield path
    subprocess.run(["/bin/umount", "-l", path], check=True)  # mapped files may wait to be collected


@pytest.mark.parametrize("free", [0, 16, 64, 200, 500])
def test_a_rebuild_on_a_full_disk_keeps_what_is_published(
    disk: Path, own_devkit: Path, resnet50_weights: Path, free: int
) -> None:
    def run() -> Result:
        arguments = ["build", "--voc-root", own_devkit, "--collection", disk / "c", "--from-scratch"]
        arguments += ["--side", 64, "--weights", resnet50_weights, "--no-reduction", "--no-maps"]
        return CliRunner().invoke(main, [str(one) for one in (*arguments, "--quiet")])

    assert run().exit_code == 0
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(shutil.disk_usage(disk).free - 1024 * free, 0)))

    refused = run()
    with Collection.open(disk / "c") as collection:
        held = len(collection)
    ballast.unlink()
    again = run()

    if refused.exit_code:
        assert refused.exit_code == 1
        assert refused.stderr.startswith("error: ")
        assert len(refused.stderr.splitlines()) == 1
    assert free or refused.exit_code
    assert (held, again.exit_code) == (12, 0)
    assert list((disk / "c/building").iterdir()) == []
    assert len(generations(disk / "c")) == 2
    assert verify(disk / "c").leftovers == ()
    assert verify(disk / "c").whole

"""A build killed at any moment: what was published still opens, and the next build ends where it would have."""

import os
import subprocess
import sys
from pathlib import Path

KILLS = int(os.environ.get("LOOKALIKE_KILLS", "20"))
SEED = 20


def test_kills_lose_nothing(devkit: Path, resnet50_weights: Path, tmp_path: Path) -> None:
    arguments = [devkit, resnet50_weights, tmp_path, KILLS, SEED]

    killer = subprocess.run(
        [sys.executable, "-m", "tests.kill_builds", *map(str, arguments)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )

    assert killer.returncode == 0, killer.stderr
    assert int(killer.stdout) >= KILLS // 4, "many kills should meet a build that is still running"

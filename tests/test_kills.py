"""Whatever writes to a collection may be killed at any moment: nothing is lost, and the next run ends alike.

A short selection; `python -m tests.kill_everything` kills as often as is asked, by any seed.
"""

from pathlib import Path

from tests.kill_everything import Target, kill_all, table
from tests.kill_phases import prepare

KILLS, SEED = 12, 20


def test_kills_lose_nothing(tmp_path: Path) -> None:
    targets = [Target(phase, tmp_path / "work") for phase in prepare(tmp_path)]

    whole = kill_all(targets, KILLS, SEED)

    assert whole, f"seed {SEED}\n{table(targets)}"

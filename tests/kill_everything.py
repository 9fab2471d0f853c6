"""Kills whatever writes to a collection, at random moments: `python -m tests.kill_everything [KILLS] [--seed N]`.

Half of the kills come after some time, half just before a change to the file system, and of these the last are met
most, by which something is published or pruned. Prints a table; exits with 1 where anything was lost.
"""

import argparse
import logging
import random
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.kill_phases import Phase, prepare
from tests.killing import BATCH, Death, Run, reading, run
from tests.wholeness import GENERATION, Contents, assert_tidy, assert_whole, read_generation


@dataclass(slots=True)
class Tally:
    """What a phase's kills came to.

    Attributes:
        runs: that were to be killed.
        met: kills that came before the end.
        before: kills after which all was as before; the others came after something was published.
        again: pictures embedded again after a kill, at most.
        failures: what was not as it should be.
    """

    runs: int = 0
    met: int = 0
    before: int = 0
    again: int = 0
    failures: list[str] = field(default_factory=list)


class Target:
    """A phase, and what it comes to when nobody disturbs it."""

    def __init__(self, phase: Phase, folder: Path) -> None:
        self.phase = phase
        self.tally = Tally()
        self._folder = folder
        path = self._copy()
        self._before = assert_whole(path) if phase.start else {}
        self._whole = run(phase.act, path)
        self._seconds = self._whole.seconds
        self._after = assert_whole(path)
        assert_tidy(path)
        shutil.rmtree(path)

    def kill(self, lot: random.Random) -> bool:
        """Kill it once, and look; whether that came before its end. What is wrong is told in the tally."""
        death = self._draw(lot)
        self.tally.runs += 1
        try:
            return self._kill(death)
        except Exception:  # noqa: BLE001 - whatever went wrong is a finding
            self.tally.failures.append(f"{self.phase.name}, {death}:\n{traceback.format_exc()}")
            return True

    def _kill(self, death: Death) -> bool:
        path = self._copy()
        with ExitStack() as stack:
            seen = stack.enter_context(reading(read_generation, path)) if self.phase.read else set()
            killed = run(self.phase.act, path, death)
            left = assert_whole(path)
            self._check_left(left)
            finished = run(self.phase.act, path)
        assert seen <= {self._before.get(GENERATION), self._after[GENERATION]}, "a reader saw something else"
        self._note(killed, finished, left)
        assert assert_whole(path) == self._after, "the next run ended otherwise than an undisturbed one"
        assert_tidy(path)
        shutil.rmtree(path)
        return killed.killed

    def _copy(self) -> Path:
        path = self._folder / "collection"
        shutil.rmtree(path, ignore_errors=True)
        if self.phase.start:
            shutil.copytree(self.phase.start, path)
        return path

    def _draw(self, lot: random.Random) -> Death:
        if lot.random() < 0.5:
            return Death(seconds=lot.uniform(0, self._seconds))
        events = self._whole.events
        return Death(event=lot.randint(1 if lot.random() < 0.5 else events * 2 // 3, events))

    def _check_left(self, left: Contents) -> None:
        """Each part is as before or as after; none is torn, none gone."""
        for part in self._before.keys() | self._after.keys() | left.keys():
            whole = {contents.get(part) for contents in (self._before, self._after)}
            assert left.get(part) in whole, f"{part} is neither as before nor as after"

    def _note(self, killed: Run, finished: Run, left: Contents) -> None:
        self.tally.met += killed.killed
        if left == self._before:
            self._seconds = min(self._seconds, finished.seconds)
            self.tally.before += 1
            again = killed.embedded + finished.embedded - self._whole.embedded
            self.tally.again = max(self.tally.again, again)
            assert again <= BATCH or not self.phase.resumes, (
                f"{again} pictures were embedded again, more than a batch of {BATCH}"
            )


def kill_all(targets: Sequence[Target], kills: int, seed: int) -> bool:
    """Kill so many running acts, those of each phase in turn; whether nothing was lost."""
    lot = random.Random(seed)  # noqa: S311 - moments, no secret
    for number in range(kills):
        while not targets[number % len(targets)].kill(lot):
            pass  # it was done before
    return not any(target.tally.failures for target in targets)


def table(targets: Sequence[Target]) -> str:
    """A line for each phase, then whatever failed."""
    lines = [f"{'phase':<36}{'runs':>6}{'kills':>6}{'before':>8}{'torn':>6}{'again':>7}"]
    for one in targets:
        tally = one.tally
        lines.append(
            f"{one.phase.name:<36}{tally.runs:>6}{tally.met:>6}{tally.before:>8}{len(tally.failures):>6}"
            f"{tally.again:>7}"
        )
    return "\n".join([*lines, *(failure for one in targets for failure in one.tally.failures)])


def main() -> None:
    """Kill as often as is asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill_everything")
    parser.add_argument("kills", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        targets = [Target(phase, Path(folder) / "work") for phase in prepare(Path(folder))]
        whole = kill_all(targets, asked.kills, asked.seed)
    print(f"seed {asked.seed}, batches of {BATCH} pictures\n{table(targets)}")  # noqa: T201
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()

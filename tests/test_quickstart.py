"""The way from nothing to a service: which step runs, of how many, and about how long."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "quickstart"
# Leaves behind what each command would, and nothing else.
PYTHON = """#!/usr/bin/env bash
case "$*" in
  *" sample "*) mkdir -p data/sample/VOCdevkit/ImageSets ;;
  *" build "*) mkdir -p data/sample/collection/generations ;;
  *"train "*) mkdir -p "data/sample/collection/heads/${@: -1}" ;;
  *" map "*) touch data/sample/collection/plane.npz ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A checkout in which every command is done at once."""
    for name, text in {"scripts/setup": "#!/bin/sh\n", ".venv/bin/python": PYTHON}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    shutil.copy(SCRIPT, tmp_path / "scripts")
    return tmp_path


def run(home: Path) -> list[str]:
    """What it says."""
    command = [str(home / "scripts" / "quickstart"), "--no-serve"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return finished.stderr.splitlines()


def test_each_step_tells_its_number_what_it_does_and_about_how_long(home: Path) -> None:
    told = run(home)

    assert [
        re.match(r"Step (\d) of 6: .+ \(about \d+ (seconds|minutes?).*\)$", line) is not None for line in told
    ] == ([True] * 6)
    assert [line[5] for line in told] == list("123456")


def test_a_second_run_tells_what_is_done_already_and_goes_on_where_it_stopped(home: Path) -> None:
    run(home)
    (home / ".venv/installed-from").touch()
    shutil.rmtree(home / "data/sample/collection/heads/detect")

    told = run(home)

    assert [line.endswith("done before") for line in told] == [True, True, True, True, False, True]

"""Too little memory: one clear line, or an end by the system; what is published stays, and the next run is whole.

Limits count from where all libraries are loaded; while torch and faiss are being loaded under a limit, they are
mostly aborted by a signal (or end in exit code 127, of the loader), before a collection is opened. OpenBLAS, which
takes working memory when it is first asked, ends the process itself where there is none, with a line of its own.
From there on training was seen to be aborted with some 16 MB to spare, which is like a kill, and a build to hang
while OpenVINO compiles with some 96, which takes a kill to end.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wholeness import assert_tidy, assert_whole

ROOT = Path(__file__).parents[1]
TOLD = "error: memory ran out; what is stored is kept; give it more"
TOLD_BY_OPENBLAS = "OpenBLAS error: Memory allocation still failed"


def run(spare: int, package: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command with so many MB to spare."""
    command = [sys.executable, "-m", "tests.short_of_memory", str(spare), package, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def assert_told(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == 1, ended.stderr
    [line] = ended.stderr.splitlines()
    assert line == TOLD or line.startswith(TOLD_BY_OPENBLAS)


def test_inspecting_with_too_little_memory_is_told(own_trained_path: Path) -> None:
    ended = run(0, "indexer", "inspect", "--collection", own_trained_path)

    assert_told(ended)
    assert_whole(own_trained_path)


@pytest.mark.parametrize("spare", [16])
def test_a_build_with_too_little_memory_keeps_what_is_published(own_trained_path: Path, spare: int) -> None:
    before = assert_whole(own_trained_path)
    build = ("build", "--collection", own_trained_path, "--from-scratch", "--quiet", "--runtime", "openvino")

    ended = run(spare, "indexer", *build)

    assert_told(ended)
    assert assert_whole(own_trained_path) == before
    assert run(4096, "indexer", *build).returncode == 0
    assert_whole(own_trained_path)
    assert_tidy(own_trained_path)


@pytest.mark.parametrize("spare", [4, 16])
def test_a_training_with_too_little_memory_keeps_the_heads(own_trained_path: Path, spare: int) -> None:
    before = assert_whole(own_trained_path)
    train = ("train", "--collection", own_trained_path, "--epochs", 1, "--quiet")

    ended = run(spare, "localizer", *train)

    if ended.returncode >= 0:
        assert_told(ended)
    assert assert_whole(own_trained_path) == before
    assert run(4096, "localizer", *train).returncode == 0
    assert_whole(own_trained_path)
    assert_tidy(own_trained_path)

"""Threads that wait leave their core to others, as far as the user has it no other way."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

from indexer import backbones
from indexer.openvino_runtime import OpenVinoRuntime
from tests.test_runtimes import OPENVINO_FP32, SMALL

HOME = Path(__file__).parents[1]


def waiting_of_openmp(program: str, **environment: str) -> set[str]:
    """How threads of OpenMP wait in a process, as each copy of the library tells when it is loaded."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=True,
        env={**kept, "OMP_DISPLAY_ENV": "TRUE", **environment},
    )  # fmt: skip
    told = [line.split("'")[1] for line in run.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    assert told
    return set(told)


@pytest.mark.parametrize("package", ["indexer", "localizer", "search_service"])
@pytest.mark.parametrize("library", ["torch", "faiss", "sklearn.cluster"])
def test_threads_of_openmp_sleep_while_they_wait(package: str, library: str) -> None:
    assert waiting_of_openmp(f"import {package}.__main__, {library}") == {"PASSIVE"}


def test_the_users_own_setting_wins() -> None:
    assert waiting_of_openmp("import indexer, torch", OMP_WAIT_POLICY="ACTIVE") == {"ACTIVE"}


@pytest.mark.parametrize("bulk", [False, True])
def test_threads_of_openvino_are_bound_to_no_core(
    resnet50_weights: Path, monkeypatch: pytest.MonkeyPatch, *, bulk: bool
) -> None:
    compiled: list[Any] = []
    core = openvino.Core
    compile_model = core.compile_model

    def compile_and_keep(*asked: object) -> object:
        compiled.append(compile_model(*asked))
        return compiled[-1]

    monkeypatch.setattr(core, "compile_model", compile_and_keep)
    small = backbones.load("resnet50", str(resnet50_weights), side=64)

    runtime = OpenVinoRuntime(small, OPENVINO_FP32, bulk=bulk)

    assert np.isfinite(runtime.activation_maps(SMALL[:1])["deep"]).all()
    assert [one.get_property("ENABLE_CPU_PINNING") for one in compiled] == [False]

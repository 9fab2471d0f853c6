"""Converted backbones in the user's cache: kept whole, made anew where damaged, and nothing half written stays."""

import logging
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexer import backbones
from indexer.openvino_runtime import OpenVinoRuntime
from tests.test_runtimes import OPENVINO_FP32, SMALL

_KILLED_WHILE_KEEPING = """
import os, signal, sys
from indexer import backbones, openvino_runtime
from indexer.inference import Inference
save = openvino_runtime.ov.save_model
def save_and_die(*arguments, **more):
    save(*arguments, **more)
    os.kill(os.getpid(), signal.SIGKILL)
openvino_runtime.ov.save_model = save_and_die
inference = Inference(device="cpu", runtime="openvino", precision="fp32")
openvino_runtime.OpenVinoRuntime(backbones.load("resnet50", sys.argv[1], side=64), inference, bulk=False)
"""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small_resnet50(resnet50_weights: Path) -> backbones.Backbone:
    return backbones.load("resnet50", str(resnet50_weights), side=64)


def test_a_backbone_is_converted_once_and_kept(
    small_resnet50: backbones.Backbone, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = OpenVinoRuntime(small_resnet50, OPENVINO_FP32, bulk=False).activation_maps(SMALL[:1])
    monkeypatch.setattr(backbones.Backbone, "network", lambda _: pytest.fail("it was put together again"))

    after = OpenVinoRuntime(small_resnet50, OPENVINO_FP32, bulk=False).activation_maps(SMALL[:1])

    assert np.array_equal(before["deep"], after["deep"])
    assert len(list(empty_cache.glob("lookalike/openvino/*"))) == 1


def test_a_damaged_converted_backbone_is_converted_again(
    small_resnet50: backbones.Backbone, empty_cache: Path
) -> None:
    before = OpenVinoRuntime(small_resnet50, OPENVINO_FP32, bulk=False).activation_maps(SMALL[:1])
    [path] = empty_cache.rglob("model.bin")
    content = bytearray(path.read_bytes())
    content[1_000_000] ^= 0xFF
    path.write_bytes(content)

    after = OpenVinoRuntime(small_resnet50, OPENVINO_FP32, bulk=False).activation_maps(SMALL[:1])

    assert np.array_equal(before["deep"], after["deep"])
    assert path.read_bytes() != content


def test_what_a_kill_left_of_a_converted_backbone_goes_with_the_next_conversion(
    small_resnet50: backbones.Backbone, resnet50_weights: Path, empty_cache: Path
) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED_WHILE_KEEPING, resnet50_weights], check=False)
    left = [path.name for path in empty_cache.glob("lookalike/openvino/*")]

    OpenVinoRuntime(small_resnet50, OPENVINO_FP32, bulk=False)

    assert killed.returncode == -signal.SIGKILL
    assert [name[:5] for name in left] == ["part-"]
    [kept] = empty_cache.glob("lookalike/openvino/*")
    assert {path.name for path in kept.iterdir()} == {"model.xml", "model.bin", "checksums.json"}


def test_where_no_cache_can_be_written_the_backbone_runs_all_the_same(
    small_resnet50: backbones.Backbone, empty_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty_cache.write_text("a file where a folder should be")

    with caplog.at_level(logging.WARNING):
        maps = OpenVinoRuntime(small_resnet50, OPENVINO_FP32, bulk=False).activation_maps(SMALL[:1])

    assert np.isfinite(maps["deep"]).all()
    assert "cannot be kept" in caplog.text

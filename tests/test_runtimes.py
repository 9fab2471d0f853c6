"""Runtimes: they agree, they keep what they converted, and what a machine cannot do is refused in words."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer import backbones, images, openvino_runtime, runtimes
from indexer.embedder import Embedder
from indexer.errors import InferenceError, WeightsError
from indexer.inference import Inference
from indexer.openvino_runtime import OpenVinoRuntime
from indexer.reduction import Floats, unit_rows
from indexer.runtimes import settle

REFERENCE = Inference(device="cpu", runtime="torch", precision="fp32")
OPENVINO_FP32 = Inference(device="cpu", runtime="openvino", precision="fp32")
OPENVINO_BF16 = Inference(device="cpu", runtime="openvino", precision="bf16")
SMALL = np.random.default_rng(0).integers(0, 256, (19, 64, 64, 3), dtype=np.uint8)

needs_bf16 = pytest.mark.skipif(not openvino_runtime.has_bf16(), reason="the processor has no bf16")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small_resnet50(resnet50_weights: Path) -> backbones.Backbone:
    return backbones.load("resnet50", str(resnet50_weights), side=64)


def pooled_maps(paths: Sequence[Path], inference: Inference) -> Floats:
    embedder = Embedder(backbones.load("efficientnet_lite2"), inference, bulk=True)
    pixels = [embedder.pixels(images.load(path, embedder.side)) for path in paths]
    batches = [pixels[start : start + 32] for start in range(0, len(pixels), 32)]
    return np.concatenate([embedder.embed_raw(batch, keep_maps=False).pooled for batch in batches])


def centred(rows: Floats) -> Floats:
    """What is compared in a search: rows less their mean, of unit length."""
    return unit_rows(rows - rows.mean(axis=0))


def nearest_ten(vectors: Floats) -> NDArray[np.int64]:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -1)
    return np.argsort(-scores, axis=1)[:, :10]


def test_openvino_agrees_with_torch_in_fp32(devkit: Path) -> None:
    paths = sorted((devkit / "JPEGImages").iterdir())[:12]

    reference, found = (centred(pooled_maps(paths, inference)) for inference in (REFERENCE, OPENVINO_FP32))

    assert (reference * found).sum(axis=1).min() >= 0.9999


@pytest.mark.parametrize("inference", [REFERENCE, OPENVINO_FP32], ids=str)
def test_threads_that_share_a_runtime_get_the_answers_of_their_own_pictures(
    small_resnet50: backbones.Backbone, inference: Inference
) -> None:
    runtime = runtimes.open_runtime(small_resnet50, inference, bulk=False)
    alone = [runtime.activation_maps(SMALL[[number]])["deep"] for number in range(len(SMALL))]

    with ThreadPoolExecutor(4) as threads:
        together = list(
            threads.map(lambda number: runtime.activation_maps(SMALL[[number]])["deep"], range(len(SMALL)))
        )

    for found, expected in zip(together, alone, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@needs_bf16
def test_bf16_stays_close_to_fp32(devkit: Path) -> None:
    paths = sorted((devkit / "JPEGImages").iterdir())

    exact, rounded = (pooled_maps(paths, inference) for inference in (OPENVINO_FP32, OPENVINO_BF16))

    cosines = (exact * rounded).sum(
        axis=1
    )  # of drawings, such as the network never saw: further apart than photos'
    assert cosines.mean() >= 0.99
    assert cosines.min() >= 0.97


@needs_bf16
@pytest.mark.skipif("VOC_ROOT" not in os.environ, reason="VOC_ROOT names no devkit")
def test_bf16_finds_what_fp32_finds_among_real_pictures() -> None:
    paths = sorted((Path(os.environ["VOC_ROOT"]) / "JPEGImages").iterdir())[:400]

    exact, rounded = (centred(pooled_maps(paths, inference)) for inference in (OPENVINO_FP32, OPENVINO_BF16))

    cosines = (exact * rounded).sum(axis=1)
    found = zip(nearest_ten(exact), nearest_ten(rounded), strict=True)
    assert cosines.mean() >= 0.998
    assert cosines.min() >= 0.97
    assert np.mean([len(set(one) & set(other)) / 10 for one, other in found]) >= 0.95


@pytest.mark.parametrize("bulk", [False, True])
def test_a_picture_is_seen_alike_in_any_batch(small_resnet50: backbones.Backbone, *, bulk: bool) -> None:
    runtime = OpenVinoRuntime(small_resnet50, OPENVINO_FP32, bulk=bulk)

    together = runtime.activation_maps(SMALL)
    alone = runtime.activation_maps(SMALL[17:18])

    assert {stage: one.shape for stage, one in together.items()} == {
        "deep": (19, 2048, 2, 2),
        "fine": (19, 1024, 4, 4),
    }
    assert all(np.allclose(together[stage][17], alone[stage][0], rtol=1e-3, atol=1e-3) for stage in together)


@pytest.mark.usefixtures("empty_cache")
def test_weights_that_do_not_fit_are_refused_by_openvino_too(resnet50_weights: Path) -> None:
    wrong = backbones.load("efficientnet_lite2", str(resnet50_weights))

    with pytest.raises(WeightsError, match="have other shapes than the network"):
        OpenVinoRuntime(wrong, OPENVINO_FP32, bulk=False)


def test_auto_is_settled_by_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.torch_runtime.devices", lambda: ("cpu",))
    monkeypatch.setattr("indexer.openvino_runtime.has_bf16", lambda: True)
    assert str(settle(Inference())) == "openvino bf16"
    assert str(settle(Inference(runtime="torch"))) == "torch fp32"

    monkeypatch.setattr("indexer.openvino_runtime.has_bf16", lambda: False)
    assert str(settle(Inference())) == "openvino fp32"

    monkeypatch.setattr("indexer.torch_runtime.devices", lambda: ("cuda", "cpu"))
    assert str(settle(Inference())) == "torch fp32 on cuda"
    assert str(settle(Inference(device="cpu"))) == "openvino fp32"
    assert str(settle(Inference(runtime="openvino"))) == "openvino fp32"

    monkeypatch.setattr("indexer.torch_runtime.devices", lambda: ("cpu",))
    monkeypatch.setattr(runtimes, "find_spec", lambda _: None)
    assert str(settle(Inference())) == "torch fp32"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Inference(device="cuda"), "expected device cpu on this machine, found cuda; leave --device out"),
        (Inference(device="mps", runtime="openvino"), "expected device cpu for runtime openvino, found mps"),
        (Inference(runtime="openvino", precision="bf16"), "expected a processor that multiplies in bf16"),
    ],
)
def test_what_the_machine_cannot_do_is_refused(
    asked: Inference, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.torch_runtime.devices", lambda: ("cpu",))
    monkeypatch.setattr("indexer.openvino_runtime.has_bf16", lambda: False)

    with pytest.raises(InferenceError, match=expected):
        settle(asked)


def test_openvino_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda _: None)

    with pytest.raises(InferenceError, match="expected openvino to be installed"):
        settle(Inference(runtime="openvino"))

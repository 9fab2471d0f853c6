"""The networks themselves, cut before their pooling; the only caller of torchvision's models and of timm.

Each is cut in two: the fine stage ends at stride 16, the deep one, which goes on from there, at stride 32.

Both libraries take seconds to import, so `backbones.py` imports this module only when there is a picture to embed
or a published weight to find.
"""

import warnings
from collections import OrderedDict

import timm
import torch
from torch import nn
from torchvision import models

from indexer.reduction import STAGES


class CutNetwork(nn.Module):
    """A network without its pooling and classifier, which gives what both of its stages see."""

    def __init__(self, fine: nn.Module, deep: nn.Module) -> None:
        super().__init__()
        self.fine = fine
        self.deep = deep

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """(N, 3, H, W) -> stage -> (N, C, h, w)."""
        fine = self.fine(pixels)
        return {"deep": self.deep(fine), "fine": fine}


def traced(network: nn.Module, side: int) -> nn.Module:
    """A cut network as a record of its operations, for another runtime; its outputs in the order of `STAGES`."""
    with warnings.catch_warnings():
        # Deprecated in favour of torch.export, whose graph OpenVINO reads in 8 s in place of 2, with warnings.
        warnings.filterwarnings("ignore", ".*torch.jit.trace.*")
        recorded: nn.Module = torch.jit.trace(  # type: ignore[no-untyped-call]
            _Staged(network), torch.zeros(1, 3, side, side)
        )
        return recorded


class _Staged(nn.Module):
    """Gives a tuple where the network gives a dictionary."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.network(pixels)
        return tuple(maps[stage] for stage in STAGES)


def resnet50() -> nn.Module:
    """ResNet50 with its classifier: (N, 3, H, W) -> 1,000 logits."""
    network: nn.Module = models.resnet50()
    return network


def resnet50_weights(name: str) -> str:
    """Address of published weights; the name of the file holds the beginning of its SHA-256."""
    address: str = models.ResNet50_Weights[name].url
    return address


def cut_resnet50(network: nn.Module) -> CutNetwork:
    """All but the average pooling and the classifier.

    (N, 3, 224, 224) -> deep (N, 2048, 7, 7), and fine (N, 1024, 14, 14), which `layer3` gives.
    """
    children = list(network.named_children())[:-2]
    return CutNetwork(nn.Sequential(OrderedDict(children[:-1])), nn.Sequential(OrderedDict(children[-1:])))


def efficientnet_lite2() -> nn.Module:
    """EfficientNet-Lite2 with its classifier: (N, 3, H, W) -> 1,000 logits."""
    return timm.create_model("tf_efficientnet_lite2", pretrained=False)


def cut_efficientnet_lite2(network: nn.Module) -> CutNetwork:
    """What timm's `forward_features` runs.

    (N, 3, 320, 320) -> deep (N, 1280, 10, 10), and fine (N, 120, 20, 20), which the fifth group of blocks gives.
    """
    parts = ["conv_stem", "bn1", *(f"blocks.{group}" for group in range(7)), "conv_head", "bn2"]
    modules = [network.get_submodule(part) for part in parts]
    return CutNetwork(nn.Sequential(*modules[:7]), nn.Sequential(*modules[7:]))

"""The networks themselves, cut before their pooling; the only caller of torchvision's models and of timm.

Both libraries take seconds to import, so `backbones.py` imports this module only when there is a picture to embed
or a published weight to find.
"""

from collections import OrderedDict
from collections.abc import Callable

import timm
import torch
from torch import nn
from torchvision import models


def resnet50() -> nn.Module:
    """ResNet50 with its classifier: (N, 3, H, W) -> 1,000 logits."""
    network: nn.Module = models.resnet50()
    return network


def resnet50_weights(name: str) -> tuple[str, Callable[[], dict[str, torch.Tensor]]]:
    """Address of published weights, and a function that downloads them and checks their hash."""
    entry = models.ResNet50_Weights[name]
    return entry.url, lambda: entry.get_state_dict(progress=True, check_hash=True)


def cut_resnet50(network: nn.Module) -> nn.Module:
    """All but the average pooling and the classifier: (N, 3, 224, 224) -> (N, 2048, 7, 7)."""
    return nn.Sequential(OrderedDict(list(network.named_children())[:-2]))


def efficientnet_lite2() -> nn.Module:
    """EfficientNet-Lite2 with its classifier: (N, 3, H, W) -> 1,000 logits."""
    return timm.create_model("tf_efficientnet_lite2", pretrained=False)


def cut_efficientnet_lite2(network: nn.Module) -> nn.Module:
    """What timm's `forward_features` runs: (N, 3, 320, 320) -> (N, 1280, 10, 10)."""
    parts = ("conv_stem", "bn1", "blocks", "conv_head", "bn2")
    return nn.Sequential(OrderedDict((part, network.get_submodule(part)) for part in parts))

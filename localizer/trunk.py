"""What the heads that look at maps share: convolutions over the maps of both stages."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from localizer.examples import Inputs

_DROPPED = 0.1  # of the channels, while training


class DeepTrunk(nn.Module):
    """Two residual convolutions over the joined maps."""

    def __init__(self, inputs: Mapping[str, tuple[int, ...]], channels: int) -> None:
        super().__init__()
        joined = inputs["deep"][0] + 4 * inputs["fine"][0]
        self.stem = nn.Sequential(nn.BatchNorm2d(joined), convolution(joined, channels, 1), nn.Dropout2d(_DROPPED))
        self.blocks = nn.Sequential(Residual(channels), Residual(channels))

    def forward(self, inputs: Inputs) -> Tensor:
        """Maps -> (N, channels, h, w), a cell for each of the deep map."""
        cells: Tensor = self.blocks(self.stem(join_stages(inputs)))
        return cells


class Residual(nn.Module):
    """A convolution added to what it is given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(convolution(channels, channels, 3), nn.Dropout2d(_DROPPED))

    def forward(self, cells: Tensor) -> Tensor:
        """(N, channels, h, w) -> the same shape."""
        changed: Tensor = cells + self.change(cells)
        return changed


def convolution(given: int, channels: int, size: int) -> nn.Sequential:
    """Convolution, normalisation, non-linearity; the picture keeps its size."""
    layer = nn.Conv2d(given, channels, size, padding=size // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(channels), nn.SiLU())


def summarise(cells: Tensor) -> Tensor:
    """(N, c, h, w) -> (N, 2c): mean and maximum over space."""
    return torch.cat([cells.mean((2, 3)), cells.amax((2, 3))], dim=1)


def join_stages(maps: Inputs) -> Tensor:
    """Deep (N, C, h, w) and fine (N, c, 2h, 2w) -> (N, C + 4c, h, w): each cell with the four fine ones in it."""
    return torch.cat([maps["deep"], functional.pixel_unshuffle(fit_fine(maps), 2)], dim=1)


def fit_fine(maps: Inputs) -> Tensor:
    """The fine map with exactly twice the cells of the deep one.

    Where the backbone's input side is not a multiple of 32 it has fewer, and is stretched.
    """
    fine = maps["fine"]
    wanted = [2 * size for size in maps["deep"].shape[2:]]
    if list(fine.shape[2:]) == wanted:
        return fine
    return functional.interpolate(fine, size=wanted, mode="bilinear", align_corners=False)

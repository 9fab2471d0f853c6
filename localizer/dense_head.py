"""The dense network: every cell tells which classes it sees, and how far the edges of that object are."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from localizer import edges
from localizer.examples import Inputs
from localizer.head import HeadShape
from localizer.trunk import DeepTrunk, Residual, convolution, fit_fine, summarise

BINS = 17  # distances that an edge may have from a cell's centre
_BEND = 1.5  # of the distances: (step / 16) ^ 1.5, so that short ones are told more finely
_DEEP, _FINE, _DROPPED = 160, 96, 0.1
_RARE_CLASS, _RARE_PRESENCE = -4.0, -2.0  # first logits: most cells see nothing


class DenseOutput(NamedTuple):
    """What is said of the G cells of N pictures.

    Attributes:
        class_logits: (N, G, classes); the sigmoid stands for the IoU that the cell's box has with such an object.
        edge_logits: (N, G, 4, BINS), of the distances to the left, upper, right and lower edge.
        presence_logits: (N, classes), of each class whether it is in the picture at all.
        centres: (G, 2), of the cells, in the unit square.
    """

    class_logits: Tensor
    edge_logits: Tensor
    presence_logits: Tensor
    centres: Tensor

    def boxes(self) -> Tensor:
        """(N, G, 4) unit boxes, which may reach beyond the picture: the expectation of each distance."""
        reach = edges.expectation(self.edge_logits, distances())
        return torch.cat([self.centres - reach[..., :2], self.centres + reach[..., 2:]], dim=-1)


def distances() -> Tensor:
    """(BINS,) from 0 to 1, as shares of the picture."""
    return torch.linspace(0, 1, BINS) ** _BEND


class DenseHead(nn.Module):
    """Convolutions over the joined maps, then, with twice the cells a side, over them and the fine map."""

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.deep = DeepTrunk(shape.inputs, _DEEP)
        self.presence = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * _DEEP, shape.classes))
        self.from_deep = nn.Conv2d(_DEEP, _FINE, 1, bias=False)
        fine = shape.inputs["fine"][0]
        self.from_fine = nn.Sequential(nn.BatchNorm2d(fine), nn.Conv2d(fine, _FINE, 1, bias=False))
        self.fuse = nn.Sequential(nn.BatchNorm2d(_FINE), nn.SiLU(), nn.Dropout2d(_DROPPED), Residual(_FINE))
        self.classes = nn.Sequential(convolution(_FINE, _FINE, 3), nn.Conv2d(_FINE, shape.classes, 1))
        self.edges = nn.Sequential(convolution(_FINE, _FINE, 3), nn.Conv2d(_FINE, 4 * BINS, 1))
        _expect_little(self.classes[-1], _RARE_CLASS)
        _expect_little(self.presence[-1], _RARE_PRESENCE)

    def forward(self, inputs: Inputs) -> DenseOutput:
        """N pictures' maps of both stages -> what is said of each cell."""
        deep = self.deep(inputs)
        wide = functional.interpolate(self.from_deep(deep), scale_factor=2, mode="bilinear", align_corners=False)
        cells = self.fuse(wide + self.from_fine(fit_fine(inputs)))
        far = _by_cell(self.edges(cells))
        return DenseOutput(
            _by_cell(self.classes(cells)),
            far.view(*far.shape[:2], 4, BINS),
            self.presence(summarise(deep)).float(),
            cell_centres(*cells.shape[2:]),
        )


def cell_centres(height: int, width: int) -> Tensor:
    """(height * width, 2): x and y of each cell's centre in the unit square, row by row."""
    x, y = ((torch.arange(size) + 0.5) / size for size in (width, height))
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1)


def _by_cell(maps: Tensor) -> Tensor:
    """(N, c, h, w) -> (N, h * w, c) float32."""
    return maps.flatten(2).transpose(1, 2).float()


def _expect_little(layer: nn.Module, logit: float) -> None:
    """Begin with one logit everywhere, nearly."""
    for name, values in layer.named_parameters():
        if name == "bias":
            nn.init.constant_(values, logit)
        else:
            nn.init.normal_(values, std=0.01)

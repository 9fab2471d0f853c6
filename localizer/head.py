"""The two-output network: which class the main object is of, and where its four edges lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from localizer import edges
from localizer.boxes import sort_corners
from localizer.examples import VECTOR, Inputs
from localizer.trunk import DeepTrunk, summarise

BINS = 33  # positions that an edge may have, evenly over the picture; its expectation lies anywhere between
_MAP_HIDDEN, _VECTOR_HIDDEN, _PLACE_CHANNELS, _DROPPED = 192, 512, 32, 0.3


class Output(NamedTuple):
    """What a head says of N pictures.

    Attributes:
        class_logits: (N, classes), of which one class the main object is.
        presence_logits: (N, classes), of each class whether it is in the picture at all.
        edge_logits: (N, 4, BINS), a distribution for each of xmin, ymin, xmax, ymax.
        iou_logits: (N,), logit of the IoU that the box is expected to have.
    """

    class_logits: Tensor
    presence_logits: Tensor
    edge_logits: Tensor
    iou_logits: Tensor

    def boxes(self) -> Tensor:
        """(N, 4) unit boxes: the expectation of each edge."""
        return sort_corners(edges.expectation(self.edge_logits, positions()))


def positions() -> Tensor:
    """(BINS,) of an edge, as shares of the picture."""
    return torch.linspace(0, 1, BINS)


@dataclass(frozen=True, slots=True)
class HeadShape:
    """What the sizes of a head's layers follow from.

    Attributes:
        classes: number of classes.
        inputs: name of an input -> its shape without the pictures' dimension.
    """

    classes: int
    inputs: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, inputs: Inputs, classes: int) -> "HeadShape":
        """The shape that fits these inputs."""
        return cls(classes, {name: tuple(values.shape[1:]) for name, values in inputs.items()})


class Head(nn.Module):
    """A trunk over the inputs, and a branch for each output."""

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.trunk: MapTrunk | VectorTrunk = (
            VectorTrunk(shape.inputs[VECTOR][0]) if VECTOR in shape.inputs else MapTrunk(shape.inputs)
        )
        self.classes = _branch(self.trunk.summary, shape.classes)
        self.presence = _branch(self.trunk.summary, shape.classes)
        self.edges = _branch(self.trunk.places, 4 * BINS)
        self.iou = nn.Linear(self.trunk.places, 1)

    def forward(self, inputs: Inputs) -> Output:
        """N pictures' inputs -> what is said of them."""
        summary, places = self.trunk(inputs)
        return Output(
            self.classes(summary),
            self.presence(summary),
            self.edges(places).view(-1, 4, BINS),
            self.iou(places.detach()).squeeze(-1),
        )


class MapTrunk(nn.Module):
    """Convolutions over the maps of both stages.

    Attributes:
        summary: length of what classes are told from: mean and maximum over space.
        places: length of what edges are told from: a few channels of every cell.
    """

    def __init__(self, inputs: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        _, height, width = inputs["deep"]
        self.summary, self.places = 2 * _MAP_HIDDEN, _PLACE_CHANNELS * height * width
        self.cells = DeepTrunk(inputs, _MAP_HIDDEN)
        self.squeeze = nn.Sequential(nn.Conv2d(_MAP_HIDDEN, _PLACE_CHANNELS, 1), nn.SiLU(), nn.Flatten())

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Maps -> (N, summary), (N, places)."""
        cells = self.cells(inputs)
        return summarise(cells), self.squeeze(cells)


class VectorTrunk(nn.Module):
    """A multi-layer perceptron over the vector: the article's input.

    Attributes:
        summary: length of what classes are told from.
        places: length of what edges are told from, which is the same here.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.summary = self.places = _VECTOR_HIDDEN
        self.layers = nn.Sequential(
            nn.BatchNorm1d(length),
            *_dense(length, _VECTOR_HIDDEN),
            nn.Dropout(_DROPPED),
            *_dense(_VECTOR_HIDDEN, _VECTOR_HIDDEN),
        )

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Vectors -> (N, summary), (N, places)."""
        hidden = self.layers(inputs[VECTOR])
        return hidden, hidden


def _branch(given: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(_DROPPED), nn.Linear(given, outputs))


def _dense(given: int, hidden: int) -> list[nn.Module]:
    return [nn.Linear(given, hidden), nn.BatchNorm1d(hidden), nn.SiLU()]

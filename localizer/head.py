"""The two-output network: which class the main object is of, and where its four edges lie."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from localizer import edges
from localizer.boxes import sort_corners
from localizer.examples import VECTOR, Inputs
from localizer.trunk import DeepTrunk, summarise

BINS = 33  # positions that an edge may have, evenly over the picture; its expectation lies anywhere between
_MAP_HIDDEN, _VECTOR_HIDDEN, _PLACE_CHANNELS = 192, 512, 32
_DROPPED, _VECTOR_DROPPED = 0.3, 0.5
_FIRST_EDGE = math.log(4)  # logit of four fifths


class Output(NamedTuple):
    """What a head says of N pictures.

    Attributes:
        class_logits: (N, classes), of which one class the main object is.
        presence_logits: (N, classes), of each class whether it is in the picture at all.
        boxes: (N, 4) unit boxes of the main object.
        iou_logits: (N,), logit of the IoU that the box is expected to have.
        edge_logits: (N, 4, BINS), a distribution for each of xmin, ymin, xmax, ymax, whose expectation the box is;
            None from a head that is given vectors.
    """

    class_logits: Tensor
    presence_logits: Tensor
    boxes: Tensor
    iou_logits: Tensor
    edge_logits: Tensor | None


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

    @classmethod
    def of_card(cls, sizes: Mapping[str, Sequence[int]], classes: int) -> "HeadShape":
        """The shape whose inputs a stored head's card tells of."""
        return cls(classes, {name: tuple(size) for name, size in sizes.items()})


def make_head(shape: HeadShape) -> nn.Module:
    """A head of random weights for what it will be given."""
    return VectorHead(shape) if VECTOR in shape.inputs else MapHead(shape)


class MapHead(nn.Module):
    """Convolutions over the maps of both stages, and a branch for each output.

    Classes are told from mean and maximum over space, edges from a few channels of every cell.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        _, height, width = shape.inputs["deep"]
        places = _PLACE_CHANNELS * height * width
        self.cells = DeepTrunk(shape.inputs, _MAP_HIDDEN)
        self.squeeze = nn.Sequential(nn.Conv2d(_MAP_HIDDEN, _PLACE_CHANNELS, 1), nn.SiLU(), nn.Flatten())
        self.classes = _branch(2 * _MAP_HIDDEN, shape.classes)
        self.presence = _branch(2 * _MAP_HIDDEN, shape.classes)
        self.edges = _branch(places, 4 * BINS)
        self.iou = nn.Linear(places, 1)

    def forward(self, inputs: Inputs) -> Output:
        """N pictures' maps -> what is said of them."""
        cells = self.cells(inputs)
        summary, places = summarise(cells), self.squeeze(cells)
        edge_logits = self.edges(places).view(-1, 4, BINS)
        boxes = sort_corners(edges.expectation(edge_logits, positions()))
        iou_logits = self.iou(places.detach()).squeeze(-1)
        return Output(self.classes(summary), self.presence(summary), boxes, iou_logits, edge_logits)


class VectorHead(nn.Module):
    """A multi-layer perceptron over the vector with four numbers for the box: the article's head."""

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        length = shape.inputs[VECTOR][0]
        self.hidden = nn.Sequential(
            nn.BatchNorm1d(length),
            nn.Dropout(_VECTOR_DROPPED),
            *_dense(length),
            nn.Dropout(_VECTOR_DROPPED),
            *_dense(_VECTOR_HIDDEN),
        )
        self.classes = _branch(_VECTOR_HIDDEN, shape.classes, _VECTOR_DROPPED)
        self.presence = _branch(_VECTOR_HIDDEN, shape.classes, _VECTOR_DROPPED)
        last = nn.Linear(_VECTOR_HIDDEN, 4)
        self.box = nn.Sequential(nn.Dropout(_VECTOR_DROPPED), last)
        self.iou = nn.Linear(_VECTOR_HIDDEN, 1)
        # A box from a fifth to four fifths to begin with: edges that begin together can learn each other's side.
        with torch.no_grad():
            last.bias.copy_(torch.tensor([-_FIRST_EDGE, -_FIRST_EDGE, _FIRST_EDGE, _FIRST_EDGE]))

    def forward(self, inputs: Inputs) -> Output:
        """N pictures' vectors -> what is said of them."""
        hidden = self.hidden(inputs[VECTOR])
        boxes = sort_corners(self.box(hidden).float().sigmoid())
        iou_logits = self.iou(hidden.detach()).squeeze(-1)
        return Output(self.classes(hidden), self.presence(hidden), boxes, iou_logits, None)


def _branch(given: int, outputs: int, dropped: float = _DROPPED) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(dropped), nn.Linear(given, outputs))


def _dense(given: int) -> list[nn.Module]:
    return [nn.Linear(given, _VECTOR_HIDDEN), nn.BatchNorm1d(_VECTOR_HIDDEN), nn.SiLU()]

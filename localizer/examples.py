"""One split of a collection -> arrays to learn from; nothing is embedded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from indexer.collection import Collection
from indexer.records import IndexedImage
from indexer.reduction import StageMaps
from localizer.errors import TrainingError
from localizer.objects import Objects

INPUTS = ("map", "vector")
VECTOR = "vector"

Inputs = dict[str, Tensor]
"""Stage -> (N, c, h, w) float32, or "vector" -> (N, d) float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """N annotated images.

    Attributes:
        images: as the collection knows them.
        inputs: what a head sees of them.
        vectors: (N, d) float32 unit rows, by which near-duplicates are known.
        objects: all that is annotated in them.
    """

    images: tuple[IndexedImage, ...]
    inputs: Inputs
    vectors: NDArray[np.float32]
    objects: Objects

    def __len__(self) -> int:
        return len(self.images)

    @property
    def class_ids(self) -> Tensor:
        """(N,) int64, of the main objects."""
        return self.objects.main()[0]

    @property
    def boxes(self) -> Tensor:
        """(N, 4) float32, unit boxes of the main objects."""
        return self.objects.main()[1]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Examples":
        """Some of them, in the order asked for."""
        chosen = torch.as_tensor(np.asarray(rows, dtype=np.int64))
        return Examples(
            tuple(self.images[row] for row in rows),
            {name: values[chosen] for name, values in self.inputs.items()},
            self.vectors[np.asarray(rows, dtype=np.int64)],
            self.objects.take(chosen),
        )


def read_examples(collection: Collection, split: str, given: str, classes: Sequence[str]) -> Examples:
    """The annotated images of a split, with their maps or vectors as the head is `given` them.

    An object of a class that is not among `classes` has the class id -1.

    Raises:
        TrainingError: the collection keeps no maps and they are needed, or nothing in the split is annotated.
    """
    images = [image for image in collection.all_images() if image.split == split and image.objects]
    if not images:
        raise TrainingError(f"expected annotated images in split {split!r}, found none")
    rows = [image.image_id for image in images]
    return Examples(
        tuple(images),
        read_inputs(collection, rows, given),
        collection.vectors()[rows],
        Objects.of(images, classes),
    )


def read_inputs(collection: Collection, rows: Sequence[int], given: str) -> Inputs:
    """What a head is `given` of these rows of a collection.

    Raises:
        TrainingError: the collection keeps no maps and they are needed.
    """
    if given == VECTOR:
        return {VECTOR: torch.from_numpy(collection.vectors()[rows])}
    if not collection.maps:
        raise TrainingError(
            "expected a collection with activation maps, found one without; build it with --maps, "
            "or train with --input vector"
        )
    return map_inputs({stage: maps[rows] for stage, maps in collection.maps.items()})


def map_inputs(maps: StageMaps) -> Inputs:
    """Maps as a head is given them."""
    return {stage: torch.from_numpy(one.astype(np.float32)) for stage, one in maps.items()}

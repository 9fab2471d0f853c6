"""Made-up images, objects and examples to test arithmetic on, and strategies that draw them."""

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from indexer.records import Box, IndexedImage, ObjectLabel
from indexer.reduction import Floats, unit_rows
from localizer.examples import Examples, Inputs
from localizer.objects import Objects

Corners = tuple[float, float, float, float]

CLASSES = ("cat", "dog", "cow")

unhurried = settings(deadline=None, max_examples=60)
"""For properties of tensors: torch's first call in a process takes long."""


def image(*labels: tuple[str, Corners], width: int = 100, height: int = 80, image_id: int = 0) -> IndexedImage:
    """An image of (class, corners in pixels)."""
    return IndexedImage(
        filename=f"{image_id:06d}.jpg",
        split="train",
        objects=tuple(ObjectLabel(name, Box(*corners)) for name, corners in labels),
        image_id=image_id,
        sha256=f"{image_id:064x}",
        width=width,
        height=height,
    )


def examples(
    images: Sequence[IndexedImage], vectors: NDArray[np.floating] | None = None, inputs: Inputs | None = None
) -> Examples:
    """Examples of annotated images; far from each other unless vectors are given."""
    rows = np.eye(len(images)) if vectors is None else vectors
    return Examples(tuple(images), inputs or {}, unit_rows(rows.astype(np.float32)), Objects.of(images, CLASSES))


def objects(*pictures: Sequence[tuple[int, Corners]]) -> Objects:
    """Objects of pictures, each a list of (class id, corners in the unit square); one place at least."""
    shape = len(pictures), max(1, *(len(one) for one in pictures))
    made = Objects(
        torch.zeros(shape, dtype=torch.int64), torch.zeros(*shape, 4), torch.zeros(shape, dtype=torch.bool)
    )
    for row, picture in enumerate(pictures):
        for column, (class_id, corners) in enumerate(picture):
            made.class_ids[row, column] = class_id
            made.boxes[row, column] = torch.tensor(corners)
            made.real[row, column] = True
    return made


def told(made: Objects) -> list[list[tuple[int, Corners]]]:
    """What `objects` was given: each picture's real objects, in order."""
    return [
        [
            (int(class_id), tuple(box.tolist()))
            for class_id, box, real in zip(class_ids, boxes, places, strict=True)
            if real
        ]
        for class_ids, boxes, places in zip(made.class_ids, made.boxes, made.real, strict=True)
    ]


def random_floats(seed: int, *shape: int) -> Floats:
    """Normally distributed."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def inside(box: Tensor, centres: Tensor, margin: float = 0.0) -> Tensor:
    """(G,): whether centres (G, 2) are inside a box (4,) that is made smaller by a margin."""
    return ((centres > box[:2] + margin) & (centres < box[2:] - margin)).all(1)


def two_hot(places: Tensor, positions: Tensor) -> Tensor:
    """(...) among the positions (B,) -> (..., B) logits with that expectation, as sharp as can be."""
    after = torch.searchsorted(positions, places.contiguous(), right=True).clamp(1, len(positions) - 1)
    beyond = (places - positions[after - 1]) / (positions[after] - positions[after - 1])
    shares = torch.zeros(*places.shape, len(positions))
    shares.scatter_(-1, (after - 1)[..., None], (1 - beyond)[..., None])
    shares.scatter_(-1, after[..., None], beyond[..., None])
    return shares.clamp(min=1e-12).log()


def spans(least: float = 0.05) -> st.SearchStrategy[tuple[float, float]]:
    """Two numbers in [0, 1], in order, at least so far apart."""
    return st.tuples(st.floats(0, 1 - least), st.floats(least, 1)).map(
        lambda pair: (pair[0], max(pair[1], min(pair[0] + least, 1.0)))
    )


def unit_boxes(least: float = 0.05) -> st.SearchStrategy[Corners]:
    """Corners in the unit square, each side at least so long."""
    return st.builds(lambda across, down: (across[0], down[0], across[1], down[1]), spans(least), spans(least))


def pictures_of_objects(most: int = 4) -> st.SearchStrategy[list[list[tuple[int, Corners]]]]:
    """For `objects`: three pictures, each with up to `most` objects of the classes."""
    one = st.tuples(st.integers(0, len(CLASSES) - 1), unit_boxes())
    return st.lists(st.lists(one, max_size=most), min_size=3, max_size=3)

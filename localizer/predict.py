"""Trained heads at work: the only door upward."""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch

from indexer.collection import Collection
from indexer.errors import CollectionError
from indexer.reduction import Embedding, Floats
from indexer.semantic_index import SemanticIndex
from localizer import checkpoint
from localizer.checkpoint import DETECT, MAIN, StoredHead
from localizer.detector import Detector
from localizer.errors import HeadError, NoHeadError
from localizer.examples import VECTOR, Inputs, map_inputs, read_inputs
from localizer.finding import FoundObjects
from localizer.fusion import fuse
from localizer.main_object import MainObjectFinder, MainObjects
from localizer.records import Localization
from localizer.semantic import join

_ROWS_AT_ONCE = 512

Made = TypeVar("Made", MainObjectFinder, Detector)

logger = logging.getLogger(__name__)


class Localizer:
    """The heads of a collection, of which one at least is there; may be asked from any number of threads.

    Attributes:
        main: finds the main object.
        detector: finds several.
    """

    def __init__(self, main: MainObjectFinder | None, detector: Detector | None) -> None:
        self.main = main
        self.detector = detector

    @classmethod
    def open(cls, collection: Collection) -> "Localizer":
        """The heads in use of an open collection; one that is damaged or does not fit is left out, with a warning.

        Raises:
            NoHeadError: none was trained.
            HeadError: none is whole and fits the collection.
        """
        main, why_no_main = _load(collection, MAIN, MainObjectFinder)
        detector, why_no_detector = _load(collection, DETECT, Detector)
        if main is None and detector is None:
            raise min(filter(None, (why_no_main, why_no_detector)), key=lambda why: isinstance(why, NoHeadError))
        for error in (why_no_main, why_no_detector):
            if error is not None and not isinstance(error, NoHeadError):
                logger.warning("%s", error)
        return cls(main, detector)

    @property
    def finder(self) -> MainObjectFinder:
        """The head for main objects.

        Raises:
            NoHeadError: there is none.
        """
        if self.main is None:
            raise NoHeadError("expected a head for main objects, found only a detector; train one without --task")
        return self.main

    @property
    def digests(self) -> dict[str, str]:
        """Task -> digest of the head for it, of those that are there."""
        return {one.stored.task: one.stored.digest for one in (self.main, self.detector) if one}

    @property
    def classes(self) -> tuple[str, ...]:
        """All that may be found."""
        heads = [head.classes for head in (self.main, self.detector) if head]
        return tuple(dict.fromkeys(name for classes in heads for name in classes))

    @property
    def needs_maps(self) -> bool:
        """Whether pictures have to be embedded with their maps."""
        return self.detector is not None or (self.main is not None and VECTOR not in self.main.needs)

    def can_look_at(self, collection: Collection) -> bool:
        """Whether what is stored of a collection's images is enough for the heads: maps may be elsewhere."""
        return collection.has_maps or not self.needs_maps

    def look(self, embedding: Embedding) -> "Look":
        """Look at N embedded pictures; with maps where they are needed."""
        return Look(self, as_inputs(embedding))

    def localize(self, embedding: Embedding, sizes: Sequence[tuple[int, int]]) -> list[Localization]:
        """What is in each of N pictures of these widths and heights, and where."""
        return self.look(embedding).localize(sizes)

    def stored_semantic_index(self, collection: Collection) -> SemanticIndex | None:
        """The one that is stored, where it was made by this head for this generation, and is whole.

        Raises:
            NoHeadError: there is no head for main objects.
        """
        try:
            held = SemanticIndex.load(collection)
        except CollectionError as error:
            logger.warning("%s", error)
            return None
        return held if held is not None and held.source == self.finder.stored.digest else None

    def make_semantic_index(self, collection: Collection) -> SemanticIndex:
        """One row for each image, from what is stored of it: no picture is embedded.

        Raises:
            NoHeadError: there is no head for main objects.
        """
        vectors = torch.from_numpy(collection.vectors())
        given = VECTOR if VECTOR in self.finder.needs else "map"
        starts = range(0, len(collection), _ROWS_AT_ONCE)
        chunks = [range(start, min(start + _ROWS_AT_ONCE, len(collection))) for start in starts]
        looks = (
            Look(self, {VECTOR: vectors[list(rows)], **read_inputs(collection, rows, given)}) for rows in chunks
        )
        rows = np.concatenate([one.semantic_vectors() for one in looks])
        finder = self.finder
        return SemanticIndex.build(rows, finder.stored.digest, collection.manifest.index, finder.likeness)


class Look:
    """What the heads make of N pictures; each head is asked once, when its answer is first needed."""

    def __init__(self, localizer: Localizer, inputs: Inputs) -> None:
        self._localizer = localizer
        self._inputs = inputs

    @cached_property
    def alone(self) -> MainObjects:
        """What the head for main objects says.

        Raises:
            NoHeadError: there is none.
        """
        return self._localizer.finder.answer(self._inputs)

    @cached_property
    def found(self) -> list[FoundObjects]:
        """What the detector finds; nothing at all without one."""
        return self._localizer.detector.answer(self._inputs) if self._localizer.detector else []

    @cached_property
    def main_objects(self) -> MainObjects:
        """What is said of the main objects: by both heads together, where both are there.

        Raises:
            NoHeadError: there is no head for main objects.
        """
        detector = self._localizer.detector
        if detector is None:
            return self.alone
        trust = [detector.calibration.expected_iou(one.scores) for one in self.found]
        return fuse(self.alone, detector.named(self.found, self._localizer.finder.classes), trust)

    def localize(self, sizes: Sequence[tuple[int, int]]) -> list[Localization]:
        """What is in each picture, and where.

        Args:
            sizes: N times width and height in pixels.
        """
        main, detector = self._localizer.main, self._localizer.detector
        objects = detector.tell(self.found, sizes) if detector else [None] * len(sizes)
        mains = main.tell(self.main_objects, sizes) if main else [(None, ())] * len(sizes)
        return [
            Localization(main=one, candidates=candidates, objects=several)
            for (one, candidates), several in zip(mains, objects, strict=True)
        ]

    def semantic_vectors(self) -> Floats:
        """(N, d) float32 unit rows of a semantic index, or to search one with.

        Raises:
            NoHeadError: there is no head for main objects.
        """
        weight = self._localizer.finder.semantic_weight
        return join(self._inputs[VECTOR].numpy(), self.alone.presence.numpy(), weight)


def _load(
    collection: Collection, task: str, make: Callable[[StoredHead], Made]
) -> tuple[Made | None, HeadError | None]:
    """A head for one task, or why there is none: the other may be there."""
    try:
        return make(checkpoint.load(collection.path, task, collection.manifest.fingerprint)), None
    except HeadError as error:
        return None, error


def as_inputs(embedding: Embedding) -> Inputs:
    """What heads can be given of an embedding."""
    return {VECTOR: torch.from_numpy(embedding.vectors), **map_inputs(embedding.maps)}

"""Retrieval quality of the index of objects: how many of the objects that an object finds are of its class."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.collection import Collection
from indexer.errors import DatasetError
from indexer.evaluate import RelevanceReport, judge_rankings
from indexer.records import IndexedImage

_MOST_QUERIES = 2_000  # spread evenly over a split; a ranking holds all objects of the gallery


def evaluate_objects(collection: Collection, queries: str, gallery: str) -> RelevanceReport | None:
    """Rank the objects of the gallery split for each object of the query split, and judge the rankings by class.

    Objects of the query's own image take no part. None where objects are not indexed.

    Raises:
        DatasetError: a split has no objects, or no query has another of its class in the gallery.
    """
    if collection.objects is None:
        return None
    vectors = collection.objects.vectors()
    objects = [replace(image, objects=(label,)) for image in collection.all_images() for label in image.objects]
    asked, ranked = _rows_of(objects, queries), _rows_of(objects, gallery)
    if len(asked) > _MOST_QUERIES:
        asked = [asked[place] for place in np.linspace(0, len(asked) - 1, _MOST_QUERIES).astype(int)]
    found = judge_rankings(
        [objects[row] for row in asked], vectors[asked], [objects[row] for row in ranked], vectors[ranked]
    )
    return found.main_class


def _rows_of(objects: Sequence[IndexedImage], split: str) -> list[int]:
    """Which of the objects, each as an image that has no other, are in a split."""
    rows = [row for row, image in enumerate(objects) if image.split == split]
    if not rows:
        raise DatasetError(f"expected annotated objects in split {split!r}, found none")
    return rows

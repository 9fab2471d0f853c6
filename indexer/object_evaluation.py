"""Retrieval quality of the index of objects: how many of the objects that an object finds are of its class."""

from dataclasses import replace

import numpy as np

from indexer.collection import Collection
from indexer.errors import DatasetError
from indexer.evaluate import RelevanceReport, judge_rankings
from indexer.records import IndexedImage
from indexer.reduction import Floats

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
    asked, asked_rows = _of_split(collection, vectors, queries, _MOST_QUERIES)
    ranked, ranked_rows = _of_split(collection, vectors, gallery, None)
    return judge_rankings(asked, asked_rows, ranked, ranked_rows).main_class


def _of_split(
    collection: Collection, vectors: Floats, split: str, most: int | None
) -> tuple[list[IndexedImage], Floats]:
    """Each object of a split as an image that has no other, and its vector; at most so many of them."""
    pairs = [(image, label) for image in collection.all_images() for label in image.objects]
    rows = [row for row, (image, _) in enumerate(pairs) if image.split == split]
    if not rows:
        raise DatasetError(f"expected annotated objects in split {split!r}, found none")
    if most is not None and len(rows) > most:
        rows = [rows[place] for place in np.linspace(0, len(rows) - 1, most).astype(int)]
    return [replace(pairs[row][0], objects=(pairs[row][1],)) for row in rows], vectors[rows]

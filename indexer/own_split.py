"""The split that a build makes of annotated pictures without lists: four fifths to learn from, one to judge by."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from indexer.near_duplicates import near_duplicate_groups
from indexer.records import IndexedImage
from indexer.reduction import Floats

SEED = 0
TRAIN, VAL = "train", "val"
_PARTS = 5  # one of which is val

Sides = Mapping[str, str]
"""sha256 of a picture's file -> `TRAIN` or `VAL`."""


def split_by_itself(
    images: Sequence[IndexedImage], vectors: Callable[[], Floats], earlier: Sides
) -> tuple[IndexedImage, ...]:
    """The images with every annotated one in `TRAIN` or `VAL`, near-duplicates of each other in the same.

    Each keeps the side that it has already; a new near-duplicate of one that has a side joins it. The others are
    spread so that `VAL` has a fifth of the pictures at most, and about a fifth of those of each main class;
    of every class, `TRAIN` has a picture. The same images are split alike in any order.

    Args:
        images: by image id, from 0.
        vectors: gives the (N, d) unit rows; asked only where there is a picture to find a side for.
        earlier: the sides that an earlier build gave.
    """
    annotated = [image for image in images if image.objects]
    sides = earlier
    if any(image.sha256 not in earlier for image in annotated):
        sides = _find_sides(annotated, vectors()[[image.image_id for image in annotated]], earlier)
    return tuple(replace(image, split=sides.get(image.sha256)) for image in images)


def _find_sides(images: Sequence[IndexedImage], vectors: Floats, earlier: Sides) -> Sides:
    sides = dict(earlier)
    loose: list[list[IndexedImage]] = []
    groups = near_duplicate_groups(vectors)
    order = np.argsort(groups, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        kept = [row for row in rows if images[row].sha256 in earlier]
        if not kept:
            loose.append([images[row] for row in rows])
            continue
        for row in rows:
            nearest = kept[int((vectors[kept] @ vectors[row]).argmax())]
            sides.setdefault(images[row].sha256, earlier[images[nearest].sha256])
    return _spread(images, sides, loose)


def _spread(images: Sequence[IndexedImage], sides: Sides, loose: Sequence[Sequence[IndexedImage]]) -> Sides:
    """Give the loose groups sides, each `VAL` where that brings its strata nearer to their share.

    Args:
        images: all annotated ones.
        sides: of those that have one.
        loose: groups of the others.
    """
    sides = dict(sides)
    train, val = ([image for image in images if sides.get(image.sha256) == side] for side in (TRAIN, VAL))
    room = len(images) // _PARTS - len(val)
    # What each stratum still owes to VAL, in fifths of a picture.
    owed = _strata([*train, *val])
    owed.subtract({name: _PARTS * count for name, count in _strata(val).items()})
    # How many pictures or groups outside of VAL show each class.
    outside = Counter(name for image in train for name in image.class_names)
    outside.update(name for group in loose for name in _classes(group))
    for group in sorted(loose, key=_draw):
        strata = _strata(group)
        owed.update(strata)
        nearer = sum(count * (2 * owed[name] - _PARTS * count) for name, count in strata.items()) > 0
        to_val = nearer and len(group) <= room and all(outside[name] > 1 for name in _classes(group))
        sides.update((image.sha256, VAL if to_val else TRAIN) for image in group)
        if to_val:
            room -= len(group)
            owed.subtract({name: _PARTS * count for name, count in strata.items()})
            outside.subtract(_classes(group))
    return sides


def _draw(group: Sequence[IndexedImage]) -> tuple[int, str]:
    """Large groups first, as they are hardest to place; those of one size by lot."""
    name = min(image.sha256 for image in group)
    return -len(group), hashlib.sha256(f"{SEED} {name}".encode()).hexdigest()


def _strata(images: Sequence[IndexedImage]) -> Counter[str]:
    """Main class -> number of pictures; "" -> all of them."""
    counts = Counter(image.main_object.class_name for image in images if image.main_object)
    counts[""] = len(images)
    return counts


def _classes(group: Sequence[IndexedImage]) -> set[str]:
    return {name for image in group for name in image.class_names}

"""The pairs of a collection's images that look most alike, for a report: near-duplicates show themselves here."""

from dataclasses import dataclass

from indexer.collection import Collection
from indexer.records import IndexedImage
from localizer.gallery import Shelf

_PAIRS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two images side by side.

    Attributes:
        addresses: of their pictures, within the report.
        filenames: of the pictures.
        score: of their vectors, in [-1, 1].
    """

    addresses: tuple[str, str]
    filenames: tuple[str, str]
    score: float


def make_pairs(collection: Collection, shelf: Shelf) -> list[Pair]:
    """The closest pairs, closest first; a pair of which a picture is gone is left out."""
    pairs = []
    for first, second, score in closest_pairs(collection, _PAIRS):
        pair = _make_pair(collection.images([first, second]), score, shelf)
        if pair:
            pairs.append(pair)
    return pairs


def closest_pairs(collection: Collection, count: int) -> list[tuple[int, int, float]]:
    """Ids, the lower first, and score of the `count` pairs of the highest score; fewer where there are fewer.

    The second of such a pair is among the `count` nearest of the first: else there were as many pairs above it.
    """
    scores: dict[tuple[int, int], float] = {}
    for image_id, vector in enumerate(collection.vectors()):
        for hit in collection.nearest(vector, count, exclude=[image_id]):
            scores[min(image_id, hit.image_id), max(image_id, hit.image_id)] = hit.score
    ordered = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(*ids, score) for ids, score in ordered[:count]]


def _make_pair(images: list[IndexedImage], score: float, shelf: Shelf) -> Pair | None:
    first, second = images
    addresses = [shelf.put(image, "pair") for image in images]
    if addresses[0] is None or addresses[1] is None:
        return None
    return Pair(addresses=(addresses[0], addresses[1]), filenames=(first.filename, second.filename), score=score)

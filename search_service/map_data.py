"""The map: where each image of a collection lies on it, and what is told of it there."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer import derived, plane
from indexer.collection import Collection
from indexer.errors import CollectionError
from localizer import evaluation_record
from search_service.errors import RequestError
from search_service.packed import Packed
from search_service.records import Answer, IndexedPicture, Query

logger = logging.getLogger(__name__)

_DIGITS = 5  # of a place, of those that tell it from the others: finer than any screen
_NEAREST = 5  # results that say where a query lies

Places = NDArray[np.float32]


class PictureMap:
    """The map of a collection; worked out once, for a generation never changes."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._places: Places | None = None
        self._told: tuple[derived.Stamp | None, Packed] | None = None

    @property
    def there(self) -> bool:
        """Whether there are places to draw."""
        try:
            return bool(len(self.places))
        except RequestError:
            return False

    @property
    def places(self) -> Places:
        """(N, 2) float32, row = image id; looked for until they are there, and then kept.

        Raises:
            RequestError: none are stored for this generation, or they are damaged.
        """
        if self._places is None:
            self._places = _load(self._collection)
        return self._places

    @property
    def content(self) -> Packed:
        """What the page draws, as JSON: `MapSchema`; worked out anew when the heads were evaluated since.

        Raises:
            RequestError: as `places`.
        """
        evaluated, told = derived.stamp(self._collection, evaluation_record.NAME), self._told
        if told is None or told[0] != evaluated:
            told = self._told = (evaluated, self._tell())
        return told[1]

    def _tell(self) -> Packed:
        told = {**_tell_places(self.places), **_tell_images(self._collection)}
        return Packed(json.dumps(told, separators=(",", ":")).encode(), "application/json")

    def place_of(self, query: Query, answer: Answer) -> tuple[float, float] | None:
        """Where a query lies: a whole indexed picture in its own place, others among the results nearest to them.

        None where nothing was found that could say so.

        Raises:
            RequestError: as `places`.
        """
        match query:
            case Query((IndexedPicture(image_id, None),), ()):
                x, y = self.places[image_id]
            case _ if answer.matches:
                x, y = _mean_place(answer, self.places)
            case _:
                return None
        return float(x), float(y)


def verdicts(collection: Collection) -> Mapping[int, bool]:
    """Image id -> whether the localizer is right about it, class and box; of the images that it was tested on."""
    try:
        return evaluation_record.load_verdicts(collection) or {}
    except CollectionError as error:
        logger.warning("The map is shown without verdicts: %s", error)
        return {}


def _load(collection: Collection) -> Places:
    try:
        places = plane.load(collection)
    except CollectionError as error:
        raise RequestError(409, "no_map", str(error)) from error
    if places is None:
        message = (
            "expected a map of this collection, found none; work it out: "
            f"python -m indexer map --collection {collection.path}"
        )
        raise RequestError(409, "no_map", message)
    return places


def _tell_places(places: Places) -> dict[str, list[float]]:
    extent = float(np.ptp(places, axis=0).max(initial=0.0))
    decimals = _DIGITS - 1 - math.floor(math.log10(extent)) if extent else _DIGITS
    x, y = np.round(places.astype(np.float64), decimals).T.tolist()
    return {"x": x, "y": y}


def _tell_images(collection: Collection) -> dict[str, list[Any]]:
    classes = list(collection.manifest.classes)
    splits = [name for name in collection.manifest.splits if name]
    right = verdicts(collection)
    return {
        "classes": classes,
        "splits": splits,
        "class": _numbers(collection.main_classes(), classes),
        "split": _numbers(collection.splits(), splits),
        "localized": [int(right.get(image_id, -1)) for image_id in range(len(collection))],
    }


def _numbers(names: Sequence[str | None], known: Sequence[str]) -> list[int]:
    """Places of names among those that are known; -1 for none."""
    numbers = {name: number for number, name in enumerate(known)}
    return [-1 if name is None else numbers.get(name, -1) for name in names]


def _mean_place(answer: Answer, places: Places) -> NDArray[np.float64]:
    """Of the nearest results, weighted by their scores; those that look like the opposite count for nothing."""
    nearest = answer.matches[:_NEAREST]
    weights = np.array([max(one.score, 0.0) for one in nearest])
    mean: NDArray[np.float64] = np.average(
        places[[one.image.image_id for one in nearest]].astype(np.float64),
        axis=0,
        weights=weights if weights.any() else None,
    )
    return mean

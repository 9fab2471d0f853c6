"""The list that a picture's page was opened from: the page's address holds it, and Previous and Next follow it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from marshmallow import post_load, validate
from numpy.typing import NDArray
from werkzeug.datastructures import MultiDict

from indexer.records import Box
from localizer.evaluation_record import EvaluationRecord
from search_service import quality_views
from search_service.deadline import Deadline
from search_service.engine import SearchEngine
from search_service.fields import Corners, Whole, Word
from search_service.page_state import EMPTY, FILTERS_OF_A_LIST, PageState, StateSchema, to_address, to_corners
from search_service.quality_state import MistakeFields, QualityState
from search_service.query_reader import load_flat
from search_service.records import MAX_RESULTS, Match
from search_service.wish_checks import check_filters

COLLECTION, SEARCH, BROWSE, START, MISTAKES = "collection", "search", "browse", "start", "mistakes"
_FIELDS = {
    COLLECTION: (),
    SEARCH: (*StateSchema().fields, "at"),
    BROWSE: FILTERS_OF_A_LIST,
    START: ("turn",),
    MISTAKES: tuple(MistakeFields().fields),
}
"""What an address holds of each list."""
_WORDS = {
    COLLECTION: "the collection",
    SEARCH: "the results",
    BROWSE: "the collection",
    START: "the start",
    MISTAKES: "the mistakes",
}
_SUGGESTIONS = 24


class PicturePageSchema(StateSchema, MistakeFields):
    """What the address of a picture's page may hold.

    `box` is a part of the picture; `list` says which list it was opened from, whose fields stand beside it; `at`
    is its place among the results of a search, from 0.
    """

    box = Corners()
    name = Word(data_key="list", validate=validate.OneOf(_FIELDS, error=", ".join(_FIELDS)))
    at = Whole(validate=validate.Range(0, MAX_RESULTS - 1, error="from {min} to {max}"))
    turn = Whole(validate=validate.Range(0, 2**31, error="from {min} to {max}"))

    @post_load
    def make(self, data: dict[str, Any], **more: Any) -> "tuple[PictureList, Box | None]":  # noqa: ANN401 - marshmallow's
        """To the list, and the part."""
        mistakes = QualityState(**{name: data[name] for name in MistakeFields().fields if name in data})
        state = super().make(data, **more)
        return PictureList(data.get("name", COLLECTION), state, mistakes, data.get("at")), data.get("box")


@dataclass(frozen=True, slots=True)
class PictureList:
    """A list of pictures that a page shows.

    Attributes:
        name: which kind of list.
        state: of the page with it; for `MISTAKES`, `mistakes` is.
        at: the place, from 0, of the picture that was opened, among the results of a search.
    """

    name: str = COLLECTION
    state: PageState = EMPTY
    mistakes: QualityState = field(default_factory=QualityState)
    at: int | None = None

    @classmethod
    def read(cls, sent: MultiDict[str, str]) -> "tuple[PictureList, Box | None]":
        """From the address of a picture's page, with the part of the picture that is meant.

        Raises:
            RequestError: as `load_flat`.
        """
        fields = _FIELDS.get(sent.get("list", COLLECTION), ())
        read: tuple[PictureList, Box | None] = load_flat(PicturePageSchema(only=("box", "name", *fields)), sent)
        return read

    def page_of(self, image_id: int, corners: Sequence[float] | None = None, at: int | None = None) -> str:
        """Address of the page of a picture of this list, on a part of it where `corners` are given.

        `at` is its place among the results of a search.
        """
        told = [("box", to_corners(corners))] if corners else []
        if self.name != COLLECTION:
            told.append(("list", self.name))
        if self.name == MISTAKES:
            told += [one for one in self.mistakes.parameters() if one[0] in MistakeFields().fields]
        told += replace(self.state, wishes=replace(self.state.wishes, offset=0)).parameters()
        if at is not None:
            told.append(("at", str(at)))
        return to_address(f"/images/{image_id}", told)

    def page_of_match(self, match: Match, at: int) -> str:
        """Address of the page of a result, on the object that was found where objects are searched."""
        return self.page_of(match.image.image_id, match.object.box.corners if match.object else None, at)


@dataclass(frozen=True, slots=True)
class Steps:
    """Where a picture's page leads within its list.

    Attributes:
        words: what the list is called.
        back: address of the list; None for the whole collection.
        previous: address of the page of the picture before; None at the beginning, or where the list is not known.
        next: address of the page of the picture after.
    """

    words: str
    back: str | None
    previous: str | None
    next: str | None


def suggestions(pictures: int, turn: int) -> list[int]:
    """Ids of pictures to start from, drawn by lot, others with each turn; of a collection of so many."""
    lot = random.Random(turn)  # noqa: S311 - a choice of pictures, no secret
    return lot.sample(range(pictures), min(pictures, _SUGGESTIONS))


def steps(
    pictures: PictureList, image_id: int, engine: SearchEngine, record: EvaluationRecord | None, deadline: Deadline
) -> Steps:
    """Where a picture's page leads; `record` has the mistakes.

    Raises:
        RequestError: the list's search or filters cannot be answered.
    """
    if pictures.name == SEARCH:
        return _among_results(pictures, engine, deadline)
    state, ids = pictures.state, _ids(pictures, engine, record)
    place = _place(ids, image_id)
    previous, following = (
        pictures.page_of(int(ids[at])) if place is not None and 0 <= at < len(ids) else None
        for at in ((place or 0) - 1, (place or 0) + 1)
    )
    back: str | None = None
    if pictures.name == BROWSE:
        back = _page_with(state, place).address("/browse")
    elif pictures.name == START:
        back = state.address()
    elif pictures.name == MISTAKES:
        offset = (place or 0) // quality_views.PAGE * quality_views.PAGE
        back = pictures.mistakes.but(offset=offset).address("/quality", "mistakes")
    return Steps(_WORDS[pictures.name], back, previous, following)


def _among_results(pictures: PictureList, engine: SearchEngine, deadline: Deadline) -> Steps:
    state, at = pictures.state, pictures.at
    previous = following = None
    if at is not None:
        first, end = max(at - 1, 0), min(at + 2, MAX_RESULTS)
        wishes = replace(state.wishes, offset=first, k=end - first, localize=False)
        found = dict(enumerate(engine.answer(state.query, wishes, deadline).matches, first))
        previous, following = (
            pictures.page_of_match(found[place], place) if place in found else None for place in (at - 1, at + 1)
        )
    return Steps(_WORDS[SEARCH], _page_with(state, at).address(), previous, following)


def _ids(
    pictures: PictureList, engine: SearchEngine, record: EvaluationRecord | None
) -> Sequence[int] | NDArray[np.int64]:
    """Ids of the pictures of a list that is no search, in its order."""
    collection, filters = engine.collection, pictures.state.filters
    if pictures.name == BROWSE and not filters.ask_nothing:
        check_filters(filters, collection.manifest, collection.poses)
        return collection.matching_images(filters)
    if pictures.name == START:
        return suggestions(len(collection), pictures.state.turn)
    if pictures.name == MISTAKES:
        wrong = quality_views.worst(record, pictures.mistakes) if record else []
        return [verdict.image_id for verdict in wrong]
    return range(len(collection))


def _place(ids: Sequence[int] | NDArray[np.int64], image_id: int) -> int | None:
    """Where an id stands; None where it does not."""
    if isinstance(ids, np.ndarray):  # in order
        place = int(np.searchsorted(ids, image_id))
        return place if place < len(ids) and ids[place] == image_id else None
    return ids.index(image_id) if image_id in ids else None


def _page_with(state: PageState, place: int | None) -> PageState:
    """The page of a list that a place is on."""
    return state.wishing(offset=(place or 0) // state.wishes.k * state.wishes.k)

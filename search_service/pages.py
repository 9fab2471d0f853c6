"""The pages for people: plain HTML that works without JavaScript."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from indexer.accounting import account_text
from search_service import page_state
from search_service.answer_schemas import ImageSchema, MatchSchema
from search_service.api import answer as answer_of
from search_service.api import deadline, engine
from search_service.errors import RequestError
from search_service.filter_chips import chips
from search_service.page_state import (
    EMPTY,
    FILTERS_OF_A_LIST,
    PAGE_KS,
    PageState,
    PageUpload,
    SearchPageSchema,
    StateSchema,
    UploadPageSchema,
)
from search_service.picture_lists import BROWSE, SEARCH, START, PictureList, steps, suggestions
from search_service.quality_page import evaluation
from search_service.query_reader import read_form
from search_service.records import (
    MAX_RESULTS,
    OBJECTS,
    Answer,
    IndexedPicture,
    Query,
    QueryPicture,
    UploadedPicture,
    Wishes,
)
from search_service.views import data_url, query_view, settle

pages = Blueprint("pages", __name__)

_NEIGHBOURS = 12
_NOTICES = 100  # that are named on the page of the collection


@pages.get("/")
def search_page() -> str:
    """An empty search with pictures to start from, or the answer to the query that the address holds."""
    state = PageState.read(request.args, SearchPageSchema())
    return _render_answer(state, state.query) if state.positives else _render_start(state)


@pages.post("/")
def upload_page() -> Response | str:
    """The answer to pictures from the page's form: a new search, or with those that the form names."""
    upload: PageUpload = read_form(request, UploadPageSchema())
    state, sent = upload.state, _uploaded(upload)
    if not sent:
        return redirect(state.address() if state.positives else url_for("pages.search_page"))
    match upload.role:
        case page_state.POSITIVE:
            query = Query((*sent, *state.positives), state.negatives)
        case page_state.NEGATIVE if state.positives:
            query = Query(state.positives, (*state.negatives, *sent))
        case _:
            query = Query(sent)
    return _render_answer(state, query)


@pages.get("/images/<int:image_id>")
def picture_page(image_id: int) -> str:
    """One image, or a part of it: large, what is in it, its neighbours, and the way on in the list it is from."""
    pictures, box = PictureList.read(request.args)
    state = PageState((), (), Wishes(k=PAGE_KS[0], mode=pictures.state.wishes.mode))
    state = (of_parts(state) if box else state).like(IndexedPicture(image_id, box))
    answer = answer_of(state.query, replace(state.wishes, k=_NEIGHBOURS))
    [sight] = answer.positives
    return render_template(
        "picture.html",
        view=query_view(state.positives[0], sight, of_parts(state)),
        state=state,
        answer=answer,
        results=MatchSchema(many=True).dump(answer.matches),
        opened_from=PictureList(SEARCH, state),
        steps=steps(pictures, image_id, engine(), evaluation().record, deadline()),
    )


@pages.get("/browse")
def browse_page() -> str:
    """The collection, under filters."""
    state = PageState.read(request.args, StateSchema(only=FILTERS_OF_A_LIST))
    listing = engine().catalogue.list_images(state.filters, state.wishes.offset, state.wishes.k)
    notices = engine().collection.notices()
    return render_template(
        "browse.html",
        state=state,
        k=state.wishes.k,
        listing=listing,
        images=ImageSchema(many=True).dump(listing.images),
        opened_from=PictureList(BROWSE, state),
        chips=chips(state),
        notices=notices[:_NOTICES],
        more_notices=max(0, len(notices) - _NOTICES),
        used=account_text(engine().collection.manifest.accounts),
    )


def of_parts(state: PageState) -> PageState:
    """The same search for parts of pictures alone: among objects, where they are indexed."""
    return state.like().among(OBJECTS) if OBJECTS in engine().targets else state.like()


def _uploaded(upload: PageUpload) -> tuple[UploadedPicture, ...]:
    """The pictures of a form: files, or the one that the page itself holds of an earlier one, with a box on it.

    Raises:
        RequestError: a box beside several pictures, or what the page holds is no picture.
    """
    if upload.box and len(upload.images) > 1:
        message = f"expected one picture beside a box, found {len(upload.images)}; leave the box out"
        raise RequestError(400, "invalid_box", message)
    data = list(upload.images)
    if not data and upload.picture:
        try:
            data.append(base64.b64decode(upload.picture.removeprefix("data:image/jpeg;base64,"), validate=True))
        except (binascii.Error, ValueError) as error:
            message = "expected the picture that the page holds, found another"
            raise RequestError(400, "invalid_base64", message) from error
    return tuple(UploadedPicture(one, upload.box) for one in data)


def _render_start(state: PageState) -> str:
    """Pictures drawn by lot, others with each `?turn=`."""
    collection = engine().collection
    found = collection.images(suggestions(len(collection), state.turn))
    return render_template(
        "start.html",
        suggestions=ImageSchema(many=True).dump(found),
        opened_from=PictureList(START, replace(EMPTY, turn=state.turn)),
        state=state,
        others=replace(state, turn=state.turn + 1),
    )


def _render_answer(state: PageState, query: Query) -> str:
    answer = answer_of(query, state.wishes)
    state = replace(
        state,
        positives=settle(query.positives, answer.positives),
        negatives=settle(query.negatives, answer.negatives),
    )
    wishes = state.wishes
    return render_template(
        "answer.html",
        state=state,
        answer=answer,
        positives=_views(query.positives, state.positives, answer, state),
        negatives=_views(query.negatives, state.negatives, answer, state),
        results=MatchSchema(many=True).dump(answer.matches),
        opened_from=PictureList(SEARCH, state),
        chips=chips(state),
        next=state.wishing(offset=wishes.offset + wishes.k)
        if answer.more and wishes.offset + 2 * wishes.k <= MAX_RESULTS
        else None,
        previous=state.wishing(offset=max(0, wishes.offset - wishes.k)) if wishes.offset else None,
    )


def _views(
    asked: Sequence[QueryPicture], settled: Sequence[QueryPicture], answer: Answer, state: PageState
) -> list[object]:
    sights = answer.positives if settled is state.positives else answer.negatives
    return [
        query_view(name, sight, of_parts(state), _source(picture))
        for picture, name, sight in zip(asked, settled, sights, strict=True)
    ]


def _source(picture: QueryPicture) -> str | None:
    return data_url(picture.data, engine().decoders, deadline()) if isinstance(picture, UploadedPicture) else None

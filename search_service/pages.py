"""The pages for people: plain HTML that works without JavaScript."""

import base64
import binascii
import random
from collections.abc import Sequence
from dataclasses import replace

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from search_service.answer_schemas import ImageSchema, MatchSchema
from search_service.api import answer as answer_of
from search_service.api import deadline, engine
from search_service.errors import RequestError
from search_service.filter_chips import chips
from search_service.page_state import PAGE_KS, PageState
from search_service.query_reader import read_files
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

_SUGGESTIONS = 24
_NEIGHBOURS = Wishes(k=12)


@pages.get("/")
def search_page() -> str:
    """An empty search with pictures to start from, or the answer to the query that the address holds."""
    state = PageState.read(request.args)
    return _render_answer(state, state.query) if state.positives else _render_start(state)


@pages.post("/")
def upload_page() -> Response | str:
    """The answer to pictures from the page's form: a new search, or with those that the form names."""
    sent = tuple(_uploaded())
    state = PageState.read(request.form)
    if not sent:
        return redirect(state.address() if state.positives else url_for("pages.search_page"))
    match request.form.get("as"):
        case "positive":
            query = Query((*sent, *state.positives), state.negatives)
        case "negative" if state.positives:
            query = Query(state.positives, (*state.negatives, *sent))
        case _:
            query = Query(sent)
    return _render_answer(state, query)


@pages.get("/images/<int:image_id>")
def picture_page(image_id: int) -> str:
    """One image: large, what is in it, and its neighbours."""
    state = PageState((IndexedPicture(image_id),), (), Wishes(k=PAGE_KS[0]))
    answer = answer_of(state.query, _NEIGHBOURS)
    [sight] = answer.positives
    return render_template(
        "picture.html",
        view=query_view(state.positives[0], sight, of_parts(state)),
        state=state,
        answer=answer,
        results=MatchSchema(many=True).dump(answer.matches),
    )


@pages.get("/browse")
def browse_page() -> str:
    """The collection, under filters."""
    state = PageState.read(request.args)
    state = replace(state, wishes=replace(state.wishes, min_score=None, fold_duplicates=False))
    listing = engine().catalogue.list_images(state.filters, state.wishes.offset, state.wishes.k)
    return render_template(
        "browse.html",
        state=state,
        k=state.wishes.k,
        listing=listing,
        images=ImageSchema(many=True).dump(listing.images),
        chips=chips(state),
    )


def of_parts(state: PageState) -> PageState:
    """The same search for parts of pictures alone: among objects, where they are indexed."""
    if OBJECTS not in engine().targets:
        return state.like()
    return replace(state.like(), wishes=replace(state.like().wishes, target=OBJECTS, mode=None))


def _uploaded() -> list[UploadedPicture]:
    """The pictures of a form: files, or the one that the page itself holds of an earlier one, with a box on it."""
    data = read_files(request.files, "image")
    box = PageState.read(request.form).box if len(data) == 1 else None
    files = [UploadedPicture(one, box) for one in data]
    held = request.form.get("picture", "").removeprefix("data:image/jpeg;base64,")
    if files or not held:
        return files
    try:
        return [UploadedPicture(base64.b64decode(held, validate=True), PageState.read(request.form).box)]
    except (binascii.Error, ValueError) as error:
        raise RequestError(
            400, "invalid_base64", "expected the picture that the page holds, found another"
        ) from error


def _render_start(state: PageState) -> str:
    """Pictures drawn by lot, others with each `?turn=`."""
    collection = engine().collection
    turn = request.args.get("turn", default=0, type=int)
    lot = random.Random(turn)  # noqa: S311 - a choice of pictures, no secret
    ids = lot.sample(range(len(collection)), min(len(collection), _SUGGESTIONS))
    suggestions = ImageSchema(many=True).dump(collection.images(ids))
    return render_template("start.html", suggestions=suggestions, turn=turn, state=state)


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

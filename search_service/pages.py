"""The pages for people: plain HTML that works without JavaScript."""

import base64
import random
from dataclasses import replace

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from indexer import images
from search_service.api import engine
from search_service.errors import RequestError
from search_service.payloads import image_json, localization_json, match_json
from search_service.query_reader import read_query, read_wishes
from search_service.records import MAX_K, IndexedQuery, Query, UploadedQuery, Wishes

pages = Blueprint("pages", __name__)

PAGE_KS = (12, 24, 48, 96)
_QUERY_SIDE = 640  # pixels of the uploaded picture as it is shown again
_SUGGESTIONS = 24


@pages.get("/")
def search_page() -> str:
    """An empty search with pictures to start from, or the answer to `?image_id=N&k=K`."""
    image_id = request.args.get("image_id")
    if not image_id:
        return _render_start()
    if not image_id.isdecimal():
        raise RequestError(404, "unknown_image", f"expected an image id, found {image_id!r:.50}")
    return _render_answer(IndexedQuery(int(image_id)))


@pages.post("/")
def upload_page() -> Response | str:
    """The answer to a picture from the page's form."""
    query, _ = read_query(request)
    if not isinstance(query, UploadedQuery):
        return redirect(url_for("pages.search_page"))
    return _render_answer(query)


def _page_wishes() -> Wishes:
    """Those of the API, with the page's own default of k, and no more than there is."""
    wishes = read_wishes(request.values, PAGE_KS[0])
    return replace(wishes, k=min(wishes.k, MAX_K))


def _render_start() -> str:
    """Pictures drawn by lot, others with each `?turn=`."""
    collection = engine().collection
    turn = request.args.get("turn", default=0, type=int)
    lot = random.Random(turn)  # noqa: S311 - a choice of pictures, no secret
    ids = lot.sample(range(len(collection)), min(len(collection), _SUGGESTIONS))
    suggestions = [image_json(image) for image in collection.images(ids)]
    return render_template("start.html", suggestions=suggestions, turn=turn, k=PAGE_KS[0], mode=engine().modes[0])


def _render_answer(query: Query) -> str:
    wishes = _page_wishes()
    answer = engine().answer(query, wishes)
    return render_template(
        "answer.html",
        answer=answer,
        query=image_json(answer.image) if answer.image else None,
        uploaded=_data_url(query.data) if isinstance(query, UploadedQuery) else None,
        localization=localization_json(answer.localization),
        results=[match_json(match) for match in answer.matches],
        k=wishes.k,
        mode=answer.mode,
    )


def _data_url(data: bytes) -> str:
    """The uploaded picture, made small, inside the page itself: nothing uploaded is kept."""
    small = images.thumbnail(images.decode(data, _QUERY_SIDE), _QUERY_SIDE)
    return "data:image/jpeg;base64," + base64.b64encode(small).decode()

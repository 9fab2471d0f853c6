"""The pages for people: plain HTML that works without JavaScript."""

import base64
import random

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from indexer import images
from search_service.api import engine
from search_service.engine import MAX_K, Answer, IndexedQuery, UploadedQuery
from search_service.errors import RequestError
from search_service.payloads import image_json, match_json
from search_service.query_reader import read_k, read_query

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
    return _render_answer(engine().answer(IndexedQuery(int(image_id)), _page_k()), None)


@pages.post("/")
def upload_page() -> Response | str:
    """The answer to a picture from the page's form."""
    query, _ = read_query(request)
    if not isinstance(query, UploadedQuery):
        return redirect(url_for("pages.search_page"))
    return _render_answer(engine().answer(query, _page_k()), query.data)


def _page_k() -> int:
    k = read_k(request.values.get("k"), PAGE_KS[0])
    return min(k, MAX_K)


def _render_start() -> str:
    """Pictures drawn by lot, others with each `?turn=`."""
    collection = engine().collection
    turn = request.args.get("turn", default=0, type=int)
    lot = random.Random(turn)  # noqa: S311 - a choice of pictures, no secret
    ids = lot.sample(range(len(collection)), min(len(collection), _SUGGESTIONS))
    suggestions = [image_json(image) for image in collection.images(ids)]
    return render_template("start.html", suggestions=suggestions, turn=turn, k=PAGE_KS[0])


def _render_answer(answer: Answer, uploaded: bytes | None) -> str:
    return render_template(
        "answer.html",
        answer=answer,
        query=image_json(answer.image) if answer.image else None,
        uploaded=_data_url(uploaded) if uploaded else None,
        results=[match_json(match) for match in answer.matches],
        k=_page_k(),
    )


def _data_url(data: bytes) -> str:
    """The uploaded picture, made small, inside the page itself: nothing uploaded is kept."""
    small = images.thumbnail(images.decode(data, _QUERY_SIDE), _QUERY_SIDE)
    return "data:image/jpeg;base64," + base64.b64encode(small).decode()

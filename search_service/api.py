"""The JSON API, version 1."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request, send_file

from search_service.engine import SearchEngine
from search_service.payloads import answer_json, image_json, located_json
from search_service.query_reader import read_query, read_wishes
from search_service.records import IndexedQuery

api = Blueprint("api", __name__)

_FOR_GOOD = 31_536_000  # seconds; a year, the longest that caches are asked to keep anything


def engine() -> SearchEngine:
    """The engine of the app that answers this request."""
    opened: SearchEngine = current_app.extensions["lookalike"]
    return opened


@api.post("/api/v1/search")
def search() -> Response:
    """The images that look most like the picture sent, or named."""
    query, wishes = read_query(request)
    return jsonify(answer_json(engine().answer(query, wishes)))


@api.post("/api/v1/localize")
def localize() -> Response:
    """What is in the picture sent, or named, and where."""
    query, _ = read_query(request)
    return jsonify(located_json(engine().localize(query)))


@api.get("/api/v1/images/<int:image_id>")
def image(image_id: int) -> Response:
    """What is known of one image."""
    return jsonify(image_json(engine().image(image_id)))


@api.get("/api/v1/images/<int:image_id>/similar")
def similar(image_id: int) -> Response:
    """The images that look most like an indexed one."""
    return jsonify(answer_json(engine().answer(IndexedQuery(image_id), read_wishes(request.args))))


@api.get("/api/v1/images/<int:image_id>/file")
def picture_file(image_id: int) -> Response:
    """The picture as it lies in the devkit."""
    found = engine().image(image_id)
    name = "".join(letter if letter.isprintable() else "_" for letter in found.filename)
    path = engine().picture_file(found)
    return _cached(found.sha256, lambda: send_file(path, download_name=name, etag=False, conditional=False))


@api.get("/api/v1/images/<int:image_id>/thumbnail")
def thumbnail(image_id: int) -> Response:
    """A small JPEG of the picture."""
    found = engine().image(image_id)
    return _cached(
        f"{found.sha256}-thumbnail", lambda: Response(engine().thumbnail(found), content_type="image/jpeg")
    )


@api.get("/healthz")
def alive() -> Response:
    """Whether the process answers."""
    return jsonify({"status": "alive"})


@api.get("/readyz")
def ready() -> Response:
    """Whether collection and backbone are loaded and agree; they were held against each other when they were."""
    manifest = engine().collection.manifest
    facts: dict[str, Any] = {
        "images": manifest.images,
        "generation": manifest.generation,
        "modes": engine().modes,
        "localizes": engine().localizes,
    }
    return jsonify({"status": "ready", **facts, "fingerprint": manifest.fingerprint})


def _cached(etag: str, make: Callable[[], Response]) -> Response:
    """A response that a client may keep; not made at all where it has it already."""
    response = Response(status=304) if etag in request.if_none_match else make()
    response.set_etag(etag)
    response.cache_control.private = True
    response.cache_control.max_age = _FOR_GOOD if "v" in request.args else 0
    response.cache_control.immutable = "v" in request.args
    return response

"""The Flask application: routes, limits, and the one place where errors become responses."""

import logging
import shlex
from typing import Any

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from indexer.errors import ImageError, LookalikeError, StoreUnreachableError
from indexer.records import Box
from indexer.sample_glyphs import CREDITS
from search_service.admin import admin
from search_service.answer_schemas import ErrorSchema, problem
from search_service.api import MAX_BATCH_BYTES, api
from search_service.docs_page import docs
from search_service.engine import SearchEngine
from search_service.errors import RequestError
from search_service.examples import address_samples
from search_service.guard import describe_security, guard, is_let_in
from search_service.lending import add_lending, lent_or_none, served
from search_service.map_page import maps
from search_service.page_state import EMPTY, PAGE_KS
from search_service.pages import of_parts, pages
from search_service.quality_page import quality
from search_service.query_embedding import MAX_PICTURE_BYTES
from search_service.records import IndexedPicture
from search_service.refusals import RETRY_AFTER, for_programs
from search_service.reloader import Reloader
from search_service.request_log import add_request_log
from search_service.served import Opened, Served
from search_service.served_request import identify_requests, tell_refused
from search_service.server_timing import add_server_timing
from search_service.settings import Settings

_BASE64_GROWTH = 4 / 3
_HELD_PICTURE = 4 * 2**20  # bytes; what a page holds of an uploaded picture comes back as text
_REST_OF_REQUEST = 64 * 1024  # bytes for what surrounds the picture
_TOO_LARGE = (
    f"expected a picture of at most {MAX_PICTURE_BYTES // 2**20} MiB, a batch of at most "
    f"{MAX_BATCH_BYTES // 2**20} MiB, or a form of at most 1,000 fields, found a larger request"
)
_ROOMS = (
    ("pages.search_page", "Search"),
    ("pages.browse_page", "Browse"),
    ("map.map_page", "Map"),
    ("quality.quality_page", "Quality"),
    ("docs.docs_page", "API"),
)
_SPECIFICATION = {
    "API_TITLE": "Lookalike",
    "API_VERSION": "1",
    "OPENAPI_VERSION": "3.0.3",
    "OPENAPI_URL_PREFIX": "/api/v1",
    "OPENAPI_JSON_PATH": "openapi.json",
}


class _Api(Api):  # type: ignore[misc]  # flask-smorest is not typed
    """The specification, with errors as this application words them."""

    ERROR_SCHEMA = ErrorSchema

    def addressed(self) -> dict[str, Any]:
        """The specification, with examples that call the server by the name that this request has for it."""
        return address_samples(self.spec.to_dict(), request.host_url.rstrip("/"))

    def _openapi_json(self) -> Response:
        return jsonify(self.addressed())


logger = logging.getLogger(__name__)


def create_app(engine: SearchEngine | None = None, settings: Settings | None = None) -> Flask:
    """The application around an engine; without one, around what is published by settings, now and later.

    The settings are those given, or the environment's. A thread then looks for what is published later, until
    `app.extensions["lookalike_reloader"]` is closed.

    Raises:
        LookalikeError: the engine cannot be opened.
    """
    # It imports prometheus-client, which settles there whether processes count together: not before a worker runs.
    from search_service.metrics import add_metrics  # noqa: PLC0415

    if settings is None:
        settings = Settings(collection=engine.collection.path) if engine else Settings.from_environment()
    app = Flask(__name__)
    identify_requests(app)
    add_request_log(app)
    app.config["MAX_CONTENT_LENGTH"] = int(MAX_PICTURE_BYTES * _BASE64_GROWTH) + _REST_OF_REQUEST
    app.config["MAX_FORM_MEMORY_SIZE"] = _HELD_PICTURE
    app.config.update(_SPECIFICATION, API_SPEC_OPTIONS=describe_security(settings.access))
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    served = _serve_engine(engine) if engine else _follow(app, settings)
    add_metrics(app, served, settings.metrics_folder)
    add_lending(app, served)
    specification = app.extensions["specification"] = _Api(app)
    for documented in (api, admin):
        specification.register_blueprint(documented)
    for pages_of in (pages, maps, quality, docs):
        app.register_blueprint(pages_of)
    for family in (RequestError, ImageError, StoreUnreachableError):
        app.register_error_handler(family, _refuse_known)
    app.register_error_handler(HTTPException, _refuse_http)
    guard(app, settings.access)
    add_server_timing(app)
    app.context_processor(_page_context)
    return app


def _serve_engine(engine: SearchEngine) -> Served:
    """One engine for good."""
    return Served(engine.collection.path, Opened.around(engine))


def _follow(app: Flask, settings: Settings) -> Served:
    """Whatever is published."""
    reloader = app.extensions["lookalike_reloader"] = Reloader(settings)
    app.extensions["lookalike_hang_up"] = reloader.wake
    app.extensions["lookalike_close"] = reloader.close
    return reloader.served


def _refuse_known(error: LookalikeError) -> Response:
    status, told = problem(error)
    if isinstance(error, StoreUnreachableError):
        logger.warning("%s", error)
    response = refuse(status, **told)
    response.headers.update(error.headers if isinstance(error, RequestError) else {})
    return response


def _refuse_http(error: HTTPException) -> Response:
    """Flask's own refusals: unknown route, wrong method, too large; and what went wrong inside, as 500."""
    status = error.code or 500
    words = {
        413: _TOO_LARGE,
        500: f"something went wrong inside; the service's log tells more of request {g.request_id}",
    }
    code = {413: "too_large", 415: "unsupported_media_type"}.get(status, error.name.lower().replace(" ", "_"))
    response = refuse(status, code, words.get(status) or error.description or error.name)
    for name, value in error.get_headers():  # as Allow, which belongs to a refused method
        response.headers.setdefault(name, value)
    return response


def refuse(status: int, code: str, message: str) -> Response:
    """JSON for programs, a page for people; who is not let in is told nothing of the collection."""
    tell_refused(code)
    if for_programs(request.path):
        response = make_response(jsonify({"error": {"code": code, "message": message}}), status)
    else:
        page = "error.html" if is_let_in() else "refused.html"
        response = make_response(render_template(page, message=message, state=EMPTY), status)
    if status == 503:  # noqa: PLR2004 - HTTP's
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def _page_context() -> dict[str, object]:
    opened = lent_or_none()
    if opened is None:
        return {"rooms": [], "manifest": None, "path": shlex.quote(str(served().path))}
    engine = opened.engine
    return {
        "manifest": opened.manifest,
        "is_sample": engine.files.credits() == CREDITS,
        "credits": engine.files.credits(),
        "page_ks": PAGE_KS,
        "modes": engine.modes,
        "targets": engine.targets,
        "poses": engine.catalogue.poses,
        "part": lambda image_id, corners=None: IndexedPicture(image_id, Box(*corners) if corners else None),
        "rooms": _ROOMS,
        "has_map": opened.picture_map.there,
        "of_parts": of_parts,
    }

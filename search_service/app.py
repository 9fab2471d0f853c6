"""The Flask application: routes, limits, and the one place where errors become responses."""

from flask import Flask, Response, current_app, g, jsonify, make_response, render_template, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from indexer.errors import EmptyCollectionError, ImageError, LookalikeError
from indexer.records import Box
from search_service.answer_schemas import ErrorSchema, problem
from search_service.api import MAX_BATCH_BYTES, api
from search_service.docs_page import docs
from search_service.engine import SearchEngine
from search_service.errors import RequestError
from search_service.map_data import PictureMap
from search_service.map_page import maps
from search_service.page_state import EMPTY, PAGE_KS
from search_service.pages import of_parts, pages
from search_service.quality_page import quality
from search_service.query_embedding import MAX_PICTURE_BYTES
from search_service.records import IndexedPicture
from search_service.request_log import add_request_log
from search_service.served_request import identify_requests, tell_refused
from search_service.server_timing import add_server_timing
from search_service.settings import Settings

_BASE64_GROWTH = 4 / 3
_HELD_PICTURE = 4 * 2**20  # bytes; what a page holds of an uploaded picture comes back as text
_REST_OF_REQUEST = 64 * 1024  # bytes for what surrounds the picture
_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


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


def create_app(engine: SearchEngine | None = None, settings: Settings | None = None) -> Flask:
    """The application around an engine; without one, around that of settings: those given, or the environment's.

    Raises:
        LookalikeError: the engine cannot be opened.
    """
    # It imports prometheus-client, which settles there whether processes count together: not before a worker runs.
    from search_service.metrics import add_metrics  # noqa: PLC0415

    app = Flask(__name__)
    identify_requests(app)
    add_request_log(app)
    settings = settings or (None if engine else Settings.from_environment())
    folder = settings.metrics_folder if settings else None
    app.extensions["lookalike_metrics"] = add_metrics(app, lambda: app.extensions["lookalike"], folder)
    app.config["MAX_CONTENT_LENGTH"] = int(MAX_PICTURE_BYTES * _BASE64_GROWTH) + _REST_OF_REQUEST
    app.config["MAX_FORM_MEMORY_SIZE"] = _HELD_PICTURE
    app.config.update(_SPECIFICATION)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    app.extensions["lookalike"] = engine or _open_engine(settings or Settings.from_environment())
    app.extensions["lookalike_map"] = _open_map(app.extensions["lookalike"])
    specification = app.extensions["specification"] = _Api(app)
    specification.register_blueprint(api)
    for pages_of in (pages, maps, quality, docs):
        app.register_blueprint(pages_of)
    for family in (RequestError, ImageError):
        app.register_error_handler(family, _refuse_known)
    app.register_error_handler(HTTPException, _refuse_http)
    app.after_request(_add_headers)
    add_server_timing(app)
    app.context_processor(lambda: _page_context(app.extensions["lookalike"]))
    return app


def _open_engine(settings: Settings) -> SearchEngine | EmptyCollectionError:
    """The engine, or why there is none yet: a service may be started before the first build."""
    try:
        opened = SearchEngine.open(settings)
    except EmptyCollectionError as error:
        return error
    opened.warm_up()
    return opened


def _open_map(engine: SearchEngine | EmptyCollectionError) -> PictureMap | None:
    return PictureMap(engine.collection) if isinstance(engine, SearchEngine) else None


def _refuse_known(error: LookalikeError) -> Response:
    status, told = problem(error)
    return refuse(status, **told)


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
    """JSON for programs, a page for people."""
    tell_refused(code)
    if request.path.startswith(("/api/v", "/healthz", "/readyz", "/metrics")):
        return make_response(jsonify({"error": {"code": code, "message": message}}), status)
    return make_response(render_template("error.html", message=message, state=EMPTY), status)


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _page_context(engine: SearchEngine | EmptyCollectionError) -> dict[str, object]:
    if isinstance(engine, EmptyCollectionError):
        return {"rooms": [], "manifest": None, "path": engine.path}
    return {
        "manifest": engine.collection.manifest,
        "credits": engine.files.credits(),
        "page_ks": PAGE_KS,
        "modes": engine.modes,
        "targets": engine.targets,
        "poses": engine.collection.poses,
        "whole": IndexedPicture,
        "region": lambda image_id, corners: IndexedPicture(image_id, Box(*corners)),
        "rooms": _ROOMS,
        "has_map": current_app.extensions["lookalike_map"].there,
        "of_parts": of_parts,
    }

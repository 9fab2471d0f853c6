"""The Flask application: routes, limits, and the one place where errors become responses."""

from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from indexer.errors import ImageError
from search_service.api import api
from search_service.engine import MAX_PICTURE_BYTES, SearchEngine
from search_service.errors import RequestError
from search_service.pages import PAGE_KS, pages
from search_service.settings import Settings

_BASE64_GROWTH = 4 / 3
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


def create_app(engine: SearchEngine | None = None) -> Flask:
    """The application around an engine; without one, around that of the environment's settings.

    Raises:
        LookalikeError: the engine cannot be opened.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = int(MAX_PICTURE_BYTES * _BASE64_GROWTH) + _REST_OF_REQUEST
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    app.extensions["lookalike"] = engine or SearchEngine.open(Settings.from_environment())
    app.register_blueprint(api)
    app.register_blueprint(pages)
    app.register_error_handler(RequestError, lambda error: refuse(error.status, error.code, str(error)))
    app.register_error_handler(ImageError, lambda error: refuse(400, "invalid_image", str(error)))
    app.register_error_handler(HTTPException, _refuse_http)
    app.after_request(_add_headers)
    app.context_processor(lambda: _page_context(app.extensions["lookalike"]))
    return app


def _refuse_http(error: HTTPException) -> Response:
    """Flask's own refusals: unknown route, wrong method, too large; and what went wrong inside, as 500."""
    status = error.code or 500
    words = {413: f"expected a picture of at most {MAX_PICTURE_BYTES // 2**20} MiB, found a larger request"}
    code = {413: "too_large", 415: "unsupported_media_type"}.get(status, error.name.lower().replace(" ", "_"))
    return refuse(status, code, words.get(status) or error.description or error.name)


def refuse(status: int, code: str, message: str) -> Response:
    """JSON for programs, a page for people."""
    if request.path == "/":
        return make_response(render_template("error.html", message=message), status)
    return make_response(jsonify({"error": {"code": code, "message": message}}), status)


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _page_context(engine: SearchEngine) -> dict[str, object]:
    return {
        "manifest": engine.collection.manifest,
        "credits": engine.credits(),
        "page_ks": PAGE_KS,
        "modes": engine.modes,
    }

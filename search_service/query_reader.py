"""An HTTP request -> the query it asks; the same for the API and for the page."""

import base64
import binascii
import json
from contextlib import closing
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from search_service.engine import DEFAULT_K, IndexedQuery, Query, UploadedQuery
from search_service.errors import RequestError

_JSON_FIELDS = {"image_id", "image_base64", "k"}
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


def read_query(request: Request) -> tuple[Query, int]:
    """The query of a POST, and how many results it wants.

    Raises:
        RequestError: no picture in it, or another content type than a form's or JSON's.
    """
    if request.is_json:
        return _read_json(request)
    if request.mimetype in _FORMS:
        return _read_form(request)
    found = request.mimetype or "none"
    raise RequestError(
        415, "unsupported_media_type", f"expected multipart/form-data or application/json, found {found}"
    )


def read_k(value: Any, default: int = DEFAULT_K) -> int:  # noqa: ANN401 - whatever a client sends
    """A number of results from a field; its range is the engine's to check.

    Raises:
        RequestError: it is not a whole number.
    """
    if value is None or value == "":
        return default
    try:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise RequestError(400, "invalid_k", f"expected k as a whole number, found {value!r:.50}")


def _read_form(request: Request) -> tuple[Query, int]:
    upload = request.files.get("image")
    if upload is None or not upload.filename:
        raise RequestError(400, "no_image", "expected a picture in the form's file field 'image', found none")
    with closing(upload):  # a large one lies in a temporary file
        data = upload.read()
    return UploadedQuery(data), read_k(request.form.get("k"))


def _read_json(request: Request) -> tuple[Query, int]:
    body = _parse_json(request)
    if not isinstance(body, dict):
        raise RequestError(400, "invalid_json", f"expected a JSON object, found {type(body).__name__}")
    unknown = sorted(set(body) - _JSON_FIELDS)
    if unknown:
        raise RequestError(400, "unknown_field", f"expected {sorted(_JSON_FIELDS)}, found {unknown[0]!r:.50}")
    given = [name for name in ("image_id", "image_base64") if body.get(name) is not None]
    if len(given) != 1:
        raise RequestError(
            400, "no_image", f"expected either image_id or image_base64, found {given or 'neither'}"
        )
    return _read_picture(body[given[0]], given[0]), read_k(body.get("k"))


def _parse_json(request: Request) -> Any:  # noqa: ANN401 - whatever a client sends
    data = request.get_data()
    if request.content_length is None and len(data) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge  # a body of chunks, which says its length nowhere, was cut off here
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = "one nested too deeply" if isinstance(error, RecursionError) else f"none ({error})"
        raise RequestError(400, "invalid_json", f"expected a JSON object, found {reason}") from error


def _read_picture(value: Any, name: str) -> Query:  # noqa: ANN401 - whatever a client sends
    if name == "image_id":
        if not isinstance(value, int) or isinstance(value, bool):
            raise RequestError(
                400, "invalid_image_id", f"expected image_id as a whole number, found {value!r:.50}"
            )
        return IndexedQuery(value)
    try:
        return UploadedQuery(base64.b64decode("".join(value.split()), validate=True))
    except (binascii.Error, AttributeError, ValueError) as error:
        raise RequestError(400, "invalid_base64", f"expected image_base64 in base64, found {error}") from error

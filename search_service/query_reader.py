"""An HTTP request -> the query it asks; the same for the API and for the page."""

import base64
import binascii
import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from search_service.errors import RequestError
from search_service.records import DEFAULT_K, IndexedQuery, Query, UploadedQuery, Wishes

_JSON_FIELDS = {"image_id", "image_base64", "k", "mode", "localize"}
_WORDS = {"true": True, "1": True, "false": False, "0": False}
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


def read_query(request: Request) -> tuple[Query, Wishes]:
    """The query of a POST, and what its answer should hold.

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


def read_wishes(fields: Mapping[str, Any], default_k: int = DEFAULT_K) -> Wishes:
    """What an answer should hold, from the fields of a form, an address or JSON.

    Raises:
        RequestError: a field is not of its kind; ranges are the engine's to check.
    """
    return Wishes(
        k=read_k(fields.get("k"), default_k),
        mode=_read_mode(fields.get("mode")),
        localize=_read_flag(fields.get("localize")),
    )


def _read_mode(value: Any) -> str | None:  # noqa: ANN401 - whatever a client sends
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    raise RequestError(400, "invalid_mode", f"expected mode as a word, found {value!r:.50}")


def _read_flag(value: Any) -> bool:  # noqa: ANN401 - whatever a client sends
    if value is None or value == "":
        return True
    known = value if isinstance(value, bool) else _WORDS.get(str(value).lower())
    if known is None:
        raise RequestError(400, "invalid_localize", f"expected localize as true or false, found {value!r:.50}")
    return known


def _read_form(request: Request) -> tuple[Query, Wishes]:
    upload = request.files.get("image")
    if upload is None or not upload.filename:
        raise RequestError(400, "no_image", "expected a picture in the form's file field 'image', found none")
    with closing(upload):  # a large one lies in a temporary file
        data = upload.read()
    return UploadedQuery(data), read_wishes(request.form)


def _read_json(request: Request) -> tuple[Query, Wishes]:
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
    return _read_picture(body[given[0]], given[0]), read_wishes(body)


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

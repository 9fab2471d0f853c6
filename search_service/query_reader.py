"""An HTTP request -> what it asks; the same for the API and for the pages."""

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from flask import Request
from marshmallow import Schema, ValidationError, fields
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from search_service.errors import RequestError
from search_service.fields import Corners, Upload

_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


def read_body(request: Request, in_json: Schema, in_form: Schema) -> Any:  # noqa: ANN401 - what the schema makes
    """What a POST asks, by one schema or the other.

    Raises:
        RequestError: the body is not what the schema says, or of another content type.
    """
    if request.is_json:
        return read_json(request, in_json)
    if request.mimetype in _FORMS:
        return read_form(request, in_form)
    found = request.mimetype or "none"
    raise RequestError(
        415, "unsupported_media_type", f"expected multipart/form-data or application/json, found {found}"
    )


def read_form(request: Request, schema: Schema) -> Any:  # noqa: ANN401 - what the schema makes
    """What a form asks, its files among its fields.

    Raises:
        RequestError: as `load`.
    """
    return load(schema, {**_flat_fields(request.form, schema), **_files(request.files, schema)})


def read_json(request: Request, schema: Schema) -> Any:  # noqa: ANN401 - what the schema makes
    """What a body of JSON asks.

    Raises:
        RequestError: the body is not JSON, or not what the schema says.
    """
    if not request.is_json:
        found = request.mimetype or "none"
        raise RequestError(415, "unsupported_media_type", f"expected application/json, found {found}")
    body = _parse_json(request)
    if not isinstance(body, dict):
        raise RequestError(400, "invalid_json", f"expected a JSON object, found {type(body).__name__}")
    return load(schema, body)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - whatever a client sends
    """The same without the fields that are null, which counts as not said."""
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def load(schema: Schema, data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what the schema makes
    """Load, and refuse in one line what cannot be.

    Raises:
        RequestError: a field is unknown, or not what it is expected to be.
    """
    try:
        return schema.load(data)
    except ValidationError as error:
        messages: Mapping[Any, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]  # marshmallow's
        raise _refusal(schema, messages, data) from error


def load_flat(schema: Schema, sent: MultiDict[str, str]) -> Any:  # noqa: ANN401 - what the schema makes
    """Load the fields of an address, or of a form without its files.

    Raises:
        RequestError: as `load`.
    """
    return load(schema, _flat_fields(sent, schema))


def _flat_fields(sent: MultiDict[str, str], schema: Schema) -> dict[str, Any]:
    """The fields of an address or a form: lists where the schema has lists, and without those left empty."""
    kinds = {field.data_key or name: field for name, field in schema.fields.items()}
    given = {name: [value for value in values if value] for name, values in sent.lists()}
    return {
        name: values if _is_said_again(kinds.get(name)) else values[0]
        for name, values in given.items()
        if values and not _is_upload(kinds.get(name))
    }


def _is_said_again(field: fields.Field[Any] | None) -> bool:
    """Whether it is a list whose values come one by one; a box comes as one text."""
    return isinstance(field, fields.List) and not isinstance(field, Corners)


def _is_upload(field: fields.Field[Any] | None) -> bool:
    return isinstance(field, fields.List) and isinstance(field.inner, Upload)


def read_files(sent: MultiDict[str, FileStorage], name: str) -> list[bytes]:
    """The bytes of a form's files under a name; a field that was left empty has none."""
    read = []
    for upload in sent.getlist(name):
        with closing(upload):  # a large one lies in a temporary file
            if upload.filename:
                read.append(upload.read())
    return read


def _files(sent: MultiDict[str, FileStorage], schema: Schema) -> dict[str, list[bytes]]:
    names = [name for name, field in schema.fields.items() if _is_upload(field)]
    for unknown in sorted(set(sent) - set(names)):
        raise RequestError(400, "unknown_field", f"expected files under {names}, found one under {unknown!r:.50}")
    return {name: read_files(sent, name) for name in names}


def _parse_json(request: Request) -> Any:  # noqa: ANN401 - whatever a client sends
    data = request.get_data()
    if request.content_length is None and len(data) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge  # a body of chunks, which says its length nowhere, was cut off here
    try:
        return _without_nulls(json.loads(data))
    except (ValueError, RecursionError) as error:
        reason = "a number of too many digits"
        if isinstance(error, RecursionError):
            reason = "one nested too deeply"
        elif isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            reason = f"none ({error})"
        raise RequestError(400, "invalid_json", f"expected a JSON object, found {reason}") from error


def _refusal(schema: Schema, messages: Mapping[Any, Any], data: Mapping[str, Any]) -> RequestError:
    """The first of marshmallow's messages as one line."""
    path, expected = _first(messages)
    name = ".".join(map(str, path))
    if expected == schema.error_messages["unknown"]:
        known = _known(schema, path[:-1])
        expected = f"fields of {known}" if known else "no fields"
        return RequestError(400, "unknown_field", f"expected {expected}, found {name!r:.50}")
    words = [part for part in path if isinstance(part, str)]
    found = _at(data, path)
    return RequestError(400, f"invalid_{words[-1]}", f"expected {name} to be {expected}, found {found!r:.50}")


def _known(schema: Schema, path: list[Any]) -> list[str]:
    """The names of the fields at a place."""
    for part in path:
        found = [field for name, field in schema.fields.items() if (field.data_key or name) == part]
        inner = found[0].inner if found and isinstance(found[0], fields.List) else found[0] if found else None
        if isinstance(inner, fields.Nested):
            schema = inner.schema
    return sorted(field.data_key or key for key, field in schema.fields.items())


def _first(messages: Mapping[Any, Any]) -> tuple[list[Any], str]:
    """Where the first message stands, and what it says."""
    path: list[Any] = []
    inner: Any = messages
    while isinstance(inner, Mapping):
        name, inner = next(iter(inner.items()))
        path.append(name)
    said = inner[0] if isinstance(inner, list) else inner
    return [part for part in path if part != "_schema"], str(said)


def _at(data: Any, path: list[Any]) -> Any:  # noqa: ANN401 - whatever a client sends
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data

"""Kinds of values in requests: each says in its error what it expects, to go after "expected NAME to be"."""

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote

from marshmallow import ValidationError, fields, validate

from indexer.records import Box
from search_service.errors import RequestError

_LONGEST_WORD, _MOST_WORDS = 200, 100


class Whole(fields.Integer):
    """A whole number, in JSON or as text."""

    default_error_messages = {"invalid": "a whole number", "too_large": "a smaller number"}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401
        if isinstance(value, bool | float) or (isinstance(value, str) and not value.isascii()):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class Number(fields.Float):
    """A finite number."""

    default_error_messages = {  # noqa: RUF012
        "invalid": "a number",
        "special": "a finite number",
        "too_large": "a smaller number",
    }


class Flag(fields.Boolean):
    """True or false, in JSON or as text."""

    default_error_messages = {"invalid": "true or false"}  # noqa: RUF012


class Word(fields.String):
    """A short text."""

    default_error_messages = {"invalid": "a word", "invalid_utf8": "a word in UTF-8"}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - marshmallow's own
        length = validate.Length(1, _LONGEST_WORD, error=f"of 1 to {_LONGEST_WORD} letters")
        super().__init__(**{"validate": length, **kwargs})


class Words(fields.List[str]):
    """A list of short texts; in an address or a form, the field said again for each."""

    default_error_messages = {"invalid": "a list of words"}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - marshmallow's own
        most = validate.Length(max=_MOST_WORDS, error=f"a list of at most {_MOST_WORDS} words")
        super().__init__(Word(), validate=most, **kwargs)


class Corners(fields.List[float]):
    """A box, [xmin, ymin, xmax, ymax] in pixels, half-open; in an address or a form with commas between."""

    default_error_messages = {"invalid": "four numbers: xmin, ymin, xmax, ymax"}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - marshmallow's own
        corners = validate.Length(equal=4, error="four numbers: xmin, ymin, xmax, ymax")
        super().__init__(fields.Float(allow_nan=False), validate=corners, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        parts = value.split(",") if isinstance(value, str) else value
        try:
            xmin, ymin, xmax, ymax = (
                corner or 0.0 for corner in super()._deserialize(parts, attr, data, **kwargs)
            )
        except (ValidationError, ValueError):
            raise self.make_error("invalid") from None
        try:
            return Box(xmin, ymin, xmax, ymax)
        except ValueError:
            raise ValidationError("a box with xmin < xmax and ymin < ymax") from None

    def _validate(self, value: Any) -> None:  # noqa: ANN401 - a Box, which holds what is asked of it
        pass


_DATA_URI = re.compile(r"\s*data:([^,]*),", re.IGNORECASE)  # RFC 2397


class Base64(fields.String):
    """Bytes in base64 of either alphabet (RFC 4648), with padding or without, plain or as a data URI.

    Line breaks and spaces do not count.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # noqa: ANN401, ARG002
        if not isinstance(value, str):
            raise _not_base64(repr(value)[:50])
        if uri := _DATA_URI.match(value):
            if "base64" not in uri[1].replace(" ", "").lower().split(";")[1:]:
                raise _not_base64("a data URI without ;base64")
            value = unquote(value[uri.end() :])
        letters = "".join(value.split()).replace("-", "+").replace("_", "/").rstrip("=")
        try:
            return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise _not_base64("another text") from error


def _not_base64(found: str) -> RequestError:
    message = f"expected image_base64 to be the bytes of a file in base64, and nothing else, found {found}"
    return RequestError(400, "invalid_base64", message)


class Upload(fields.Raw):
    """The bytes of a file that comes with a form."""

    def __init__(self) -> None:
        super().__init__(metadata={"type": "string", "format": "binary"})

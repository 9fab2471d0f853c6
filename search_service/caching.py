"""Responses that a client may keep, and that are not made again where it has them."""

from collections.abc import Callable

from flask import Response, request

from search_service.packed import Packed

_FOR_GOOD = 31_536_000  # seconds; a year, the longest that caches are asked to keep anything


def cached(etag: str, make: Callable[[], Response]) -> Response:
    """A response that a client may keep; not made at all where it has it already."""
    response = Response(status=304) if etag in request.if_none_match else make()
    response.set_etag(etag)
    response.cache_control.private = True
    response.cache_control.max_age = _FOR_GOOD if "v" in request.args else 0
    response.cache_control.immutable = "v" in request.args
    return response


def packed(content: Packed) -> Response:
    """A response that a client may keep, compressed where it takes that."""
    compressed = request.accept_encodings.quality("gzip") > 0
    encoding = {"Content-Encoding": "gzip"} if compressed else {}
    response = cached(
        content.etag(compressed=compressed),
        lambda: Response(content.body(compressed=compressed), content_type=content.content_type, headers=encoding),
    )
    response.vary.add("Accept-Encoding")
    return response

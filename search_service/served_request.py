"""What is told of a request once it is answered, to who writes it down or counts it: nothing of its content."""

import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Flask, Response, g, request

ID_HEADER = "X-Request-ID"
OTHER = "other"
"""Stands for every route and method that there is not: what clients make up is neither written nor counted."""
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRequest:
    """One request and how it was answered.

    Attributes:
        method: of HTTP, or `OTHER`.
        route: the rule that answered, such as `/images/<int:image_id>`, or `OTHER`.
        status: of HTTP.
        seconds: from its first line in Flask to its answer.
        bytes_in: of its body.
        bytes_out: of its answer's body; 0 where that has no known length.
        stages: milliseconds of each stage, as `Server-Timing` tells them; empty where none was told.
        batches: pictures in each of the batches that began with a picture of this request.
        refused: codes of what was refused: one, or in a batch of queries any number.
        role: of the key that it came with; None without one.
    """

    method: str
    route: str
    status: int
    seconds: float
    bytes_in: int
    bytes_out: int
    stages: Mapping[str, float]
    batches: Sequence[int]
    refused: Sequence[str]
    role: str | None


def identify_requests(app: Flask) -> None:
    """Give each request an id, its client's where that is well formed, and tell it in the response's header."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()
        sent = request.headers.get(ID_HEADER, "")
        g.request_id = sent if _WELL_FORMED.fullmatch(sent) else uuid.uuid4().hex

    @app.after_request
    def tell_id(response: Response) -> Response:
        response.headers[ID_HEADER] = g.request_id
        return response


def tell_refused(code: str) -> None:
    """Have it told that this request, or one of its queries, was refused."""
    g.setdefault("refused", []).append(code)


def describe(response: Response) -> ServedRequest:
    """What is told of the request that this response answers."""
    return ServedRequest(
        method=request.method if request.method in _METHODS else OTHER,
        route=request.url_rule.rule if request.url_rule else OTHER,
        status=response.status_code,
        seconds=time.perf_counter() - g.began,
        bytes_in=request.content_length or 0,
        bytes_out=response.content_length or response.calculate_content_length() or 0,
        stages=g.get("stages", {}),
        batches=g.get("batches", ()),
        refused=g.get("refused", ()),
        role=g.get("role"),
    )

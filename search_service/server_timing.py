"""The `Server-Timing` header of the W3C: what the stages of an answer took, where browsers look for it."""

import time

from flask import Flask, Response, g

from search_service.records import Timings

HEADER = {
    "Server-Timing": {
        "description": "milliseconds of each stage, and of the whole request: `decode;dur=3.1, ...`",
        "schema": {"type": "string"},
    }
}
"""The header as the specification tells of it."""


def tell(timings: Timings) -> None:
    """Have the response to this request tell of these stages."""
    g.stages = timings.stages
    g.batches = timings.batches


def add_server_timing(app: Flask) -> None:
    """Have the responses of an application carry the header, where `tell` was called.

    The application must have `identify_requests` first, which notes when each began.
    """

    @app.after_request
    def add_header(response: Response) -> Response:
        if "stages" in g:
            took = g.stages | {"total": 1_000 * (time.perf_counter() - g.began)}
            response.headers["Server-Timing"] = ", ".join(
                f"{name};dur={value:.3f}" for name, value in took.items()
            )
        return response

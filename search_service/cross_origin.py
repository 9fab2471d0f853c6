"""Which other sites' pages may use the API from a browser: none, but for those that are named."""

import re

from flask import Flask
from flask_cors import CORS

from search_service.access import ANY_ORIGIN

_TOLD = ("Server-Timing", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_ASKED_AGAIN_AFTER = 600  # seconds; how long a browser remembers that it may


def allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    """Let the scripts of these origins use the API, by keys in headers; browsers add none by themselves."""
    if not origins:
        return
    CORS(
        app,
        resources=r"/api/.*",
        origins=ANY_ORIGIN if ANY_ORIGIN in origins else [_exactly(origin) for origin in origins],
        methods=["GET", "HEAD", "POST"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key"],
        expose_headers=list(_TOLD),
        max_age=_ASKED_AGAIN_AFTER,
        send_wildcard=True,
        always_send=False,
        intercept_exceptions=False,  # errors become responses before any of this
    )


def _exactly(origin: str) -> re.Pattern[str]:
    """The library takes brackets, as addresses have them, for a regular expression; so all are given as one."""
    return re.compile(rf"{re.escape(origin)}\Z")

"""Refusals that are told before the application is asked: JSON for programs, one line for people."""

import json
import logging
from dataclasses import dataclass

from search_service.security_headers import OF_NO_PAGE

RETRY_AFTER = "1"
"""Seconds after which a busy service is worth another try: few requests take longer."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered; told in the log where it is written.

    Attributes:
        status: of HTTP.
        code: a word for programs, stable.
        message: one line for people; holds nothing of what was sent.
    """

    status: int
    code: str
    message: str

    def write(self, path: str) -> tuple[list[tuple[str, str]], bytes]:
        """Headers and body of the response to a request for a path, which is empty where it is not known."""
        logger.warning("request", extra={"status": self.status, "refused": [self.code]})
        kind, body = "text/plain; charset=utf-8", f"{self.message}\n"
        if for_programs(path):
            kind = "application/json"
            body = json.dumps({"error": {"code": self.code, "message": self.message}}) + "\n"
        encoded = body.encode()
        told = {
            "Content-Type": kind,
            "Content-Length": str(len(encoded)),
            **OF_NO_PAGE,
        }
        if self.status == 503:  # noqa: PLR2004 - HTTP's
            told["Retry-After"] = RETRY_AFTER
        return list(told.items()), encoded


def for_programs(path: str) -> bool:
    """Whether programs ask there, who are answered in JSON."""
    return path.startswith(("/api/v", "/healthz", "/readyz", "/metrics"))

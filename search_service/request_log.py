"""The log: a line for each request and each mishap, as text or as JSON, every line with the id of its request."""

import logging
import re
import sys
from datetime import datetime
from types import TracebackType
from typing import Any, TextIO

from flask import Flask, Response, g, has_app_context, request
from pythonjsonlogger.core import BaseJsonFormatter
from pythonjsonlogger.json import JsonFormatter

from search_service.served_request import OTHER, ServedRequest, describe

_RENAMED = {"levelname": "level", "name": "logger"}
_FIELDS = ("levelname", "name", "message")
_QUIET = {"/healthz", "/readyz", "/metrics"}  # asked every few seconds by whoever watches the service
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OVERLOADED = 503

logger = logging.getLogger(__name__)


class TextFormatter(BaseJsonFormatter):
    """A record as one line for people; those of a traceback are indented, that nothing sent can forge a line."""

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """The line of these fields."""
        trace = str(log_data.pop("exc_info", "")).splitlines()
        moment: datetime = log_data.pop("time")
        begin = [log_data.pop(name) for name in ("level", "logger", "message")]
        words = [*begin, *(f"{name}={_plain(value)}" for name, value in log_data.items())]
        lines = [" ".join([moment.isoformat(timespec="milliseconds"), *map(str, words)]), *trace]
        return "\n    ".join(_CONTROLS.sub(_escape, line) for line in lines)


class _RequestIdFilter(logging.Filter):
    """Adds the id of the request during which a line is written, whoever writes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if has_app_context() and "request_id" in g:
            record.request_id = g.request_id
        return True


def configure_logging(style: str, level: str, stream: TextIO | None = None) -> None:
    """Write whatever this process logs to a stream, standard error where none is given; call it once.

    Args:
        style: `text` or `json`.
        level: the least that is written: `debug`, `info`, `warning` or `error`.
        stream: where to.
    """
    formatter = {"text": TextFormatter, "json": JsonFormatter}[style]
    handler = logging.StreamHandler(stream or sys.stderr)
    # A default comes first, and is then set: so the time begins the line.
    handler.setFormatter(formatter(_FIELDS, rename_fields=_RENAMED, timestamp="time", defaults={"time": None}))
    handler.addFilter(_RequestIdFilter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)


def add_request_log(app: Flask) -> None:
    """Write a line for each request that an application answers, and for each error inside it."""

    @app.after_request
    def write(response: Response) -> Response:
        served = describe(response)
        logger.log(_level(served), "request", extra=_fields(served))
        return response

    app.log_exception = _log_failure  # type: ignore[method-assign]  # Flask's own line holds the path that was sent


def _log_failure(exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None]) -> None:
    route = request.url_rule.rule if request.url_rule else OTHER
    logger.error("failure", exc_info=exc_info, extra={"route": route})


def _level(served: ServedRequest) -> int:
    if served.status >= 500 and served.status != _OVERLOADED:  # noqa: PLR2004 - where HTTP's server errors begin
        return logging.ERROR
    if served.refused:
        return logging.WARNING
    return logging.DEBUG if served.route in _QUIET else logging.INFO


def _fields(served: ServedRequest) -> dict[str, Any]:
    """What a line tells; what there is not is left out."""
    fields = {
        "method": served.method,
        "route": served.route,
        "status": served.status,
        "ms": round(1_000 * served.seconds, 1),
        "bytes_in": served.bytes_in,
        "bytes_out": served.bytes_out,
    }
    optional = {
        "stages": {name: round(value, 1) for name, value in served.stages.items()},
        "refused": list(served.refused),
        "role": served.role,
    }
    return fields | {name: value for name, value in optional.items() if value}


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever is logged
    if isinstance(value, dict):
        return ",".join(f"{name}:{one}" for name, one in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()

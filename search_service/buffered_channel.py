"""One connection of the server: its requests as they come in, its answers as they go out."""

import socket
import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest

from search_service.refusals import Refusal

_LINGERING = 30  # seconds in which a client may send what it was told is not wanted
_RECEIVED_AT_ONCE = 64 * 1024  # bytes
_MIB = 2**20


class _RequestTimeout(BadRequest):  # type: ignore[misc]  # waitress is not typed
    code = 408
    reason = "Request Timeout"


class _Request(HTTPRequestParser):  # type: ignore[misc]  # waitress is not typed
    """A request that comes in; it begins with its first byte."""

    path = ""  # until the first line is there

    def __init__(self, adj: Any) -> None:  # noqa: ANN401 - waitress's
        super().__init__(adj)
        self.began = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        """Called by waitress; refuses two lengths, which servers on the way might not read alike."""
        super().parse_header(header_plus)
        if ("CONTENT_LENGTH" in self.headers and self.chunked) or "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("length told twice, or in a way that this version of HTTP lacks")


class _Answer(WSGITask):  # type: ignore[misc]  # waitress is not typed
    """An answer of the application; the last on its connection where the server stops."""

    def build_response_header(self) -> bytes:
        """Called by waitress."""
        if self.channel.server.stopping:
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class _RefusedRequest(ErrorTask):  # type: ignore[misc]  # waitress is not typed
    """What the application never sees, for it is not HTTP, too large or too late; waitress's words quote it."""

    def execute(self) -> None:
        """Called by waitress."""
        error = self.request.error
        headers, body = _refusal(error.code, self.channel.server.limits).write(self.request.path)
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(headers)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.channel.refused = True
        self.write(body)


class BufferedChannel(HTTPChannel):  # type: ignore[misc]  # waitress is not typed
    """One connection.

    Attributes:
        refused: whether the last answer was that the request cannot be taken in.
    """

    parser_class = _Request
    task_class = _Answer
    error_task_class = _RefusedRequest

    request: Any  # waitress's: what has come in of the next one
    close_when_flushed: bool  # waitress's
    refused = False
    _lingers = False  # it was refused, and what it still sends is thrown away
    _asked = 0.0  # when the application, or what refuses, was last asked; of the monotonic clock

    def service(self) -> None:
        """Called by waitress, in a thread."""
        self._asked = time.monotonic()
        super().service()

    def check_pace(self) -> None:
        """Let go of the client if it takes too long, or if the server stops and owes it nothing."""
        now, limits = time.monotonic(), self.server.limits
        if self.requests:
            return  # it is the service's turn
        if self._lingers:
            self.will_close = self.server.stopping or now - self._asked > _LINGERING
        elif self.request is not None:
            if now - self.request.began > limits.request_seconds:
                self._refuse_late_request()
        elif self.total_outbufs_len:
            self.will_close |= now - self._asked > limits.answer_seconds
        else:
            self.will_close |= self.server.stopping

    def _refuse_late_request(self) -> None:
        with self.requests_lock:
            request, self.request = self.request, None
            request.error = _RequestTimeout("")
            request.completed = True
            self.requests.append(request)
            self.server.add_task(self)

    def handle_write(self) -> None:
        """Called by waitress; lets a client that was refused read why, though it may still be sending.

        A connection that is closed while something comes in is broken off, and what was said over it is lost.
        """
        if self.refused and self.close_when_flushed and not self.total_outbufs_len:
            self.close_when_flushed, self._lingers = False, True
            self.socket.shutdown(socket.SHUT_WR)
        else:
            super().handle_write()

    def readable(self) -> bool:
        """Called by waitress."""
        return self._lingers or super().readable()

    def handle_read(self) -> None:
        """Called by waitress."""
        if self._lingers:
            self.recv(_RECEIVED_AT_ONCE)
        else:
            super().handle_read()

    def _flush_outbufs_below_high_watermark(self) -> None:
        """In place of waitress's, which has the thread wait for a client that asks on and reads nothing."""
        if self.total_outbufs_len > self.adj.outbuf_high_watermark:
            self.will_close = True
            self.connected = False


def _refusal(status: int, limits: Any) -> Refusal:  # noqa: ANN401 - those of the server, which builds on this
    """What waitress found, in our words."""
    code, message = {
        400: (
            "bad_request",
            "expected a request as its headers describe it, found another; check length and chunks",
        ),
        408: (
            "request_timeout",
            f"expected the request within {limits.request_seconds} seconds, found it unfinished",
        ),
        413: ("too_large", f"expected a body of at most {limits.body_bytes // _MIB} MiB, found a larger one"),
        431: (
            "request_header_fields_too_large",
            f"expected an address and headers of at most {limits.head_bytes // 1024} KiB, found longer ones",
        ),
        501: ("not_implemented", "expected no transfer coding but chunked, found another"),
    }.get(status, ("internal_server_error", "the service met with an error; its log tells which"))
    return Refusal(status, code, message)

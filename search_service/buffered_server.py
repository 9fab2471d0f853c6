"""HTTP by waitress: one loop takes requests in whole, and hands answers out at each client's pace.

A thread sees a request once all of it is there, and puts its answer down without waiting for its reader: clients,
however slow, hold up nobody but themselves.
"""

import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from search_service.buffered_channel import BufferedChannel
from search_service.deadline import Deadline

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_RECEIVED_AT_ONCE = 64 * 1024  # bytes; waitress takes 8 KiB, and so a dozen turns to take in a picture
_TURN = 1  # seconds that the loop waits, at most, until it looks for clients that are late

logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that requests wait is nothing to warn of


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients may take.

    Attributes:
        head_bytes: of a request's first line and headers; addresses hold embeddings, some 8,000 bytes of them.
        body_bytes: of a request's body.
        connections: open at once, at most; further ones wait until there is room.
        request_seconds: from the first byte of a request to its last.
        answer_seconds: until an answer is worked out and taken.
        idle_seconds: that a connection is kept open while nothing comes or goes.
    """

    head_bytes: int = 32 * 1024
    body_bytes: int
    connections: int = 1_000
    request_seconds: float = 60
    answer_seconds: float = 300
    idle_seconds: int = 60


class BufferedServer(TcpWSGIServer):  # type: ignore[misc]  # waitress is not typed
    """Serves an application to those who come to a socket that listens already.

    Args:
        application: what answers.
        listener: the socket.
        threads: in which the application is asked.
        limits: what clients may take.
        bell: reading end of a pipe; whatever comes through it ends a turn of the loop early.
    """

    channel_class = BufferedChannel

    def __init__(
        self, application: "WSGIApplication", listener: socket.socket, threads: int, limits: Limits, bell: int
    ) -> None:
        self.limits = limits
        self.stopping = False
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        super().__init__(
            application,
            map={},
            _sock=listener,
            dispatcher=dispatcher,
            adj=_adjustments(limits),
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        _Bell(bell, self._map)

    def turn(self) -> None:
        """Wait until something comes or may go, for a second at most, and see to it."""
        wasyncore.poll2(_TURN, self._map)

    def maintenance(self, now: float) -> None:
        """Let go of clients that are late; called every second."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            channel.check_pace()

    def stop(self, seconds: float, beat: Callable[[], None]) -> bool:
        """Accept nobody any more, finish what is begun, and close; what is not done in time is cut off.

        Args:
            seconds: in which all has to be done.
            beat: called every second meanwhile.

        Returns:
            Whether all was done.
        """
        deadline = Deadline.after(seconds)
        self.stopping = True
        wasyncore.dispatcher.close(self)  # the listening socket alone: threads still wake the loop
        self.maintenance(time.time())
        while self.active_channels and deadline.remaining():
            beat()
            self.turn()
            self.maintenance(time.time())
        done = not self.active_channels
        self.task_dispatcher.shutdown(timeout=deadline.remaining())
        wasyncore.close_all(self._map)
        return done and not self.task_dispatcher.threads


class _Bell(wasyncore.file_dispatcher):  # type: ignore[misc]  # waitress is not typed
    """Wakes the loop, and does nothing else."""

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.recv(_RECEIVED_AT_ONCE)


def _adjustments(limits: Limits) -> Any:  # noqa: ANN401 - waitress's
    return Adjustments(
        max_request_header_size=limits.head_bytes + 1,  # waitress refuses what is as long as its limit
        max_request_body_size=limits.body_bytes + 1,
        connection_limit=limits.connections,
        channel_timeout=limits.idle_seconds,
        cleanup_interval=_TURN,
        recv_bytes=_RECEIVED_AT_ONCE,
        log_socket_errors=False,  # clients go whenever they like
        ident="Lookalike",
        clear_untrusted_proxy_headers=False,  # which of them to trust, the application knows
    )

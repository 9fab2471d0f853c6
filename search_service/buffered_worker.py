"""One process of the service: gunicorn replaces it when it dies, waitress serves in it."""

import os
import resource
import signal
import sys
import threading
from types import FrameType

from gunicorn.workers.base import Worker

from search_service.buffered_server import BufferedServer, Limits

_OPEN_FILES = 4_096  # a connection may take three: itself, and files for a large request and its answer


class BufferedWorker(Worker):  # type: ignore[misc]  # gunicorn is not typed
    """Serves the application that gunicorn loads, until told to stop.

    Of the application's extensions it calls `lookalike_hang_up` on SIGHUP, in a thread of its own, and
    `lookalike_close` once the last answer is given, if they are there.
    """

    _hung_up = False

    def init_signals(self) -> None:
        """Called by gunicorn; what comes wakes the loop, through the pipe."""
        super().init_signals()
        signal.signal(signal.SIGINT, self.handle_exit)  # a terminal sends it to all processes
        signal.signal(signal.SIGHUP, self._handle_hang_up)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called on SIGTERM and SIGINT; while the application is still loaded there is nothing to finish."""
        super().handle_exit(sig, frame)
        if not self.booted:
            sys.exit(0)

    def _handle_hang_up(self, _: int, __: FrameType | None) -> None:
        self._hung_up = True

    def run(self) -> None:
        """Called by gunicorn, once the application is loaded."""
        settings, [listener] = self.app.settings, self.sockets
        limits = Limits(body_bytes=self.app.body_bytes, connections=_connections())
        server = BufferedServer(self.wsgi, listener.sock, settings.pool, limits, self.PIPE[0])
        while self.alive and os.getppid() == self.ppid:
            self.notify()
            server.turn()
            self._pass_hang_up_on()
        if server.stop(settings.grace, self.notify):
            self._call("lookalike_close")
        os._exit(0)  # Python would wait for threads still at work, and take the network to pieces for a second

    def _pass_hang_up_on(self) -> None:
        if self._hung_up:
            self._hung_up = False
            threading.Thread(target=self._call, args=("lookalike_hang_up",), name="hang-up").start()

    def _call(self, extension: str) -> None:
        if extension in self.wsgi.extensions:
            self.wsgi.extensions[extension]()


def _connections() -> int:
    """How many there is room for, with as many open files as the system grants, up to what is enough."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return files // 4

"""Runs the application: gunicorn keeps its processes alive, each of which serves by waitress."""

import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from indexer.errors import LookalikeError
from search_service.admission import Admission, Places
from search_service.api import MAX_BATCH_BYTES
from search_service.app import create_app
from search_service.buffered_worker import BufferedWorker
from search_service.counting_together import counting_together
from search_service.errors import AddressError
from search_service.settings import ServerSettings, Settings

_LAST_WORDS = 1  # seconds, after the grace time, in which a process that did not finish ends by itself


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
    """gunicorn around our application; each worker opens its engine after the fork, for torch survives none.

    Attributes:
        settings: how to serve.
        body_bytes: what the body of a request may have, at most.
    """

    body_bytes = MAX_BATCH_BYTES

    def __init__(self, open_app: Callable[[], Flask], settings: ServerSettings, counts: Path) -> None:
        self._open_app = open_app
        self._counts = counts
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        for name, value in _options(self.settings, self._counts).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called by gunicorn in each worker."""
        try:
            app = self._open_app()
        except (LookalikeError, OSError) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(Arbiter.APP_LOAD_ERROR)
        places = Places(self.settings.threads, self.settings.queue)
        app.extensions["lookalike_metrics"].watch(places)
        app.wsgi_app = Admission(app.wsgi_app, places, self.settings.deadline)  # type: ignore[method-assign]
        return app

    def run(self) -> None:
        """Serve until stopped."""
        _Master(self).run()


class _Master(Arbiter):  # type: ignore[misc]  # gunicorn is not typed
    """Keeps the workers alive, and passes on to them what it is told."""

    handle_int = Arbiter.handle_term  # to finish what was begun; told again, it ends at once

    def handle_hup(self) -> None:
        """Have the workers look for what is new; gunicorn would replace them."""
        self.kill_workers(signal.SIGHUP)


class _Log(Logger):  # type: ignore[misc]  # gunicorn is not typed
    """gunicorn's lines among all others, written as they are."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401 - gunicorn's
        """Called by gunicorn."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def serve(settings: Settings, server: ServerSettings) -> None:
    """Serve until stopped; says so once it is ready.

    Raises:
        AddressError: nothing can listen at that address.
    """
    _check_free(server.host, server.port)
    counts = Path(tempfile.mkdtemp(prefix="lookalike-counts-"))
    Server(lambda: create_app(settings=replace(settings, metrics_folder=counts)), server, counts).run()


def _options(settings: ServerSettings, counts: Path) -> dict[str, Any]:
    """What gunicorn has to be told."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "workers": settings.workers,
        "worker_class": BufferedWorker,
        "timeout": 120,
        "graceful_timeout": int(settings.grace) + _LAST_WORDS,
        "loglevel": "warning",
        "logger_class": _Log,
        "control_socket_disable": True,
        "post_worker_init": lambda worker: _announce(worker.age, f"http://{host}:{settings.port}"),
        **counting_together(counts),
    }


def _check_free(host: str, port: int) -> None:
    """Try to listen, for gunicorn itself would try for seconds and say so in many lines."""
    if not host:
        raise AddressError("expected an address to listen at, found none; 127.0.0.1 is this machine alone")
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise AddressError(f"expected port {port} of {host} to be free, found {reason}; choose --port") from error


def _announce(worker_number: int, address: str) -> None:
    if worker_number == 1:
        click.echo(f"Lookalike answers at {address}")

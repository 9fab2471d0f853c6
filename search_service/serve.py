"""Runs the application under gunicorn."""

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
from gunicorn.http.errors import ParseException

from indexer.errors import LookalikeError
from search_service.app import create_app, refuse
from search_service.counting_together import counting_together
from search_service.errors import AddressError
from search_service.settings import Settings

_BROKEN_BODY = "expected a body as its headers describe it, found another; check its chunks"


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
    """gunicorn around our application; each worker opens its engine after the fork, for torch survives none."""

    def __init__(self, open_app: Callable[[], Flask], options: dict[str, Any]) -> None:
        self._open_app = open_app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called by gunicorn in each worker."""
        try:
            app = self._open_app()
        except (LookalikeError, OSError) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(Arbiter.APP_LOAD_ERROR)
        app.register_error_handler(ParseException, lambda _: refuse(400, "bad_request", _BROKEN_BODY))
        return app


class _Log(Logger):  # type: ignore[misc]  # gunicorn is not typed
    """gunicorn's lines among all others, written as they are."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401 - gunicorn's
        """Called by gunicorn."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def serve(settings: Settings, *, host: str, port: int, workers: int, threads: int) -> None:
    """Serve until stopped; says so once it is ready.

    Raises:
        AddressError: nothing can listen at that address.
    """
    _check_free(host, port)
    counts = Path(tempfile.mkdtemp(prefix="lookalike-counts-"))
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": workers,
        "threads": threads,
        "worker_class": "gthread",
        "timeout": 120,
        "loglevel": "warning",
        "logger_class": _Log,
        "control_socket_disable": True,
        "limit_request_line": 8190,  # bytes, the most there is: addresses hold embeddings
        "post_worker_init": lambda worker: _announce(worker.age, address),
        **counting_together(counts),
    }
    Server(lambda: create_app(settings=replace(settings, metrics_folder=counts)), options).run()


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

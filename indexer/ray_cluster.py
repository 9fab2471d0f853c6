"""The Ray cluster that a build embeds on: joined, or started for as long as the build takes."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

import ray
from ray._private.node import Node
from ray.exceptions import RayError

from indexer.engine_settings import AUTO, Engine
from indexer.errors import InferenceError

_STORE = 512 << 20  # bytes of shared memory of a cluster of our own
_QUIET = {  # Ray takes these from the environment alone
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # it warns of how Ray Data makes actors; errors are raised
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the default to come, of which it warns
}
_STDERR = 2  # its number; other languages than Python know no other name
# What gRPC, which Ray speaks, begins with (RFC 9113, 3.4), and what answers it: the same, or that it is encrypted.
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HTTP2_SETTINGS, _TLS_ALERT = bytes([4]), bytes([21])
_PATIENCE = 5  # seconds until a host that does not answer is given up


class Cluster:
    """A Ray cluster, connected to when it is first needed; a context, at the end of which it is left.

    One that this process is connected to already is taken as it is, and stays.

    Args:
        engine: which, and how many actors.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._joined = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._joined:
            ray.shutdown()

    def join(self) -> int:
        """Connect, if that is still to be done; how many actors to have there.

        Raises:
            InferenceError: no cluster can be reached.
        """
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what else it has to say is raised, too
        if not ray.is_initialized():
            _connect(self._engine)
            self._joined = True
        nodes = [
            node
            for node in cast("Callable[[], list[dict[str, Any]]]", ray.nodes)()
            if node["Alive"] and node["Resources"].get("CPU")
        ]
        return self._engine.actors or len(nodes)


def lost(error: RayError) -> InferenceError:
    """The error that a cluster ended before the work did."""
    return InferenceError(
        f"expected the Ray cluster to embed on, lost it ({_first_line(error)}); what is done is kept; run the "
        "same command to go on"
    )


def _connect(engine: Engine) -> None:
    """Join the cluster at an address, or start one here, with room for more than the actors.

    One of our own does without two processes of Ray's: its dashboard's asks several clouds whether they run this
    machine, be usage reported or not, and that of its autoscaler looks up the machine's name.
    """
    Node.start_api_server = Node.start_monitor = _start_nothing  # type: ignore[method-assign]
    if engine.address not in (None, AUTO):
        _check_reachable(engine.address)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    own: dict[str, Any] = {
        "num_cpus": (engine.actors or 1) + (os.cpu_count() or 1),
        "object_store_memory": _STORE,
        "include_dashboard": False,
    }
    try:
        with _hushed():
            ray.init(
                engine.address or "local",
                logging_level=logging.ERROR,
                log_to_driver=False,
                **({} if engine.address else own),
            )
    # Ray ends a process by a signal of its own where what answers is no cluster.
    except (RayError, ConnectionError, RuntimeError, ValueError, SystemExit) as error:
        raise _unreachable(engine.address, error) from error


def _start_nothing(*_: object, **__: object) -> None:
    """In the place of what starts a process."""


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep off the terminal what Ray's C++ tells while it starts: that it found a setting, that a host is slow."""
    terminal = os.dup(_STDERR)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(terminal, _STDERR)
        os.close(terminal)


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes, and end the process."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _PATIENCE) as connection:
            connection.sendall(_HTTP2_HELLO)
            answer = connection.recv(4)
    except (OSError, ValueError, OverflowError) as error:
        raise _unreachable(address, error) from error
    if answer[3:] != _HTTP2_SETTINGS and answer[:1] != _TLS_ALERT:
        raise _unreachable(address, ConnectionError("what answers there is no Ray"))


def _unreachable(address: str | None, error: BaseException) -> InferenceError:
    return InferenceError(
        f"expected a Ray cluster at {address or 'this machine'}, found none ({_first_line(error)}); give "
        "--ray-address HOST:PORT of its head, or auto, or leave it out to start one here"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

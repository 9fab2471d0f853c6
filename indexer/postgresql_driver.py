"""Connections to PostgreSQL that never wait longer than they are told to, and rows in bulk; the only psycopg."""

import math
import time
from collections.abc import Generator, Iterable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import Error, InterfaceError, OperationalError, sql

__all__ = ["BoundedConnection", "Error", "InterfaceError", "OperationalError", "connect", "copy_rows"]

Answer = TypeVar("Answer")

_MILLISECONDS = 1_000
_GRACE = 0.5  # seconds that the server has to tell that a statement took too long, before it is given up
_LEAST_CONNECT_TIMEOUT = 2  # seconds; the driver's own


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed where the server does not answer in time, as one that is frozen.

    Attributes:
        patience: seconds for one answer; None without end.
    """

    patience: float | None = None

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the driver's own
        """Wait for an answer; the driver tells each tenth of a second that there is none yet."""
        waited = gen if self.patience is None else self._bounded(gen, time.monotonic() + self.patience)
        return super().wait(waited, *args, **kwargs)

    def _bounded(self, gen: Generator[Any, Any, Answer], deadline: float) -> Generator[Any, Any, Answer]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self.close()  # what comes too late would answer the next question
                    raise OperationalError(f"no answer within {self.patience:g} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            answer: Answer = end.value
            return answer


def connect(target: str, timeout: float, *, bounded: bool) -> BoundedConnection:
    """Connect to a server.

    Args:
        target: URL, with all that libpq understands in one.
        timeout: seconds for connecting, and for the network to take what is sent.
        bounded: whether the timeout holds for each statement as well.

    Raises:
        OperationalError: it cannot be reached, or refuses.
    """
    connection = BoundedConnection.connect(
        target,
        connect_timeout=max(_LEAST_CONNECT_TIMEOUT, math.ceil(timeout)),
        client_encoding="utf-8",
        fallback_application_name="lookalike",
        keepalives_idle=math.ceil(timeout),
        keepalives_interval=math.ceil(timeout),
        keepalives_count=3,
        tcp_user_timeout=3 * math.ceil(timeout) * _MILLISECONDS,
        autocommit=True,
    )
    connection.patience = timeout + _GRACE
    # The server, too, looks whether this end still lives: the locks of a machine that lost its power go with it.
    server_settings = {
        "statement_timeout": round(timeout * _MILLISECONDS) if bounded else 0,
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }
    calls = sql.SQL(", ").join(
        [sql.SQL("set_config({}, {}, false)").format(*one) for one in _texts(server_settings)]
    )
    connection.execute(sql.SQL("SELECT ") + calls)
    connection.autocommit = False
    connection.patience = connection.patience if bounded else None
    return connection


def copy_rows(
    connection: BoundedConnection,
    table: tuple[str, str],
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Fill a table (schema, name) by COPY, the fastest way in.

    Args:
        connection: in a transaction.
        table: its schema and name.
        columns: name and type of each.
        rows: a value for each column.
    """
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(*table), names)
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        copy.set_types([kind for _, kind in columns])
        for row in rows:
            copy.write_row(row)


def _texts(server_settings: dict[str, int]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in server_settings.items()]

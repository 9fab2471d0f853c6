"""Locks that PostgreSQL keeps for a connection: they go with it, and so with its process, however that ends.

Each is known by a number made of names. A pooler that shares connections by transaction would break them.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from sqlalchemy import BigInteger, Connection, func, literal, select, text
from sqlalchemy.exc import DBAPIError

from indexer.postgresql import Server

_AGAIN = 0.05  # seconds between two tries
_HELD = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = CAST(:key AS bigint))"
)


def lock_key(*names: object) -> int:
    """A number of 64 bits, always the same for the same names."""
    told = "/".join(["lookalike", *map(str, names)])
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big", signed=True)


class AdvisoryLock:
    """A lock that is held, on a connection of its own; any number of releases do."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection

    def check(self) -> None:
        """Ask whether it is still held: a server that was restarted knows nothing of it.

        Raises:
            StoreUnreachableError: its connection was lost.
        """
        if self._connection.invalidated:
            raise self._server.unreachable("the connection that held the lock was lost")
        with self._server.told():
            self._connection.execute(select(1))

    def release(self) -> None:
        """Have others take it."""
        if self._connection.closed:
            return
        with self._connection, suppress(DBAPIError):  # of a server that is gone, and the locks with it
            if not self._connection.invalidated:
                # At once, and not when the server sees the connection end.
                self._connection.execute(select(func.pg_advisory_unlock_all()))


def hold_shared(server: Server, key: int) -> AdvisoryLock:
    """Hold a lock that others may share; waits for who holds it alone.

    Raises:
        StoreUnreachableError: it was not to be had in time.
    """
    with server.told(), ExitStack() as unless_held:
        connection = unless_held.enter_context(server.locking.connect())
        connection.execute(select(func.pg_advisory_lock_shared(literal(key, BigInteger))))
        unless_held.pop_all()
    return AdvisoryLock(server, connection)


@contextmanager
def held_alone(server: Server, key: int, patience: float = 0.0) -> Iterator[AdvisoryLock | None]:
    """A lock that nobody else holds, until the block ends; None where it was not to be had within some seconds.

    Raises:
        StoreUnreachableError: the server cannot be asked.
    """
    with server.told():
        connection = server.locking.connect()
    lock = AdvisoryLock(server, connection)
    try:
        with server.told():
            had = _try(connection, key, patience)
        yield lock if had else None
    finally:
        lock.release()


def is_held_alone(server: Server, key: int) -> bool:
    """Whether somebody holds a lock alone at this moment; takes none.

    Raises:
        StoreUnreachableError: the server cannot be asked.
    """
    with server.told(), server.asking.connect() as connection:
        return bool(connection.scalar(_HELD, {"key": key}))


def wait_for(connection: Connection, key: int) -> None:
    """Hold a lock alone until the transaction ends, be it after others."""
    connection.execute(select(func.pg_advisory_xact_lock(literal(key, BigInteger))))


def _try(connection: Connection, key: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    asked = select(func.pg_try_advisory_lock(literal(key, BigInteger)))
    while not connection.scalar(asked):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_AGAIN)
    return True

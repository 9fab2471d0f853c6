"""Locks that PostgreSQL keeps for a connection: they go with it, and so with its process, however that ends.

Each is known by a number made of names. A pooler that shares connections by transaction would break them.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

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


def hold_shared(server: Server, key: int) -> Callable[[], None]:
    """Hold a lock that others may share; waits for who holds it alone. What is given back releases it.

    Raises:
        StoreUnreachableError: it was not to be had in time.
    """
    with server.told(), ExitStack() as unless_held:
        connection = server.locking.connect()
        unless_held.callback(connection.close)
        connection.execute(select(func.pg_advisory_lock_shared(literal(key, BigInteger))))
        unless_held.pop_all()
    return partial(_release, connection)


@contextmanager
def held_alone(server: Server, key: int, patience: float = 0.0) -> Iterator[bool]:
    """Whether a lock that nobody else holds could be had, within some seconds; until the block ends.

    Raises:
        StoreUnreachableError: the server cannot be asked.
    """
    with server.told():
        connection = server.locking.connect()
    try:
        with server.told():
            had = _try(connection, key, patience)
        yield had
    finally:
        _release(connection)


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


def _release(connection: Connection) -> None:
    if connection.closed:
        return
    with connection, suppress(DBAPIError):  # of a server that is gone, and the locks with it
        if not connection.invalidated:
            connection.execute(select(func.pg_advisory_unlock_all()))  # at once, not when it sees the end

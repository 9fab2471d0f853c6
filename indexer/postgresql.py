"""A PostgreSQL database by its URL: engines to ask and to write with, and its errors in this family's words."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from indexer.errors import CollectionError, LookalikeError, StorageError, StoreUnreachableError

STORE = "PostgreSQL"

_SCHEMES = re.compile(r"^(postgres|postgresql|postgresql\+psycopg)://")
_POOLED, _MORE = 5, 15  # connections of a process: kept, and opened for a rush
_FULL, _READ_ONLY = "53100", "25006"  # what PostgreSQL calls its errors
_NO_TEXT, _FORBIDDEN = "22021", "42501"
_MISSING = "42P01"
# What libpq says of it; these errors have no number.
_NOT_LET_IN = ("authentication failed", "no password supplied", "no pg_hba.conf entry")


class MissingTablesError(CollectionError):
    """The tables asked for are not there."""


class Server:
    """One database of a PostgreSQL server; nothing is connected before it is asked.

    Args:
        url: postgresql://user@host:port/database, and what else libpq takes; its password may come from PGPASSWORD
            or .pgpass instead.
        timeout: seconds for an answer.

    Attributes:
        shown: the URL as it may be shown, without password.
        timeout: seconds for an answer.
        asking: pooled connections; each statement stands for itself and must end in time.
        locking: the same, but each connection is new, and ends when it is closed.
        writing: transactions that may take their time, each on a connection of its own.

    Raises:
        CollectionError: this is no such URL, or the packages for PostgreSQL are not installed.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.timeout = timeout
        self.shown, self._password = _shown(url)
        self._driver = _driver()
        connect = self._driver.connect
        target = _SCHEMES.sub("postgresql://", url)
        bounded = partial(connect, target, timeout, bounded=True)
        self.asking = _engine(
            bounded,
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,
            pool_size=_POOLED,
            max_overflow=_MORE,
            pool_timeout=timeout,
        )
        self.locking = _engine(bounded, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        self.writing = _engine(partial(connect, target, timeout, bounded=False), poolclass=NullPool)

    def close(self) -> None:
        """End the connections that are kept."""
        for engine in (self.asking, self.locking, self.writing):
            engine.dispose()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Translate what goes wrong with the server in the block.

        Raises:
            StoreUnreachableError: it cannot be reached, or did not answer in time.
            StorageError: it cannot write, as on a full disk.
            CollectionError: a right or a table is missing.
        """
        try:
            yield
        except PoolTimeoutError as error:
            raise self.unreachable("all connections of this process are busy") from error
        except (DBAPIError, self._driver.Error) as error:
            meant = self._meaning(error)
            if meant is None:
                raise
            raise meant from error

    def _meaning(self, error: Exception) -> LookalikeError | None:
        cause: Any = error.orig if isinstance(error, DBAPIError) else error  # COPY is the driver's own
        state, said = getattr(cause, "sqlstate", None), self._one_line(cause)
        if state in (_FULL, _READ_ONLY):
            return StorageError(f"{self.shown} cannot be written ({said}); mend that, and run again")
        if state == _NO_TEXT:
            return StorageError(
                f"expected text that {self.shown} can store, without the character NUL, found {said} "
                f"({cause.diag.context}); mend the name or annotation, and run again"
            )
        if state == _FORBIDDEN:
            return CollectionError(f"expected more rights in {self.shown}, found: {said}; see the README for them")
        if state == _MISSING:
            build = "python -m indexer build"
            return MissingTablesError(
                f"expected a collection in {self.shown}, found none ({said}); run: {build} ..."
            )
        if isinstance(cause, self._driver.OperationalError | self._driver.InterfaceError):
            return self._not_let_in(said) if any(one in said for one in _NOT_LET_IN) else self.unreachable(said)
        return None

    def _not_let_in(self, said: str) -> StoreUnreachableError:
        return StoreUnreachableError(
            STORE,
            f"expected {self.shown} to let this user in, found: {said}; check user and password, which may lie in "
            "PGPASSWORD or ~/.pgpass",
        )

    def unreachable(self, found: str) -> StoreUnreachableError:
        """The error that says so, and what was found instead of an answer."""
        return StoreUnreachableError(
            STORE,
            f"expected an answer from {self.shown} within {self.timeout:g} s, found none ({found}); "
            f"see that PostgreSQL runs there and lets you in, and try again",
        )

    def _one_line(self, cause: Any) -> str:  # noqa: ANN401 - an error of the driver's
        text = " ".join((cause.diag.message_primary or str(cause)).split())
        return text.replace(self._password, "***") if self._password else text


def missing_package(error: ImportError) -> CollectionError:
    """What to say where a package of the extra "postgres" cannot be imported."""
    return CollectionError(
        f"expected the packages for PostgreSQL, found none ({error}); install them: pip install '.[postgres]'"
    )


def _driver() -> ModuleType:
    try:
        from indexer import postgresql_driver  # noqa: PLC0415 - only who asks for PostgreSQL needs it
    except ImportError as error:
        raise missing_package(error) from error
    return postgresql_driver


def _shown(url: str) -> tuple[str, str | None]:
    """A URL without password, and the password in it; a URL that is none is not repeated, for it may hold one."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or not _SCHEMES.match(url):
        raise CollectionError(
            "expected a URL such as postgresql://user@host:5432/database, found another form; mend it"
        )
    host = parsed.query.get("host")
    safe = parsed.set(drivername="postgresql", query={"host": host} if host else {})
    password = parsed.password or parsed.query.get("password")
    return safe.render_as_string(hide_password=True), str(password) if password else None


def _engine(creator: Callable[[], Any], **settings: Any) -> Engine:  # noqa: ANN401 - passed on
    # hstore is not used: without its types there is one question less on each connection.
    return create_engine("postgresql+psycopg://", creator=creator, use_native_hstore=False, **settings)

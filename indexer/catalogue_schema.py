"""The state of the catalogue's own tables: whether they are there, and in the shape that this version expects."""

from sqlalchemy import Connection, column, select, table, text
from sqlalchemy.schema import CreateSchema

from indexer.advisory_locks import lock_key, wait_for
from indexer.catalogue_tables import SCHEMA
from indexer.errors import CollectionError
from indexer.migrations import REVISIONS, upgrade
from indexer.postgresql import MissingTablesError, Server

_REVISION = table("alembic_version", column("version_num"), schema=SCHEMA).c.version_num


def migrate(server: Server) -> None:
    """Bring the tables to the newest shape, be it after others who do the same.

    Raises:
        CollectionError: they are of a newer version of this software, or the database does not hold all text.
        StoreUnreachableError: the server cannot be reached.
    """
    if revision(server) == REVISIONS[-1]:
        return  # for which no right to make anything is needed
    with server.told(), server.writing.begin() as connection:
        wait_for(connection, lock_key("migrate"))
        _refuse_newer(server, revision(server))
        _check_encoding(server, connection)
        connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
        upgrade(connection)


def check(server: Server) -> None:
    """Refuse tables that are not of this version's shape.

    Raises:
        CollectionError: they are not there, or of another version of this software.
        StoreUnreachableError: the server cannot be reached.
    """
    found = revision(server)
    _refuse_newer(server, found)
    if found != REVISIONS[-1]:
        raise CollectionError(
            f"expected the tables of a catalogue in {server.shown}, found {'older ones' if found else 'none'}; "
            f"run: python -m indexer build ..."
        )


def revision(server: Server) -> str | None:
    """The last migration that was applied; None before the first."""
    try:
        with server.told(), server.asking.connect() as connection:
            found: str | None = connection.scalar(select(_REVISION))
            return found
    except MissingTablesError:
        return None


def _refuse_newer(server: Server, found: str | None) -> None:
    if found is not None and found not in REVISIONS:
        raise CollectionError(
            f"expected tables of revision {REVISIONS[-1]} in {server.shown}, found {found}, of a newer version of "
            f"this software; update it"
        )


def _check_encoding(server: Server, connection: Connection) -> None:
    found = connection.scalar(text("SHOW server_encoding"))
    if found != "UTF8":
        raise CollectionError(
            f"expected a database of encoding UTF8 at {server.shown}, found {found}; make another: "
            f"createdb --encoding UTF8 --template template0 NAME"
        )

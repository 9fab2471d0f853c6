"""Brings the tables of the catalogue to the shape that this version of the software expects; the only alembic."""

from pathlib import Path

from sqlalchemy import Connection

from indexer.postgresql import missing_package

REVISIONS = ("0001",)
"""All that this version knows, the newest last."""


def upgrade(connection: Connection) -> None:
    """Apply, in the connection's transaction, the migrations that were not yet applied.

    Raises:
        CollectionError: alembic is not installed.
    """
    try:
        from alembic import command  # noqa: PLC0415 - only who writes to PostgreSQL needs it
        from alembic.config import Config  # noqa: PLC0415 - the same
    except ImportError as error:
        raise missing_package(error) from error
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

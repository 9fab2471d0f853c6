"""What alembic runs to apply migrations, on the connection that `upgrade` was given."""

from alembic import context

from indexer.catalogue_tables import SCHEMA, metadata


def run() -> None:
    """Apply them; alembic notes in the catalogue's own schema which of them were."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name that alembic runs it under; elsewhere it is only imported
    run()

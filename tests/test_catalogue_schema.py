"""The catalogue's own tables: made and brought up to date once, whoever does it; newer ones are not touched."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from indexer import migrations
from indexer.catalogue import Catalogue
from indexer.catalogue_tables import SCHEMA, metadata
from indexer.errors import CollectionError
from tests.catalogue_acts import some_images
from tests.postgres import ask, new_database

REVISION = f"SELECT version_num FROM {SCHEMA}.alembic_version"  # noqa: S608 - a constant
READ_RIGHTS = (
    "GRANT USAGE ON SCHEMA lookalike TO {reader}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA lookalike TO {reader}",
    "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {reader}",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {reader}",
)


def migrate(url: str) -> None:
    catalogue = Catalogue(url, "voc")
    catalogue.migrate()
    catalogue.close()


def test_the_revisions_known_are_those_that_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    revisions = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]

    assert tuple(reversed(revisions)) == migrations.REVISIONS


def test_the_tables_are_as_the_software_expects_them(postgres_url: str) -> None:
    migrate(postgres_url)
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))

    with engine.connect() as connection:
        options = {
            "version_table_schema": SCHEMA,
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
        }
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


def test_tables_are_made_once_however_many_make_them(postgres_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(migrate, [postgres_url] * 6))
    migrate(postgres_url)

    assert ask(postgres_url, REVISION) == [(migrations.REVISIONS[-1],)]


def test_tables_of_a_newer_version_are_refused(postgres_url: str) -> None:
    migrate(postgres_url)
    ask(postgres_url, "UPDATE lookalike.alembic_version SET version_num = '9999'")
    catalogue = Catalogue(postgres_url, "voc")

    for act in (catalogue.migrate, catalogue.check):
        with pytest.raises(CollectionError, match="found 9999, of a newer version of this software; update it"):
            act()
    catalogue.close()
    assert ask(postgres_url, REVISION) == [("9999",)]


def test_a_database_that_cannot_hold_all_text_is_refused(postgres_server: str) -> None:
    found = r"expected a database of encoding UTF8 at .*, found LATIN1"
    with (
        new_database(postgres_server, "ENCODING 'LATIN1' LOCALE 'C'") as url,
        pytest.raises(CollectionError, match=found),
    ):
        migrate(url)


def test_who_reads_needs_no_more_than_to_select(postgres_url: str) -> None:
    writer = Catalogue(postgres_url, "voc")
    writer.migrate()
    role = "reader_" + postgres_url.rpartition("_")[2]
    ask(
        postgres_url,
        f"CREATE ROLE {role} LOGIN PASSWORD 'secret'",
        *(one.format(reader=role) for one in READ_RIGHTS),
    )
    writer.write_records(1, some_images(3), [])
    writer.publish(1, {"manifest.json": b"{}"})
    reader = Catalogue(postgres_url.replace("//postgres@", f"//{role}:secret@"), "voc")

    reader.check()
    reader.migrate()
    release = reader.hold(1)
    assert (reader.published(), reader.read("manifest.json")) == ((1, 1), b"{}")
    assert reader.open_records(1).all_images() == some_images(3)
    with writer.unread(1) as unread:
        assert not unread
    release()
    acts: list[Callable[[], None]] = [
        lambda: reader.share("", {}), lambda: reader.write_records(2, [], []), lambda: reader.drop(1),
    ]  # fmt: skip
    for act in acts:
        with pytest.raises(CollectionError, match=r"expected more rights in .*permission denied") as refused:
            act()
        assert "secret" not in str(refused.value)
    reader.close()
    writer.close()
    ask(postgres_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")

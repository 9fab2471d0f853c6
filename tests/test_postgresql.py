"""A PostgreSQL server that is away, or does not answer: one line, in time, and without the password."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from indexer.catalogue import Catalogue
from indexer.errors import CollectionError, StorageError, StoreUnreachableError
from indexer.records import Notice
from tests.catalogue_acts import Line, some_images
from tests.postgres import ask, free_port

HOME = Path(__file__).parents[1]
TIMEOUT = 2.0  # seconds; the least that libpq takes for connecting
HERE = "datname = current_database()"  # others may use the same server
END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
MOST = 2 * TIMEOUT + 2  # a connection is found dead, then a new one is


def told(act: Callable[[], object]) -> str:
    """What is said, in time, of a server that does not answer."""
    started = time.monotonic()
    with pytest.raises(StoreUnreachableError) as raised:
        act()
    assert time.monotonic() - started < MOST
    assert raised.value.store == "PostgreSQL"
    message = str(raised.value)
    assert "secret" not in message
    assert "\n" not in message
    return message


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Whoever connects there waits for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def line(postgres_url: str) -> Iterator[Line]:
    """To a server with a collection of three images."""
    catalogue = Catalogue(postgres_url, "voc")
    catalogue.migrate()
    catalogue.write_records(1, some_images(3), [])
    catalogue.publish(1, {"manifest.json": b"{}"})
    catalogue.close()
    one = Line(postgres_url)
    yield one
    one.close()


@pytest.mark.parametrize("form", ["user:secret@127.0.0.1:{}/voc", "127.0.0.1:{}/voc?user=a&password=secret"])
def test_nobody_listens(form: str) -> None:
    catalogue = Catalogue("postgresql://" + form.format(free_port()), "voc", TIMEOUT)

    for act in (catalogue.ping, catalogue.published, catalogue.migrate, catalogue.open_records(1).all_images):
        assert "127.0.0.1" in told(act)
    assert told(lambda: catalogue.hold(1)).startswith("expected an answer from postgresql://")
    assert "see that PostgreSQL runs there" in told(lambda: catalogue.only_writer().__enter__())


def test_who_listens_never_answers(silent_port: int) -> None:
    catalogue = Catalogue(f"postgresql://user:secret@127.0.0.1:{silent_port}/voc", "voc", TIMEOUT)

    assert f"postgresql://user:***@127.0.0.1:{silent_port}/voc within 2 s" in told(catalogue.published)
    told(lambda: catalogue.write_records(1, [], []))


def test_a_server_that_falls_silent_is_given_up_in_time_and_asked_again_later(line: Line) -> None:
    catalogue = Catalogue(line.url, "voc", TIMEOUT)
    records = catalogue.open_records(1)
    assert records.count() == 3

    line.die()
    for act in (records.all_images, catalogue.published):
        told(act)
    line.live()

    assert (records.count(), catalogue.published().version) == (3, 1)
    catalogue.close()


def test_connections_that_the_server_ended_are_replaced(line: Line, postgres_url: str) -> None:
    catalogue = Catalogue(line.url, "voc", TIMEOUT)
    records = catalogue.open_records(1)
    release = catalogue.hold(1)
    assert records.count() == 3

    ask(postgres_url, f"{END_ALL} WHERE application_name = 'lookalike' AND {HERE}")

    assert (records.count(), catalogue.published().version) == (3, 1)
    release()
    catalogue.close()


def test_a_writer_that_lost_its_lock_publishes_nothing(line: Line, postgres_url: str) -> None:
    catalogue = Catalogue(line.url, "voc", TIMEOUT)
    with catalogue.only_writer():
        catalogue.write_records(2, some_images(3), [])
        ask(postgres_url, f"{END_ALL} JOIN pg_locks USING (pid) WHERE locktype = 'advisory' AND {HERE}")

        told(lambda: catalogue.publish(2, {}))
        told(lambda: catalogue.publish(2, {}))
        told(lambda: catalogue.write_records(2, some_images(3), []))
    assert catalogue.published() == (1, 1)
    with catalogue.only_writer():
        catalogue.publish(2, {})
    assert catalogue.published() == (2, 2)
    catalogue.close()


def test_a_question_that_takes_too_long_is_given_up(line: Line, postgres_url: str) -> None:
    import psycopg  # noqa: PLC0415 - where it is missing, this is skipped

    catalogue = Catalogue(postgres_url, "voc", 0.5)
    records = catalogue.open_records(1)
    assert line.url
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE lookalike_voc_000001.stored_objects, lookalike_voc_000001.images")

        assert "statement timeout" in told(records.all_images)
    assert len(records.all_images()) == 3
    catalogue.close()


def test_a_wrong_password_or_database_is_told(postgres_url: str) -> None:
    elsewhere = postgres_url.rpartition("/")[0] + "/no_such_database"

    assert '"no_such_database" does not exist' in told(Catalogue(elsewhere, "voc").ping)


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """Who connects there is told, in PostgreSQL's words, that the password is wrong."""
    said = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "user"\0\0'
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            with suppress(OSError):  # the listener was closed
                while True:
                    near, _ = listener.accept()
                    with near:
                        while near.recv(1_000)[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):
                            near.sendall(b"N")  # no encryption
                        near.sendall(b"E" + (len(said) + 4).to_bytes(4) + said)

        threading.Thread(target=refuse, daemon=True).start()
        yield listener.getsockname()[1]


def test_who_is_not_let_in_is_told_so(refusing_port: int) -> None:
    catalogue = Catalogue(f"postgresql://user:secret@127.0.0.1:{refusing_port}/voc", "voc", TIMEOUT)

    message = told(catalogue.ping)

    assert "to let this user in, found:" in message
    assert "password authentication failed" in message
    assert "PGPASSWORD or ~/.pgpass" in message


@pytest.mark.parametrize(
    "url", ["", "voc", "mysql://user:secret@host/voc", "postgresql://user:p@host:secret/voc", "sqlite:///secret"]
)
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(
        CollectionError, match="expected a URL such as postgresql://user@host:5432/database"
    ) as told:
        Catalogue(url, "voc")

    assert "secret" not in str(told.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_url_may_be_written_as_others_write_it(scheme: str, postgres_url: str) -> None:
    catalogue = Catalogue(scheme + postgres_url.removeprefix("postgresql"), "voc")

    catalogue.ping()
    catalogue.close()


def test_text_that_cannot_be_stored_is_told_and_nothing_of_it_is_kept(postgres_url: str) -> None:
    catalogue = Catalogue(postgres_url, "voc")
    catalogue.migrate()
    images = some_images(3)
    object.__setattr__(images[1], "split", "a\0b")

    with pytest.raises(StorageError, match=r"without the character NUL.*COPY images, line 2, column split"):
        catalogue.write_records(1, images, [])
    assert catalogue.numbers() == []
    catalogue.write_records(1, [], [Notice("picture", "a.jpg", "not \0 text")])
    assert catalogue.open_records(1).notices() == [
        Notice("picture", "a.jpg", "not \N{REPLACEMENT CHARACTER} text")
    ]
    catalogue.close()


@pytest.mark.parametrize("missing", ["psycopg", "alembic"])
def test_a_missing_package_is_told_with_what_installs_it(missing: str, postgres_url: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from indexer.catalogue import Catalogue\nfrom indexer.errors import CollectionError\n"
        f"try: Catalogue({postgres_url!r}, 'voc').migrate()\n"
        "except CollectionError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=True)

    assert said.stdout.startswith("expected the packages for PostgreSQL, found none (")
    assert said.stdout.endswith("install them: pip install '.[postgres]'\n")


def test_a_collection_in_files_needs_no_package_for_postgresql() -> None:
    program = "import sys, indexer.build, indexer.collection; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=True)

    assert not {"psycopg", "alembic"} & set(loaded.stdout.split())

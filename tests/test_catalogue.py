"""The catalogue in PostgreSQL: what is published is there whole, changed by one at a time, and told to all."""

from collections.abc import Callable, Iterator

import pytest

from indexer.catalogue import Catalogue
from indexer.errors import CollectionBusyError, CollectionError
from tests.catalogue_acts import some_images
from tests.postgres import ask


@pytest.fixture
def catalogue(postgres_url: str) -> Iterator[Catalogue]:
    """Of an empty collection."""
    one = Catalogue(postgres_url, "voc")
    one.migrate()
    yield one
    one.close()


@pytest.fixture
def another(catalogue: Catalogue, postgres_url: str) -> Iterator[Catalogue]:
    """Of the same collection, as another process has it."""
    assert catalogue.published().generation is None
    one = Catalogue(postgres_url, "voc")
    yield one
    one.close()


def test_before_the_first_nothing_is_published(postgres_url: str) -> None:
    one = Catalogue(postgres_url, "voc")

    one.ping()
    assert (one.published(), one.numbers(), one.is_written()) == ((None, 0), [], False)
    with pytest.raises(CollectionError, match=r"found none; run: python -m indexer build"):
        one.check()
    one.migrate()
    one.check()
    assert (one.published(), one.numbers(), one.files()) == ((None, 0), [], {})
    one.close()


def test_what_is_published_is_told_to_all(catalogue: Catalogue, another: Catalogue) -> None:
    catalogue.write_records(7, some_images(3), [])
    assert (another.published(), another.numbers()) == ((None, 0), [7])

    catalogue.publish(7, {"manifest.json": b"{}", "maps/one": bytes(range(256))})

    assert another.published() == (7, 1)
    assert another.read("maps/one") == bytes(range(256))
    assert another.open_records(7).all_images() == some_images(3)
    assert list(another.files()) == ["manifest.json", "maps/one"]


def test_a_generation_is_published_with_all_of_its_records_or_not_at_all(
    catalogue: Catalogue, postgres_url: str
) -> None:
    with pytest.raises(CollectionError, match="expected the records of generation 1 of voc"):
        catalogue.publish(1, {"manifest.json": b"{}"})
    catalogue.write_records(1, some_images(3), [])
    ask(postgres_url, "DELETE FROM lookalike_voc_000001.images WHERE image_id = 1")
    with pytest.raises(CollectionError, match=r"\(3, 3\) images and objects, found \(2, 3\)"):
        catalogue.publish(1, {"manifest.json": b"{}"})
    ask(postgres_url, "DROP SCHEMA lookalike_voc_000001 CASCADE")
    with pytest.raises(CollectionError, match="found None"):
        catalogue.publish(1, {"manifest.json": b"{}"})

    assert (catalogue.published(), catalogue.files()) == ((None, 0), {})


def test_what_is_shared_under_a_prefix_is_exactly_what_was_given_last(catalogue: Catalogue) -> None:
    catalogue.share("", {"manifest.json": b"{}"})
    catalogue.share("heads/", {"heads/1/a": b"a", "heads/1/b": b"b"})
    assert (list(catalogue.files("heads/")), catalogue.published().version) == (["heads/1/a", "heads/1/b"], 2)

    catalogue.share("heads/", {"heads/1/a": b"a", "heads/1/b": b"b"})
    assert catalogue.published().version == 2
    catalogue.share("heads/", {"heads/1/b": b"changed"})

    assert (list(catalogue.files()), catalogue.published().version) == (["heads/1/b", "manifest.json"], 3)
    assert catalogue.read("heads/1/b") == b"changed"
    with pytest.raises(ValueError, match="begin with 'heads/'"):
        catalogue.share("heads/", {"plane": b""})


def test_a_prefix_is_no_pattern(catalogue: Catalogue) -> None:
    catalogue.share("", {"a_c": b"", "abc": b"", "a%": b""})

    assert (list(catalogue.files("a_")), list(catalogue.files("a%"))) == (["a_c"], ["a%"])


def test_a_file_that_is_missing_or_was_changed_is_refused(catalogue: Catalogue, postgres_url: str) -> None:
    catalogue.share("", {"plane": b"right"})
    ask(postgres_url, "UPDATE lookalike.files SET content = 'wrong'")

    with pytest.raises(CollectionError, match=r"expected a file plane of voc in .*, found one that was changed"):
        catalogue.read("plane")
    with pytest.raises(CollectionError, match=r"expected a file elsewhere of voc in .*, found none"):
        catalogue.read("elsewhere")


def test_what_is_published_is_neither_dropped_nor_written_over(catalogue: Catalogue) -> None:
    for number in (1, 2):
        catalogue.write_records(number, some_images(3), [])
        catalogue.publish(number, {})

    acts: list[Callable[[], None]] = [lambda: catalogue.drop(2), lambda: catalogue.write_records(2, [], [])]
    for act in acts:
        with pytest.raises(CollectionError, match="expected a generation that is not published, found 2 of voc"):
            act()
    catalogue.drop(1)
    catalogue.drop(1)

    assert catalogue.numbers() == [2]
    assert catalogue.open_records(2).count() == 3
    with pytest.raises(CollectionError, match="expected a collection in"):
        catalogue.open_records(1).all_images()


def test_collections_keep_apart_also_where_one_is_named_like_a_generation_of_another(postgres_url: str) -> None:
    names = ("a", "a_000001", "a_b", "ab", "a" * 40)
    all_of_them = [Catalogue(postgres_url, name) for name in names]
    all_of_them[0].migrate()
    for count, one in enumerate(all_of_them):
        one.write_records(1, some_images(count), [])
        one.publish(1, {"name": str(count).encode()})

    all_of_them[0].forget()

    assert (all_of_them[0].published(), all_of_them[0].numbers(), all_of_them[0].files()) == ((None, 0), [], {})
    for count, one in list(enumerate(all_of_them))[1:]:
        assert (one.numbers(), one.read("name")) == ([1], str(count).encode())
        assert one.open_records(1).count() == count
    for one in all_of_them:
        one.close()


@pytest.mark.parametrize("name", ["", "Voc", "1a", "a-b", "a" * 41, 'a"; DROP', "a\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(CollectionError, match="expected a collection's name"):
        Catalogue("postgresql://localhost/voc", name)


def test_one_writes_at_a_time(catalogue: Catalogue, another: Catalogue) -> None:
    with catalogue.only_writer():
        assert another.is_written()
        with pytest.raises(CollectionBusyError, match="another build is running on voc"), another.only_writer():
            pass
    assert not another.is_written()
    with another.only_writer():
        assert catalogue.is_written()


def test_what_is_held_is_not_unread(catalogue: Catalogue, another: Catalogue) -> None:
    releases = [catalogue.hold(1), another.hold(1)]

    for release in releases:
        with another.unread(1) as one, another.unread(2) as other:
            assert (one, other) == (False, True)
        release()
        release()
    with another.unread(1) as unread, catalogue.unread(1) as again:
        assert (unread, again) == (True, False)


def test_who_never_closes_a_catalogue_leaves_nothing_open(catalogue: Catalogue, postgres_url: str) -> None:
    opened = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    before = ask(postgres_url, opened)

    Catalogue(postgres_url, "voc").ping()
    Catalogue(postgres_url, "voc").published()

    assert catalogue.published().generation is None
    assert ask(postgres_url, opened)[0][0] <= before[0][0] + 1  # type: ignore[operator]

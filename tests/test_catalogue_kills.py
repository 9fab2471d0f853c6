"""Processes that are killed, at any moment: their locks are free, and what they change is changed whole or not."""

import random
import time
from collections.abc import Callable

from indexer.catalogue import Catalogue
from tests.catalogue_acts import (
    IMAGES,
    hold_a_generation,
    hold_the_writers_lock,
    publish_on_and_on,
    some_images,
    started,
    write_half,
)

_ROUNDS = 6


def soon(fact: Callable[[], bool]) -> bool:
    """Whether something becomes true within two seconds: a server learns of a death by its broken connection."""
    deadline = time.monotonic() + 2
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_unread(catalogue: Catalogue) -> bool:
    with catalogue.unread(1) as unread:
        return unread


def test_the_locks_of_a_killed_process_are_free(postgres_url: str) -> None:
    catalogue = Catalogue(postgres_url, "voc")
    with started(hold_the_writers_lock, postgres_url), started(hold_a_generation, postgres_url):
        assert catalogue.is_written()
        assert not is_unread(catalogue)

    with catalogue.only_writer():
        assert soon(lambda: is_unread(catalogue))
    catalogue.close()


def test_half_of_the_records_are_none(postgres_url: str) -> None:
    catalogue = Catalogue(postgres_url, "voc")
    catalogue.migrate()
    catalogue.write_records(1, some_images(3), [])
    catalogue.publish(1, {})
    with started(write_half, postgres_url):
        assert catalogue.numbers() == [1]
        catalogue.share("heads/", {"heads/a": b"a"})  # others need not wait for it

    assert (catalogue.published().generation, catalogue.numbers()) == (1, [1])
    catalogue.write_records(2, some_images(4), [])
    catalogue.publish(2, {})
    assert catalogue.open_records(2).all_images() == some_images(4)
    catalogue.close()


def test_whenever_a_writer_is_killed_what_is_published_is_whole_and_the_next_goes_on(postgres_url: str) -> None:
    catalogue, moments = Catalogue(postgres_url, "voc"), random.Random(7)  # noqa: S311 - no secret
    last = 0
    for _ in range(_ROUNDS):
        with started(publish_on_and_on, postgres_url):
            time.sleep(moments.uniform(0, 0.4))

        assert soon(lambda: not catalogue.is_written())
        published = catalogue.published().generation or 0
        assert published > last
        assert int(catalogue.read("manifest.json")) == published == catalogue.published().version
        assert catalogue.open_records(published).all_images() == some_images(IMAGES)
        assert max(catalogue.numbers()) <= published + 1
        last = published
    catalogue.close()

"""Spoilt pictures: each ends in a picture or in a refusal; so does every file that ever found something."""

from collections.abc import Iterator
from itertools import islice

import pytest

from search_service.decoders import Decoders
from tests.fuzz_pictures import ANSWERED, BAD, FINDS, by_decoders, spoilt, tally
from tests.mutations import seeds


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    """A process of their own."""
    pool = Decoders(count=1)
    yield pool
    pool.close()


def test_what_is_not_spoilt_is_answered(decoders: Decoders) -> None:
    kept: list[bytes] = []

    counted = tally(by_decoders(decoders), seeds(), 1, kept.append)

    assert set(counted) == {ANSWERED}


def test_three_hundred_spoilt_pictures_end_in_a_picture_or_a_refusal(decoders: Decoders) -> None:
    found: list[bytes] = []

    counted = tally(by_decoders(decoders), islice(spoilt(0), 300), 1, found.append)

    assert found == []
    assert counted.total() == 300
    assert 50 < counted[ANSWERED] < 250
    assert len(counted) > 3
    assert not set(BAD) & set(counted)


def test_what_once_did_harm_does_none(decoders: Decoders) -> None:
    finds = [path.read_bytes() for path in sorted(FINDS.glob("*.bin"))]

    assert not set(BAD) & set(tally(by_decoders(decoders), finds, 1, lambda _: None))


def test_the_same_seed_spoils_the_same_pictures() -> None:
    assert list(islice(spoilt(5), 20)) == list(islice(spoilt(5), 20)) != list(islice(spoilt(6), 20))

"""Pictures of requests that come at the same time are seen together."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_service import micro_batching
from search_service.deadline import Deadline
from search_service.errors import DeadlineError
from search_service.micro_batching import MicroBatcher
from search_service.query_embedding import Prepared
from search_service.records import Sight, Timings


class Eyes:
    """See of each picture its width, and remember the batches; the first may be held until told to go on."""

    def __init__(self) -> None:
        self.batches: list[list[int | None]] = []
        self.begun, self.go_on = Event(), Event()
        self.go_on.set()

    def see(self, pictures: Sequence[Prepared], timings: Timings) -> list[Sight]:
        with timings.measure("embed"):
            self.batches.append([picture.width for picture in pictures])
            self.begun.set()
            assert self.go_on.wait(60)
            if any(picture.width == 0 for picture in pictures):
                raise ZeroDivisionError
        return [sight_of(picture) for picture in pictures]


def sight_of(picture: Prepared) -> Sight:
    nothing = np.zeros(1, dtype=np.float32)
    return Sight(
        image=None, width=picture.width, height=None, box=None, vector=nothing, semantic=None, localization=None,
        embedding="",
    )  # fmt: skip


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


@pytest.fixture
def endless_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micro_batching, "_PATIENCE", 60.0)


def ask(batcher: MicroBatcher, *widths: int, timings: Timings | None = None) -> list[int | None]:
    pictures = [Prepared(width=width) for width in widths]
    return [sight.width for sight in batcher.see(lambda: pictures, timings or Timings())]


def ask_while_busy(
    eyes: Eyes, batcher: MicroBatcher, clients: ThreadPoolExecutor, widths: Sequence[int]
) -> list[Future[list[int | None]]]:
    """Requests of a picture each, the first of which is seen alone while the others come."""
    eyes.go_on.clear()
    first = clients.submit(ask, batcher, widths[0])
    assert eyes.begun.wait(60)
    others = [clients.submit(ask, batcher, width) for width in widths[1:]]
    while len(batcher._waiting) < len(others):  # noqa: SLF001 - there is no other sign
        pass
    eyes.go_on.set()
    return [first, *others]


def test_what_comes_while_a_batch_is_seen_is_the_next_batch(eyes: Eyes, clients: ThreadPoolExecutor) -> None:
    answers = ask_while_busy(eyes, MicroBatcher(eyes.see, 16), clients, [1, 2, 3, 4])

    assert [answer.result() for answer in answers] == [[1], [2], [3], [4]]
    assert [set(batch) for batch in eyes.batches] == [{1}, {2, 3, 4}]


def test_a_batch_has_no_more_pictures_than_it_may(eyes: Eyes, clients: ThreadPoolExecutor) -> None:
    answers = ask_while_busy(eyes, MicroBatcher(eyes.see, 4), clients, range(1, 11))

    assert [answer.result() for answer in answers] == [[width] for width in range(1, 11)]
    assert [len(batch) for batch in eyes.batches] == [1, 4, 4, 1]


def test_batches_of_one_see_each_picture_alone(eyes: Eyes) -> None:
    assert ask(MicroBatcher(eyes.see, 1), 5, 6, 7) == [5, 6, 7]
    assert eyes.batches == [[5], [6], [7]]


@pytest.mark.usefixtures("endless_patience")
def test_a_lone_request_waits_for_nobody(eyes: Eyes) -> None:
    assert ask(MicroBatcher(eyes.see, 16), 5) == [5]


class SlowRequest:
    """Prepares a picture until told that it is prepared."""

    def __init__(self, batcher: MicroBatcher, clients: ThreadPoolExecutor, width: int) -> None:
        self._begun, self.prepared, self._width = Event(), Event(), width
        self.answer = clients.submit(batcher.see, self._prepare, Timings())
        assert self._begun.wait(60)

    def _prepare(self) -> list[Prepared]:
        self._begun.set()
        assert self.prepared.wait(60)
        return [Prepared(width=self._width)]


@pytest.mark.usefixtures("endless_patience")
def test_a_batch_is_held_open_for_a_picture_that_is_being_prepared(
    eyes: Eyes, clients: ThreadPoolExecutor
) -> None:
    batcher = MicroBatcher(eyes.see, 16)
    late = SlowRequest(batcher, clients, 2)
    early = clients.submit(ask, batcher, 1)
    while not batcher._waiting:  # noqa: SLF001
        pass

    late.prepared.set()

    assert early.result() == [1]
    assert len(late.answer.result()) == 1
    assert eyes.batches == [[1, 2]]


def test_a_batch_is_not_held_open_for_ever(eyes: Eyes, clients: ThreadPoolExecutor) -> None:
    batcher = MicroBatcher(eyes.see, 16)
    late = SlowRequest(batcher, clients, 2)

    assert ask(batcher, 1) == [1]

    late.prepared.set()
    assert len(late.answer.result()) == 1


@pytest.mark.usefixtures("endless_patience")
def test_a_picture_that_cannot_be_prepared_holds_nobody_up(eyes: Eyes) -> None:
    batcher = MicroBatcher(eyes.see, 16)

    with pytest.raises(ZeroDivisionError):
        batcher.see(lambda: [Prepared(width=1 // 0)], Timings())

    assert ask(batcher, 3) == [3]
    assert eyes.batches == [[3]]


def test_what_goes_wrong_reaches_all_of_the_batch_and_no_other(eyes: Eyes, clients: ThreadPoolExecutor) -> None:
    batcher = MicroBatcher(eyes.see, 16)

    first, *others = ask_while_busy(eyes, batcher, clients, [1, 2, 0])

    assert first.result() == [1]
    assert [type(answer.exception()) for answer in others] == [ZeroDivisionError] * 2
    assert ask(batcher, 4) == [4]


def test_each_request_is_told_what_its_batches_took_and_the_rest_as_waiting(eyes: Eyes) -> None:
    timings = Timings()

    ask(MicroBatcher(eyes.see, 2), 1, 2, 3, timings=timings)

    assert len(eyes.batches) == 2
    assert timings.stages["embed"] > 0
    assert timings.stages["wait"] > 0


def test_a_request_without_pictures_has_nothing_to_wait_for(eyes: Eyes) -> None:
    assert ask(MicroBatcher(eyes.see, 2)) == []
    assert eyes.batches == []


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 5), st.lists(st.integers(0, 7), min_size=1, max_size=12))
def test_every_request_sees_its_own_pictures_whoever_asks_beside_it(max_batch: int, counts: list[int]) -> None:
    eyes = Eyes()
    batcher = MicroBatcher(eyes.see, max_batch)
    asked = [list(range(100 * number + 1, 100 * number + 1 + count)) for number, count in enumerate(counts)]

    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda widths: ask(batcher, *widths), asked))
    batcher.close()

    assert answers == asked
    assert all(1 <= len(batch) <= max_batch for batch in eyes.batches)


def test_what_nobody_waits_for_any_more_is_not_seen(eyes: Eyes, clients: ThreadPoolExecutor) -> None:
    batcher = MicroBatcher(eyes.see, 16)
    eyes.go_on.clear()
    first = clients.submit(ask, batcher, 1)
    assert eyes.begun.wait(60)

    with pytest.raises(DeadlineError):
        batcher.see(lambda: [Prepared(width=2), Prepared(width=3)], Timings(), Deadline.after(0.01))
    eyes.go_on.set()

    assert first.result() == [1]
    assert ask(batcher, 4) == [4]
    assert eyes.batches == [[1], [4]]

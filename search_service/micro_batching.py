"""Pictures of requests that come at the same time are seen together: embedded in one batch, by one thread."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Condition

from search_service.deadline import NEVER, Deadline
from search_service.errors import DeadlineError
from search_service.query_embedding import Prepared
from search_service.records import Sight, Timings

_PATIENCE = 0.005  # seconds that a picture waits for others that are being prepared

Prepare = Callable[[], Sequence[Prepared]]
See = Callable[[Sequence[Prepared], Timings], Sequence[Sight]]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What was seen of a picture, and its batch's timings; `begun`: pictures in that for its first, else 0."""

    sight: Sight
    timings: Timings
    begun: int


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A picture that waits to be seen, and where goes what was seen."""

    picture: Prepared
    since: float = field(default_factory=time.perf_counter)
    seen: Future[_Seen] = field(default_factory=Future)


class MicroBatcher:
    """Gathers the pictures of concurrent requests, and sees one batch of them after the other.

    A batch is what waits when the thread is free. It is held open only while other requests prepare their
    pictures, and until one has waited 5 ms: a lone request never waits. One thread sees them all, for networks
    keep memory and threads of their own for each thread that runs them. It begins with the first picture: a
    process may fork before.

    Args:
        see: what there is to see in a batch; adds to the timings what its stages took.
        max_batch: pictures of one batch, at most.
    """

    def __init__(self, see: See, max_batch: int) -> None:
        self._see = see
        self._max_batch = max_batch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._changed = Condition()
        self._waiting: deque[_Waiting] = deque()
        self._preparing = 0

    def see(self, prepare: Prepare, timings: Timings, deadline: Deadline = NEVER) -> list[Sight]:
        """Prepare pictures in the caller's thread, and wait until all of them are seen.

        The timings are told all that was waited for: the stages of the batches that the pictures were in, with
        whatever others were in them, and `wait` for what came before.

        Raises:
            DeadlineError: they were not seen in time; those that still waited are not seen at all.
            Exception: what was raised by `prepare`, or by `see` for a batch that one of the pictures was in.
        """
        asked = self._join(prepare)
        started = time.perf_counter()
        for _ in range(0, len(asked), self._max_batch):
            self._thread.submit(self._see_next)
        self._wait_for(asked, deadline)
        seen = [one.seen.result() for one in asked]
        batches = {id(one.timings): one.timings for one in seen}.values()
        timings.add_waited(1_000 * (time.perf_counter() - started), batches)
        timings.batches += [one.begun for one in seen if one.begun]
        return [one.sight for one in seen]

    @property
    def waiting(self) -> int:
        """How many pictures wait for a batch."""
        return len(self._waiting)

    def close(self) -> None:
        """End the thread, after what it was asked for."""
        self._thread.shutdown()

    def _join(self, prepare: Prepare) -> list[_Waiting]:
        """Pictures put among those that wait; while they are prepared, a batch is held open for them."""
        with self._changed:
            self._preparing += 1
        asked: list[_Waiting] = []
        try:
            asked += map(_Waiting, prepare())
        finally:
            with self._changed:
                self._preparing -= 1
                self._waiting.extend(asked)
                self._changed.notify()
        return asked

    def _wait_for(self, asked: Sequence[_Waiting], deadline: Deadline) -> None:
        _, late = wait([one.seen for one in asked], deadline.remaining())
        if late:
            with self._changed:
                for one in set(asked).intersection(self._waiting):
                    self._waiting.remove(one)
            raise DeadlineError

    def _see_next(self) -> None:
        """See the next batch; what goes wrong goes to all who have a picture in it."""
        batch = self._gather()
        if not batch:
            return
        timings = Timings()
        try:
            sights = self._see([one.picture for one in batch], timings)
        except Exception as error:  # noqa: BLE001 - raised again in the threads that wait
            for one in batch:
                one.seen.set_exception(error)
            return
        begun = [len(batch), *(len(batch) - 1) * [0]]
        for one, sight, size in zip(batch, sights, begun, strict=True):
            one.seen.set_result(_Seen(sight, timings, size))

    def _gather(self) -> list[_Waiting]:
        """The next pictures; none where an earlier batch had room for all."""
        with self._changed:
            if self._waiting:
                patience = self._waiting[0].since + _PATIENCE - time.perf_counter()
                self._changed.wait_for(self._is_complete, max(patience, 0))
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_batch))]

    def _is_complete(self) -> bool:
        return not self._preparing or len(self._waiting) >= self._max_batch

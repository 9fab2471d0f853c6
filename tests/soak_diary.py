"""What a soak met with: every request's outcome, what was killed when, and what the service held meanwhile."""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from search_service.processes import family

GRACE = 20.0
"""Seconds after a kill in which broken connections and server errors are put down to it."""

OUTCOMES = (ANSWERED, REFUSED, TURNED_AWAY, SERVER_ERROR, BROKEN, WRONG, UNEXPECTED) = (
    "answered", "refused, as it should be", "turned away (429, 503)", "server errors (5xx)", "connection errors",
    "wrong answers", "unexpected statuses",
)  # fmt: skip
EXCUSED_BY_A_KILL = {SERVER_ERROR, BROKEN}


@dataclass(frozen=True, slots=True)
class Met:
    """One request.

    Attributes:
        began: seconds since the soak began.
        ended: seconds since the soak began.
        kind: what was asked, in a word.
        outcome: one of `OUTCOMES`.
        told: of what was not as it should be; empty otherwise.
    """

    began: float
    ended: float
    kind: str
    outcome: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What all processes of the service held together, at a moment in seconds since the soak began."""

    moment: float
    resident: int
    open_files: int
    threads: int


@dataclass(slots=True)
class Diary:
    """Written by any number of threads: appending to a list is one step."""

    seconds: float
    met: list[Met] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> float:
        """Seconds since the soak began."""
        return time.monotonic() - self._start

    @property
    def over(self) -> bool:
        """Whether the time has come."""
        return self.now >= self.seconds

    def look_at(self, pid: int) -> None:
        """Note what a process and all below it hold."""
        processes = family(pid)
        self.held.append(
            Held(
                self.now,
                sum(one.resident for one in processes),
                sum(one.open_files for one in processes),
                sum(one.threads for one in processes),
            )
        )

    def outcomes(self) -> tuple[Counter[str], Counter[str]]:
        """How many requests had each outcome; and of those, which are put down to a kill."""
        excused = [one for one in self.met if one.outcome in EXCUSED_BY_A_KILL and self._is_by_a_kill(one)]
        return Counter(one.outcome for one in self.met), Counter(one.outcome for one in excused)

    def percentiles(self, *, last: bool) -> tuple[float, float]:
        """p50 and p99 of what was answered in the first, or the last, tenth of the time, in milliseconds."""
        begin, end = self._tenth(last=last)
        answered = [one for one in self.met if one.outcome == ANSWERED and begin <= one.began < end]
        if len(answered) < 2:  # so many there must be to tell of a spread
            return float("nan"), float("nan")
        hundredths = statistics.quantiles(
            (1_000 * (one.ended - one.began) for one in answered), n=100, method="inclusive"
        )
        return hundredths[49], hundredths[98]

    def holdings(self, *, last: bool) -> Held:
        """The medians of what was held in the first, or the last, tenth of the time."""
        begin, end = self._tenth(last=last)
        within: Sequence[Held] = [one for one in self.held if begin <= one.moment <= end]
        within = within or [self.held[-1 if last else 0]]
        return Held(
            begin,
            int(statistics.median(one.resident for one in within)),
            int(statistics.median(one.open_files for one in within)),
            int(statistics.median(one.threads for one in within)),
        )

    def _tenth(self, *, last: bool) -> tuple[float, float]:
        return (0.9 * self.seconds, self.seconds) if last else (0.0, 0.1 * self.seconds)

    def _is_by_a_kill(self, one: Met) -> bool:
        return any(one.began - GRACE <= moment <= one.ended for moment in self.kills)

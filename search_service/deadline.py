"""Until when an answer is waited for."""

import math
import time
from dataclasses import dataclass
from threading import TIMEOUT_MAX


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment after which nobody waits for an answer any more.

    Attributes:
        at: seconds of the monotonic clock; infinite where there is no such moment.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self, now: float | None = None) -> float:
        """Seconds that are left, 0 once it has passed; never more than a lock can wait for.

        Args:
            now: seconds of the monotonic clock; None for this moment.
        """
        left = self.at - (time.monotonic() if now is None else now)
        return min(max(left, 0.0), TIMEOUT_MAX)


NEVER = Deadline(math.inf)
"""For those who wait as long as it takes."""

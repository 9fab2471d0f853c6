"""The rows of an index that fulfil filters: as numbers, or as a condition that is checked where the rows lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from indexer.filters import Filters

Select = Callable[[Filters], NDArray[np.int64]]
"""Filters -> the numbers of the rows that fulfil them, in order."""
Count = Callable[[Filters, Sequence[int]], int]
"""Filters, and rows to leave out -> how many others fulfil them."""


@dataclass(frozen=True, slots=True)
class Subset:
    """Some rows.

    Attributes:
        filters: that they fulfil.
        select: gives their numbers; asked only where they are needed.
        count_others: counts them.
    """

    filters: Filters
    select: Select
    count_others: Count

    @classmethod
    def of(cls, filters: Filters, select: Select, count: Count | None = None) -> "Subset | None":
        """The rows that fulfil filters, None for all; counted by their numbers where nothing else counts them."""
        return None if filters.ask_nothing else cls(filters, select, count or partial(_count, select))

    @property
    def rows(self) -> NDArray[np.int64]:
        """Their numbers, in order."""
        return self.select(self.filters)

    def count(self, left_out: Sequence[int] = ()) -> int:
        """How many there are without those."""
        return self.count_others(self.filters, left_out)


def _count(select: Select, filters: Filters, left_out: Sequence[int]) -> int:
    rows = select(filters)
    return len(rows) - int(np.isin(left_out, rows).sum())

"""What an index of vectors can be asked, wherever its rows lie."""

from collections.abc import Sequence
from typing import Protocol

from indexer.index_settings import IndexNote
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.subset import Subset


class SearchIndex(Protocol):
    """Unit rows of one length, numbered from 0, and their nearest by cosine similarity.

    Attributes:
        note: what is told of it.
        narrows_by_rows: whether a search in a subset needs the numbers of its rows; else it goes by the filters.
    """

    @property
    def note(self) -> IndexNote: ...  # noqa: D102 - above

    @property
    def narrows_by_rows(self) -> bool: ...  # noqa: D102 - above

    def __len__(self) -> int: ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def vectors(self) -> Floats:
        """All rows, (N, d) float32."""
        ...

    def vector(self, row: int) -> Floats:
        """One row, (d,) float32."""
        ...

    def rows(self, numbers: Sequence[int]) -> Floats:
        """The rows of these numbers, (n, d) float32."""
        ...

    def nearest(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: Subset | None = None
    ) -> list[Hit]:
        """The k rows closest to a unit vector (d,), best first, without those excluded; equals by number."""
        ...

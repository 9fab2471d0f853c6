"""What is asked of the service, and what it answers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from indexer.records import IndexedImage
from localizer.records import Localization

DEFAULT_K, MAX_K = 10, 100
VISUAL, SEMANTIC = "visual", "semantic"
"""Modes of search: by looks alone, or also by what is in the pictures."""
_STAGES = ("decode", "embed", "search")  # of every search; localizing is told of where it was done


@dataclass(frozen=True, slots=True)
class UploadedQuery:
    """A picture that comes with the request: the bytes of its file."""

    data: bytes


@dataclass(frozen=True, slots=True)
class IndexedQuery:
    """A picture of the collection."""

    image_id: int


Query = UploadedQuery | IndexedQuery


@dataclass(frozen=True, slots=True)
class Match:
    """One result; `score` is the cosine similarity in [-1, 1]."""

    image: IndexedImage
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What an answer should hold.

    Attributes:
        k: number of results, from 1 to `MAX_K`.
        mode: `VISUAL` or `SEMANTIC`; None for semantic where it is there.
        localize: whether to tell what is in the query, where a head is there.
    """

    k: int = DEFAULT_K
    mode: str | None = None
    localize: bool = True


@dataclass(slots=True)
class Timings:
    """Milliseconds of each stage of an answer, by name."""

    stages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_STAGES, 0.0))

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[stage] = self.stages.get(stage, 0.0) + 1_000 * (time.perf_counter() - start)

    def to_json(self) -> dict[str, float]:
        """The stages and their total."""
        return {**self.stages, "total": sum(self.stages.values())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of a query, and what a search found.

    Attributes:
        image: the indexed picture that was asked about; None for an uploaded one.
        width: of the query, in pixels, as shown.
        height: of the query, in pixels, as shown.
        mode: of the search.
        matches: best first; empty where none were asked for.
        localization: what is in the query; None where no head is there, or it was not asked for.
        timings: of this answer.
    """

    image: IndexedImage | None
    width: int
    height: int
    mode: str
    matches: tuple[Match, ...]
    localization: Localization | None
    timings: Timings

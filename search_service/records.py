"""What is asked of the service, and what it answers."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from indexer.filters import NO_FILTERS, Filters
from indexer.records import Box, IndexedImage, ObjectLabel
from indexer.reduction import Floats
from localizer.records import Localization

DEFAULT_K, MAX_K = 10, 100
MAX_RESULTS = 1_000  # that can be paged through
MAX_PICTURES = 10  # of a query; so many embeddings fit into an address
MAX_QUERIES = 64  # of a batch
MODES = VISUAL, SEMANTIC = "visual", "semantic"
"""Modes of search: by looks alone, or also by what is in the pictures."""
TARGETS = IMAGES, OBJECTS = "images", "objects"
"""Targets of search: whole images, or the annotated objects in them."""
_STAGES = ("decode", "wait", "embed", "search")  # of every search; that of the heads is told where they looked


@dataclass(frozen=True, slots=True)
class UploadedPicture:
    """A picture that comes with the request: its file's bytes; `box` is the part that is meant, None for all."""

    data: bytes
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class IndexedPicture:
    """A picture of the collection; `box` is the part that is meant, None for all."""

    image_id: int
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class EmbeddedPicture:
    """A picture that was asked about before: the text that its answer gave for it, see `embedding_text`."""

    embedding: str


QueryPicture = UploadedPicture | IndexedPicture | EmbeddedPicture


@dataclass(frozen=True, slots=True)
class Query:
    """Pictures that results should look like, and pictures that they should not look like."""

    positives: tuple[QueryPicture, ...]
    negatives: tuple[QueryPicture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What an answer should hold.

    Attributes:
        k: number of results, from 1 to `MAX_K`.
        offset: how many better results to pass over; with k at most `MAX_RESULTS`.
        mode: `VISUAL` or `SEMANTIC`; None for semantic where it is there.
        target: `IMAGES` or `OBJECTS`.
        localize: whether to tell what is in the query, where a head is there.
        filters: what results must be like.
        min_score: what they must score at least; None for any.
        fold_duplicates: whether near-duplicates of a better result are left out.
    """

    k: int = DEFAULT_K
    offset: int = 0
    mode: str | None = None
    target: str = IMAGES
    localize: bool = True
    filters: Filters = NO_FILTERS
    min_score: float | None = None
    fold_duplicates: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sight:
    """One picture of a query, as the engine sees it.

    Attributes:
        image: the indexed image that it is, or is a part of; None for others.
        width: of the whole picture in pixels, as shown; None where only its embedding was given.
        height: of the whole picture in pixels, as shown; None where only its embedding was given.
        box: the part that is meant; None for all.
        vector: (d,) float32 of unit length.
        semantic: (d + classes,) float32 of unit length; None where there is no semantic index.
        localization: what is in it, in pixels of the whole picture; None where not asked for, or not known.
        embedding: the text that stands for it in later queries.
    """

    image: IndexedImage | None
    width: int | None
    height: int | None
    box: Box | None
    vector: Floats
    semantic: Floats | None
    localization: Localization | None
    embedding: str

    @property
    def image_id(self) -> int | None:
        """Of the indexed image."""
        return self.image.image_id if self.image else None

    @property
    def filename(self) -> str | None:
        """Of the indexed image."""
        return self.image.filename if self.image else None

    @property
    def corners(self) -> tuple[float, float, float, float] | None:
        """Of the box."""
        return self.box.corners if self.box else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One result.

    Attributes:
        image: that was found.
        score: in [-1, 1], larger is closer: cosine similarity, or in semantic mode that of `indexer.likeness`.
        percentile: percentage of the collection that scores less for the same query, in [0, 100].
        object: the annotated object that matched, where objects were searched.
        near_duplicates: how many near-duplicates of it were left out, of those that came next.
    """

    image: IndexedImage
    score: float
    percentile: float
    object: ObjectLabel | None = None
    near_duplicates: int = 0


@dataclass(slots=True)
class Timings:
    """Milliseconds of each stage of an answer, by name; and sizes of batches that began with a picture of it."""

    stages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_STAGES, 0.0))
    batches: list[int] = field(default_factory=list)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._add(stage, 1_000 * (time.perf_counter() - start))

    def add_waited(self, whole: float, batches: Iterable["Timings"]) -> None:
        """Add the stages of batches that were waited for, and as `wait` what else the whole wait was."""
        for batch in batches:
            for stage, value in batch.stages.items():
                self._add(stage, value)
                whole -= value
        self._add("wait", whole)

    @property
    def rounded(self) -> dict[str, float]:
        """The stages and their total."""
        stages = {**self.stages, "total": sum(self.stages.values())}
        return {stage: round(value, 3) for stage, value in stages.items()}

    def _add(self, stage: str, milliseconds: float) -> None:
        self.stages[stage] = self.stages.get(stage, 0.0) + milliseconds


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Answer:
    """What a search found.

    Attributes:
        positives: pictures that results should look like; the first is the one that is told of most.
        negatives: pictures that they should not look like.
        mode: of the search.
        target: of the search.
        matches: best first.
        searched: how many images, or objects, fulfilled the filters.
        more: whether there are results beyond these.
        timings: of this answer.
    """

    positives: tuple[Sight, ...]
    negatives: tuple[Sight, ...]
    mode: str
    target: str
    matches: tuple[Match, ...]
    searched: int
    more: bool
    timings: Timings

    @property
    def localization(self) -> Localization | None:
        """What is in the first picture of the query."""
        return self.positives[0].localization


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """What is in one picture."""

    sight: Sight
    timings: Timings


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of the images that fulfil filters, by image id; `total` is how many do."""

    images: tuple[IndexedImage, ...]
    total: int
    offset: int

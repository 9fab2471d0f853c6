"""A query in, an answer out: embeds once and asks the collection; knows nothing of HTTP."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from indexer import images, voc
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.images import Picture
from indexer.records import Hit, IndexedImage
from indexer.reduction import Floats
from search_service.errors import RequestError
from search_service.settings import Settings

DEFAULT_K, MAX_K = 10, 100
MAX_PICTURE_BYTES = 16 * 1024 * 1024
THUMBNAIL_SIDE = 320  # pixels


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


@dataclass(slots=True)
class Timings:
    """Milliseconds of each stage of an answer, by name."""

    stages: dict[str, float] = field(default_factory=lambda: {"decode": 0.0, "embed": 0.0, "search": 0.0})

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[stage] += 1_000 * (time.perf_counter() - start)

    def to_json(self) -> dict[str, float]:
        """The stages and their total."""
        return {**self.stages, "total": sum(self.stages.values())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search found.

    Attributes:
        image: the indexed picture that was searched with; None for an uploaded one.
        width: of the query, in pixels, as shown.
        height: of the query, in pixels, as shown.
        matches: best first.
        timings: of this answer.
    """

    image: IndexedImage | None
    width: int
    height: int
    matches: tuple[Match, ...]
    timings: Timings


class SearchEngine:
    """One collection with the embedder that fits it; may be asked from any number of threads."""

    def __init__(self, collection: Collection, embedder: Embedder, voc_root: Path) -> None:
        self.collection = collection
        self._embedder = embedder
        self._voc_root = voc_root

    @classmethod
    def open(cls, settings: Settings) -> "SearchEngine":
        """Open the collection, load the weights, hold one against the other, and run both once to warm up.

        Raises:
            CollectionError: no collection there, or weights of another fingerprint.
            WeightsError: the weights cannot be had.
            DatasetError: `settings.voc_root` is not a devkit.
        """
        collection = Collection.open(settings.collection)
        embedder = Embedder.for_collection(collection.manifest, settings.weights)
        root = voc.find_root(settings.voc_root) if settings.voc_root else Path(collection.manifest.voc_root)
        engine = cls(collection, embedder, root)
        engine._embed(np.zeros((embedder.side, embedder.side, 3), dtype=np.uint8))
        engine.answer(IndexedQuery(0))
        return engine

    def answer(self, query: Query, k: int = DEFAULT_K) -> Answer:
        """The k images that look most like the query; an indexed query is left out of its own results.

        Raises:
            ImageError: the uploaded bytes are not a picture that can be searched with.
            RequestError: k out of range, picture too large, or no such image.
        """
        if not 1 <= k <= MAX_K:
            raise RequestError(400, "invalid_k", f"expected k from 1 to {MAX_K}, found {k!s:.20}")
        timings = Timings()
        if isinstance(query, IndexedQuery):
            image = self.image(query.image_id)
            with timings.measure("search"):
                matches = self._nearest(self.collection.vector(image.image_id), k, exclude=(image.image_id,))
            return Answer(image=image, width=image.width, height=image.height, matches=matches, timings=timings)
        with timings.measure("decode"):
            picture = self._decode(query.data)
            pixels = self._embedder.pixels(picture)
        with timings.measure("embed"):
            vector = self._embed(pixels)
        with timings.measure("search"):
            matches = self._nearest(vector, k)
        return Answer(image=None, width=picture.width, height=picture.height, matches=matches, timings=timings)

    def image(self, image_id: int) -> IndexedImage:
        """What is known of one image.

        Raises:
            RequestError: no such image.
        """
        if not 0 <= image_id < len(self.collection):
            last = len(self.collection) - 1
            raise RequestError(
                404, "unknown_image", f"expected an image id from 0 to {last}, found {image_id!s:.20}"
            )
        return self.collection.images([image_id])[0]

    def picture_file(self, image: IndexedImage) -> Path:
        """The file of an image.

        Raises:
            RequestError: it is not where it was when the collection was built.
        """
        path = voc.picture_path(self._voc_root, image.filename)
        if not path.is_file():
            message = (
                f"the file of image {image.image_id}, {image.filename}, is gone; re-index, or name the devkit"
            )
            raise RequestError(404, "file_gone", message)
        return path

    def thumbnail(self, image: IndexedImage) -> bytes:
        """A JPEG of at most `THUMBNAIL_SIDE` pixels a side.

        Raises:
            ImageError: the file was replaced by something that is not a picture.
            RequestError: the file is gone.
        """
        picture = images.load(self.picture_file(image), THUMBNAIL_SIDE)
        return images.thumbnail(picture, THUMBNAIL_SIDE)

    def credits(self) -> str | None:
        """Whom the pictures are owed to, where their devkit says so."""
        path = self._voc_root / voc.CREDITS_FILE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None

    def _decode(self, data: bytes) -> Picture:
        if len(data) > MAX_PICTURE_BYTES:
            limit = MAX_PICTURE_BYTES // 2**20
            raise RequestError(
                413, "too_large", f"expected a picture of at most {limit} MiB, found {len(data):,} bytes"
            )
        return images.decode(data, self._embedder.side)

    def _embed(self, pixels: "np.typing.NDArray[np.uint8]") -> Floats:
        embedding = self._embedder.embed([pixels], self.collection.reduction, keep_maps=False)
        return np.asarray(embedding.vectors[0])

    def _nearest(self, vector: Floats, k: int, exclude: tuple[int, ...] = ()) -> tuple[Match, ...]:
        hits: list[Hit] = self.collection.nearest(vector, k, exclude)
        found = self.collection.images([hit.image_id for hit in hits])
        return tuple(Match(image, hit.score) for image, hit in zip(found, hits, strict=True))

"""A query in, an answer out: embeds once, asks collection and localizer; knows nothing of HTTP."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer import images, voc
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.images import Picture
from indexer.records import IndexedImage
from indexer.reduction import Embedding
from indexer.semantic_index import SemanticIndex
from localizer.predict import Look
from localizer.records import Localization
from search_service.errors import RequestError
from search_service.heads import open_localizer, open_semantic_index
from search_service.records import (
    MAX_K,
    SEMANTIC,
    VISUAL,
    Answer,
    IndexedQuery,
    Match,
    Query,
    Timings,
    Wishes,
)
from search_service.settings import Settings

MAX_PICTURE_BYTES = 16 * 1024 * 1024
THUMBNAIL_SIDE = 320  # pixels
_NO_MAIN_HEAD = "expected a head for main objects, found only a detector; train one without --task"


@dataclass(frozen=True, slots=True, eq=False)
class _Embedded:
    """A query: the image it is, if any, its size, its one embedding, and what heads make of that."""

    image: IndexedImage | None
    width: int
    height: int
    embedding: Embedding
    look: Look | None


class SearchEngine:
    """One collection with the embedder and the heads that fit it; may be asked from any number of threads."""

    def __init__(self, collection: Collection, embedder: Embedder, voc_root: Path) -> None:
        self.collection = collection
        self._embedder = embedder
        self._voc_root = voc_root
        self._localizer, self._why_no_localizer = open_localizer(collection)
        self._semantic: SemanticIndex | None = None
        if self._localizer is not None and self._localizer.main is not None:
            self._semantic = open_semantic_index(collection, self._localizer)

    @classmethod
    def open(cls, settings: Settings) -> "SearchEngine":
        """Open the collection, load the weights, hold one against the other, and run all once to warm up.

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

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes of search that are there; the first is the default."""
        return (VISUAL,) if self._semantic is None else (SEMANTIC, VISUAL)

    @property
    def localizes(self) -> bool:
        """Whether a head is there."""
        return self._localizer is not None

    def answer(self, query: Query, wishes: Wishes | None = None) -> Answer:
        """The images most like the query, and what is in it; an indexed query is left out of its own results.

        Raises:
            ImageError: the uploaded bytes are not a picture that can be searched with.
            RequestError: k out of range, no such mode, picture too large, or no such image.
        """
        wishes = wishes or Wishes()
        if not 1 <= wishes.k <= MAX_K:
            raise RequestError(400, "invalid_k", f"expected k from 1 to {MAX_K}, found {wishes.k!s:.20}")
        mode = self._settle_mode(wishes.mode)
        timings = Timings()
        embedded = self._embed_query(query, timings)
        with timings.measure("search"):
            matches = self._nearest(embedded, mode, wishes.k)
        localization = self._localize(embedded, timings) if wishes.localize else None
        return Answer(
            image=embedded.image,
            width=embedded.width,
            height=embedded.height,
            mode=mode,
            matches=matches,
            localization=localization,
            timings=timings,
        )

    def localize(self, query: Query) -> Answer:
        """What is in the query, and where; nothing is searched.

        Raises:
            ImageError: the uploaded bytes are not a picture.
            RequestError: no head is there, picture too large, or no such image.
        """
        if self._localizer is None:
            raise RequestError(409, "no_head", self._why_no_localizer)
        timings = Timings()
        embedded = self._embed_query(query, timings)
        return Answer(
            image=embedded.image,
            width=embedded.width,
            height=embedded.height,
            mode=self.modes[0],
            matches=(),
            localization=self._localize(embedded, timings),
            timings=timings,
        )

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

    def _settle_mode(self, mode: str | None) -> str:
        if mode is None:
            return self.modes[0]
        if mode not in (VISUAL, SEMANTIC):
            raise RequestError(400, "invalid_mode", f"expected mode {VISUAL} or {SEMANTIC}, found {mode!r:.50}")
        if mode not in self.modes:
            raise RequestError(409, "no_head", self._why_no_localizer or _NO_MAIN_HEAD)
        return mode

    def _embed_query(self, query: Query, timings: Timings) -> _Embedded:
        """The one embedding of a query: read back for an indexed one, made for an uploaded one."""
        if isinstance(query, IndexedQuery):
            image = self.image(query.image_id)
            with timings.measure("embed"):
                embedding = self.collection.embedding(image.image_id)
            return _Embedded(image, image.width, image.height, embedding, self._look(embedding))
        with timings.measure("decode"):
            picture = self._decode(query.data)
            pixels = self._embedder.pixels(picture)
        with timings.measure("embed"):
            embedding = self._embed(pixels)
        return _Embedded(None, picture.width, picture.height, embedding, self._look(embedding))

    def _look(self, embedding: Embedding) -> Look | None:
        return self._localizer.look(embedding) if self._localizer else None

    def _embed(self, pixels: "np.typing.NDArray[np.uint8]") -> Embedding:
        keep_maps = self._localizer is not None and self._localizer.needs_maps
        return self._embedder.embed([pixels], self.collection.reduction, keep_maps=keep_maps)

    def _localize(self, embedded: _Embedded, timings: Timings) -> Localization | None:
        if embedded.look is None:
            return None
        with timings.measure("localize"):
            [found] = embedded.look.localize([(embedded.width, embedded.height)])
        return found

    def _nearest(self, embedded: _Embedded, mode: str, k: int) -> tuple[Match, ...]:
        exclude = (embedded.image.image_id,) if embedded.image else ()
        if mode == SEMANTIC and self._semantic is not None and embedded.look is not None:
            image, look = embedded.image, embedded.look
            row = self._semantic.vector(image.image_id) if image else look.semantic_vectors()[0]
            hits = self._semantic.nearest(row, k, exclude)
        else:
            hits = self.collection.nearest(np.asarray(embedded.embedding.vectors[0]), k, exclude)
        found = self.collection.images([hit.image_id for hit in hits])
        return tuple(Match(image, hit.score) for image, hit in zip(found, hits, strict=True))

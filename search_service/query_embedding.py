"""The pictures of a query -> rows to search with, and what is in them: each is embedded once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.records import Box, IndexedImage
from indexer.reduction import Embedding, Floats, unit_rows
from indexer.semantic_index import SemanticIndex
from localizer.predict import Localizer
from localizer.records import Localization
from search_service.embedding_text import EmbeddingTexts
from search_service.errors import RequestError
from search_service.picture_files import PictureFiles
from search_service.records import EmbeddedPicture, IndexedPicture, QueryPicture, Sight, Timings, UploadedPicture

MAX_PICTURE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Prepared:
    """A picture of a query that was found fit to be embedded.

    Attributes:
        image: the indexed image that it is, or is a part of.
        width: of the whole picture; None where only an embedding was given.
        height: of the whole picture; None where only an embedding was given.
        box: the part that is meant.
        pixels: the network's input; None where the embedding is known.
        row: the embedding, where it was given.
        localize: whether to tell what is in it.
    """

    image: IndexedImage | None = None
    width: int | None = None
    height: int | None = None
    box: Box | None = None
    pixels: NDArray[np.uint8] | None = None
    row: Floats | None = None
    localize: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is meant, at least a pixel."""
        if self.box is None:
            return self.width or 1, self.height or 1
        xmin, ymin, xmax, ymax = self.box.corners
        return max(1, int(xmax - xmin)), max(1, int(ymax - ymin))


class QueryEmbedder:
    """Sees pictures as a collection's index and heads need them."""

    def __init__(
        self,
        collection: Collection,
        embedder: Embedder,
        files: PictureFiles,
        localizer: Localizer | None,
        semantic: SemanticIndex | None,
    ) -> None:
        self._collection = collection
        self._embedder = embedder
        self._files = files
        self._localizer = localizer
        self._semantic = semantic
        self._lacks_maps = localizer is not None and not localizer.can_look_at(collection)
        dim = collection.manifest.vector_dim if semantic is None else semantic.dim
        head = "" if semantic is None else semantic.source
        self._texts = EmbeddingTexts(collection.manifest.fingerprint, head, dim)

    def prepare(
        self, picture: QueryPicture, find: Callable[[int], IndexedImage], seconds: float, *, localize: bool
    ) -> Prepared:
        """Decode what has to be decoded, within so many seconds; may be called from any thread.

        Raises:
            ImageError: the bytes are not a picture that can be decoded, or nothing of the box is inside it.
            RequestError: picture too large, file gone, an embedding of another collection, or no decoder.
        """
        return replace(self._prepare(picture, find, seconds, localize=localize), localize=localize)

    def blank(self) -> Prepared:
        """A picture of nothing, to be seen for a trial."""
        side = self._embedder.side
        return Prepared(width=side, height=side, pixels=np.zeros((side, side, 3), dtype=np.uint8), localize=True)

    def see(self, pictures: Sequence[Prepared], timings: Timings) -> list[Sight]:
        """Embed all of them in one batch, those whose embedding is not known yet, and look at what is in them.

        Only for one thread at a time.
        """
        sights: dict[int, Sight] = {}
        for read, chosen in (
            (self._given, [place for place, one in enumerate(pictures) if one.row is not None]),
            (self._fresh, [place for place, one in enumerate(pictures) if one.pixels is not None]),
            (
                self._stored,
                [place for place, one in enumerate(pictures) if one.row is None and one.pixels is None],
            ),
        ):
            if chosen:
                sights |= zip(chosen, read([pictures[place] for place in chosen], timings), strict=True)
        return [sights[place] for place in range(len(pictures))]

    def _given(self, pictures: Sequence[Prepared], _: Timings) -> list[Sight]:
        """Those of which nothing but the embedding is known."""
        rows = [one.row for one in pictures if one.row is not None]
        return [self._sight(one, row, self._vector(row), None) for one, row in zip(pictures, rows, strict=True)]

    def _fresh(self, pictures: Sequence[Prepared], timings: Timings) -> list[Sight]:
        """Those that were decoded."""
        with timings.measure("embed"):
            embedding = self._embed([one.pixels for one in pictures if one.pixels is not None])
        return self._look(pictures, embedding, None, timings)

    def _stored(self, pictures: Sequence[Prepared], timings: Timings) -> list[Sight]:
        """Those that are indexed."""
        ids = [one.image.image_id for one in pictures if one.image is not None]
        with timings.measure("embed"):
            with_maps = self._localizer is not None and any(one.localize for one in pictures)
            embedding = self._collection.embeddings(ids, with_maps=with_maps)
            rows = None if self._semantic is None else self._semantic.rows(ids)
        return self._look(pictures, embedding, rows, timings)

    def _look(
        self, pictures: Sequence[Prepared], embedding: Embedding, rows: Floats | None, timings: Timings
    ) -> list[Sight]:
        """Sights of embedded pictures; `rows` are those to search with, where they are known."""
        localizations: Sequence[Localization | None] = [None] * len(pictures)
        localize = any(one.localize for one in pictures)
        joins = rows is None and self._semantic is not None
        if self._localizer is not None and (localize or joins):
            with timings.measure("localize"):
                look = self._localizer.look(embedding)
                rows = look.semantic_vectors() if joins else rows
                if localize:
                    localizations = look.localize([one.size for one in pictures])
        rows = embedding.vectors if rows is None else rows
        seen = zip(pictures, rows, embedding.vectors, localizations, strict=True)
        return [self._sight(*one) for one in seen]

    def _prepare(
        self, picture: QueryPicture, find: Callable[[int], IndexedImage], seconds: float, *, localize: bool
    ) -> Prepared:
        match picture:
            case EmbeddedPicture(embedding):
                return Prepared(row=self._texts.read(embedding))
            case IndexedPicture(image_id, None) if not (localize and self._lacks_maps):
                image = find(image_id)
                return Prepared(image=image, width=image.width, height=image.height)
            case IndexedPicture(image_id, box):
                image = find(image_id)
                return self._decode(self._files.read(image), box, image, seconds)
            case UploadedPicture(data, box):
                if len(data) > MAX_PICTURE_BYTES:
                    limit = MAX_PICTURE_BYTES // 2**20
                    message = f"expected a picture of at most {limit} MiB, found {len(data):,} bytes"
                    raise RequestError(413, "too_large", message)
                return self._decode(data, box, None, seconds)

    def _vector(self, row: Floats) -> Floats:
        """The vector that a semantic row was joined from; a row that is none is the vector itself."""
        vector: Floats = unit_rows(row[np.newaxis, : self._collection.manifest.vector_dim])[0]
        return vector

    def _sight(self, picture: Prepared, row: Floats, vector: Floats, localization: Localization | None) -> Sight:
        if localization and not picture.localize:
            localization = None  # made for others of the batch
        if localization and picture.box:
            localization = localization.shifted(picture.box.xmin, picture.box.ymin)
        return Sight(
            image=picture.image,
            width=picture.width,
            height=picture.height,
            box=picture.box,
            vector=vector,
            semantic=None if self._semantic is None else row,
            localization=localization,
            embedding=self._texts.write(row),
        )

    def _decode(self, data: bytes, box: Box | None, image: IndexedImage | None, seconds: float) -> Prepared:
        how = self._embedder.backbone.preprocessing
        square = self._files.decoders.square(data, how.side, how.resampling, box, seconds)
        width, height = square.width, square.height
        part = box.clipped(width, height) if box else None
        return Prepared(image=image, width=width, height=height, box=part, pixels=square.pixels)

    def _embed(self, pixels: Sequence[NDArray[np.uint8]]) -> Embedding:
        keep_maps = self._localizer is not None and self._localizer.needs_maps
        return self._embedder.embed(pixels, self._collection.reduction, keep_maps=keep_maps)

"""A query in, an answer out: embeds once, asks collection and localizer; knows nothing of HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from indexer import voc
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.errors import LookalikeError
from indexer.filters import Filters
from indexer.records import IndexedImage
from indexer.reduction import Floats
from indexer.semantic_index import SemanticIndex
from search_service.decoders import Decoders
from search_service.errors import RequestError
from search_service.heads import open_localizer, open_semantic_index
from search_service.micro_batching import MicroBatcher
from search_service.picture_files import PictureFiles
from search_service.query_embedding import Prepared, QueryEmbedder
from search_service.ranking import Ranker, combine
from search_service.records import (
    IMAGES,
    OBJECTS,
    SEMANTIC,
    VISUAL,
    Answer,
    IndexedPicture,
    Listing,
    Located,
    Match,
    Query,
    QueryPicture,
    Sight,
    Timings,
    Wishes,
)
from search_service.settings import MAX_BATCH, Settings
from search_service.wish_checks import check_filters, check_page, check_query, check_wishes

_NO_MAIN_HEAD = "expected a head for main objects, found only a detector; train one without --task"


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A query whose pictures are prepared, and its wishes, checked."""

    pictures: list[Prepared]
    positives: int
    wishes: Wishes
    mode: str


class SearchEngine:
    """One collection with the embedder and the heads that fit it; may be asked from any number of threads.

    Decoders that are given may be shared with other engines; its own are closed with it.
    """

    def __init__(
        self,
        collection: Collection,
        embedder: Embedder,
        voc_root: Path,
        max_batch: int = MAX_BATCH,
        decoders: Decoders | None = None,
    ) -> None:
        self.collection = collection
        self.decoders, self._owns_decoders = decoders or Decoders(), decoders is None
        self.files = PictureFiles(voc_root, self.decoders)
        self._localizer, self._why_no_localizer = open_localizer(collection)
        semantic: SemanticIndex | None = None
        if self._localizer is not None and self._localizer.main is not None:
            semantic = open_semantic_index(collection, self._localizer)
        self.modes = (VISUAL,) if semantic is None else (SEMANTIC, VISUAL)
        self.targets = (IMAGES,) if collection.objects is None else (IMAGES, OBJECTS)
        self._embedder = QueryEmbedder(collection, embedder, self.files, self._localizer, semantic)
        self._batcher = MicroBatcher(self._embedder.see, max_batch)
        self._ranker = Ranker(collection, semantic)

    @classmethod
    def open(cls, settings: Settings, decoders: Decoders | None = None) -> "SearchEngine":
        """Open the collection, load the weights, and hold one against the other.

        Raises:
            CollectionError: no collection there, or weights of another fingerprint.
            WeightsError: the weights cannot be had.
            InferenceError: this machine cannot run the backbone as asked.
            DatasetError: `settings.voc_root` is not a devkit.
        """
        collection = Collection.open(settings.collection)
        embedder = Embedder.for_collection(collection.manifest, settings.weights, settings.inference)
        root = voc.find_root(settings.voc_root) if settings.voc_root else Path(collection.manifest.voc_root)
        return cls(collection, embedder, root, settings.max_batch, decoders)

    def warm_up(self) -> None:
        """Ask everything once: what is loaded when it is first needed is loaded by then."""
        self.decoders.start()
        blank = self._embedder.blank()
        self._batcher.see(lambda: [blank], Timings())
        self.answer(Query((IndexedPicture(0),)))

    def close(self) -> None:
        """Answer what was asked, and give the collection's files back."""
        self._batcher.close()
        if self._owns_decoders:
            self.decoders.close()
        self.collection.close()

    @property
    def localizes(self) -> bool:
        """Whether a head is there."""
        return self._localizer is not None

    def answer(self, query: Query, wishes: Wishes | None = None) -> Answer:
        """The images most like the query, and what is in it; indexed pictures are left out of their own results.

        Raises:
            ImageError: uploaded bytes are not a picture that can be searched with.
            RequestError: a wish out of its range, picture too large, no such image.
        """
        [answer], _ = self.answer_all([(query, wishes or Wishes())])
        if isinstance(answer, LookalikeError):
            raise answer
        return answer

    def answer_all(self, queries: Sequence[tuple[Query, Wishes]]) -> tuple[list[Answer | LookalikeError], Timings]:
        """Answer many, embedded together: each with its answer, or with why it has none; and their timings."""
        timings = Timings()
        asked: list[_Asked | LookalikeError] = []

        def prepare() -> list[Prepared]:
            asked.extend(self._try_to_prepare(*one, timings) for one in queries)
            return [picture for one in asked if isinstance(one, _Asked) for picture in one.pictures]

        sights = iter(self._batcher.see(prepare, timings))
        return [
            self._try_to_find(one, list(islice(sights, len(one.pictures))), timings)
            if isinstance(one, _Asked)
            else one
            for one in asked
        ], timings

    def localize(self, picture: QueryPicture) -> Located:
        """What is in a picture, and where; nothing is searched.

        Raises:
            ImageError: the uploaded bytes are not a picture.
            RequestError: no head is there, picture too large, or no such image.
        """
        if self._localizer is None:
            raise RequestError(409, "no_head", self._why_no_localizer)
        timings = Timings()
        [sight] = self._batcher.see(lambda: self._decode([picture], timings, localize=True), timings)
        return Located(sight, timings)

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

    def list_images(self, filters: Filters, offset: int, k: int) -> Listing:
        """The k images from `offset` on of those that fulfil filters, by image id.

        Raises:
            RequestError: k or offset out of range, or a filter names a class or split that is not there.
        """
        check_page(offset, k)
        check_filters(filters, self.collection.manifest, self.collection.poses)
        ids = self.collection.matching_images(filters)
        page = self.collection.images(ids[offset : offset + k].tolist())
        return Listing(tuple(page), len(ids), offset)

    def _try_to_prepare(self, query: Query, wishes: Wishes, timings: Timings) -> "_Asked | LookalikeError":
        try:
            return self._prepare(query, wishes, timings)
        except LookalikeError as error:
            return error

    def _try_to_find(self, asked: _Asked, sights: Sequence[Sight], timings: Timings) -> Answer | LookalikeError:
        try:
            return self._find(asked, sights, timings)
        except LookalikeError as error:
            return error

    def _prepare(self, query: Query, wishes: Wishes, timings: Timings) -> _Asked:
        check_query(query)
        check_wishes(wishes, self.targets)
        check_filters(wishes.filters, self.collection.manifest, self.collection.poses)
        mode = self._settle_mode(wishes)
        pictures = self._decode(query.positives + query.negatives, timings, localize=wishes.localize)
        return _Asked(pictures, len(query.positives), wishes, mode)

    def _decode(self, pictures: Sequence[QueryPicture], timings: Timings, *, localize: bool) -> list[Prepared]:
        with timings.measure("decode"):
            return [self._embedder.prepare(one, self.image, localize=localize) for one in pictures]

    def _find(self, asked: _Asked, sights: Sequence[Sight], timings: Timings) -> Answer:
        positives, negatives = sights[: asked.positives], sights[asked.positives :]
        semantic = asked.mode == SEMANTIC
        with timings.measure("search"):
            row = combine(*([_row(one, semantic=semantic) for one in side] for side in (positives, negatives)))
            exclude = sorted({one.image.image_id for one in sights if one.image})
            ranking = self._ranker.rank(row, asked.mode, asked.wishes, exclude)
            found = self.collection.images([one.image_id for one in ranking.results])
            object_ids = [one.object_id for one in ranking.results if one.object_id is not None]
            labels = self.collection.labels(object_ids) if object_ids else [None] * len(found)
        matches = [
            Match(image=image, score=one.score, object=label, near_duplicates=one.near_duplicates)
            for image, one, label in zip(found, ranking.results, labels, strict=True)
        ]
        return Answer(
            positives=tuple(positives),
            negatives=tuple(negatives),
            mode=asked.mode,
            target=asked.wishes.target,
            matches=tuple(matches),
            searched=ranking.searched,
            more=ranking.more,
            timings=timings,
        )

    def _settle_mode(self, wishes: Wishes) -> str:
        if wishes.mode not in (None, VISUAL, SEMANTIC):
            raise RequestError(
                400, "invalid_mode", f"expected mode {VISUAL} or {SEMANTIC}, found {wishes.mode!r:.50}"
            )
        if wishes.target == OBJECTS:
            if wishes.mode == SEMANTIC:
                message = f"expected mode {VISUAL} to search objects, found {SEMANTIC}; leave the mode out"
                raise RequestError(400, "invalid_mode", message)
            return VISUAL
        if wishes.mode is None:
            return self.modes[0]
        if wishes.mode not in self.modes:
            raise RequestError(409, "no_head", self._why_no_localizer or _NO_MAIN_HEAD)
        return wishes.mode


def _row(sight: Sight, *, semantic: bool) -> Floats:
    return sight.semantic if semantic and sight.semantic is not None else sight.vector

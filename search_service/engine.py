"""A query in, an answer out: embeds once, asks collection and localizer; knows nothing of HTTP."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from indexer import places, voc
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.errors import CollectionError, LookalikeError
from indexer.reduction import Floats
from search_service.catalogue import Catalogue
from search_service.deadline import NEVER, Deadline
from search_service.decoders import Decoders
from search_service.errors import RequestError
from search_service.heads import open_localizer, open_semantic_index
from search_service.micro_batching import MicroBatcher
from search_service.picture_files import PictureFiles
from search_service.query_embedding import Prepared, QueryEmbedder
from search_service.ranking import Ranker, combine
from search_service.records import (
    DEFAULT_K,
    IMAGES,
    OBJECTS,
    SEMANTIC,
    VISUAL,
    Answer,
    IndexedPicture,
    Located,
    Match,
    Query,
    QueryPicture,
    Sight,
    Timings,
    Wishes,
)
from search_service.settings import MAX_BATCH, Settings
from search_service.wish_checks import check_filters, check_query, check_wishes, settle_mode

Made = TypeVar("Made")

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
        self.embedder = embedder
        self.decoders, self._owns_decoders = decoders or Decoders(), decoders is None
        self.files = PictureFiles(voc_root, self.decoders)
        self._localizer, self._why_no_localizer = open_localizer(collection)
        semantic = open_semantic_index(collection, self._localizer)
        self.heads = self._localizer.digests if self._localizer else {}
        self.modes = (VISUAL,) if semantic is None else (SEMANTIC, VISUAL)
        self.targets = (IMAGES,) if collection.objects is None else (IMAGES, OBJECTS)
        self._embedder = QueryEmbedder(collection, embedder, self.files, self._localizer, semantic)
        self._batcher = MicroBatcher(self._embedder.see, max_batch)
        self._ranker = Ranker(collection, semantic)
        self.catalogue = Catalogue(collection)

    @classmethod
    def open(
        cls, settings: Settings, embedder: Embedder | None = None, decoders: Decoders | None = None
    ) -> "SearchEngine":
        """Open the collection, load the weights, and hold one against the other.

        Args:
            settings: what to open.
            embedder: taken instead of another one, if it fits the collection.
            decoders: taken instead of the engine's own.

        Raises:
            CollectionError: no collection there, or weights of another fingerprint.
            WeightsError: the weights cannot be had.
            InferenceError: this machine cannot run the backbone as asked.
            DatasetError: `settings.voc_root` is not a devkit.
        """
        with ExitStack() as undo:
            collection = undo.enter_context(Collection.open(settings.collection))
            manifest = collection.manifest
            if embedder is None or not embedder.fits(manifest):
                embedder = Embedder.for_collection(manifest, settings.weights, settings.inference)
            root = voc.find_root(settings.voc_root) if settings.voc_root else places.place(manifest.voc_root)
            engine = cls(collection, embedder, root, settings.max_batch, decoders)
            undo.pop_all()
        return engine

    def warm_up(self) -> None:
        """Ask everything once: what is loaded when it is first needed is loaded by then.

        Raises:
            CollectionError: less is answered than there is.
        """
        self.decoders.start()
        blank = self._embedder.blank()
        self._batcher.see(lambda: [blank], Timings())
        answer = self.answer(Query((IndexedPicture(0),)))
        found, expected = len(answer.matches), min(DEFAULT_K, answer.searched)
        if found != expected:
            where = self.collection.folder
            raise CollectionError(
                f"expected {expected} results in {where}, found {found}; build with --from-scratch"
            )

    def close(self) -> None:
        """Answer what was asked, and give the collection's files back."""
        self._batcher.close()
        if self._owns_decoders:
            self.decoders.close()
        self.collection.close()

    @property
    def waiting(self) -> int:
        """How many pictures wait to be seen."""
        return self._batcher.waiting

    @property
    def localizes(self) -> bool:
        """Whether a head is there."""
        return self._localizer is not None

    def answer(self, query: Query, wishes: Wishes | None = None, deadline: Deadline = NEVER) -> Answer:
        """The images most like the query, and what is in it; indexed pictures are left out of their own results.

        Raises:
            ImageError: uploaded bytes are not a picture that can be searched with.
            RequestError: a wish out of its range, picture too large, no such image; or not seen in time.
        """
        [answer], _ = self.answer_all([(query, wishes or Wishes())], deadline)
        if isinstance(answer, LookalikeError):
            raise answer
        return answer

    def answer_all(
        self, queries: Sequence[tuple[Query, Wishes]], deadline: Deadline = NEVER
    ) -> tuple[list[Answer | LookalikeError], Timings]:
        """Answer many, embedded together: each with its answer, or with why it has none; and their timings.

        Raises:
            DeadlineError: their pictures were not seen in time.
        """
        timings = Timings()
        asked: list[_Asked | LookalikeError] = []

        def prepare() -> list[Prepared]:
            asked.extend(_tried(self._prepare, *one, timings, deadline) for one in queries)
            return [picture for one in asked if isinstance(one, _Asked) for picture in one.pictures]

        sights = iter(self._batcher.see(prepare, timings, deadline))
        return [
            _tried(self._find, one, list(islice(sights, len(one.pictures))), timings)
            if isinstance(one, _Asked)
            else one
            for one in asked
        ], timings

    def localize(self, picture: QueryPicture, deadline: Deadline = NEVER) -> Located:
        """What is in a picture, and where; nothing is searched.

        Raises:
            ImageError: the uploaded bytes are not a picture.
            RequestError: no head is there, picture too large, no such image, or not seen in time.
        """
        if self._localizer is None:
            raise RequestError(409, "no_head", self._why_no_localizer)
        timings = Timings()

        def prepare() -> list[Prepared]:
            return self._decode([picture], timings, deadline, localize=True)

        [sight] = self._batcher.see(prepare, timings, deadline)
        return Located(sight, timings)

    def _prepare(self, query: Query, wishes: Wishes, timings: Timings, deadline: Deadline) -> _Asked:
        check_query(query)
        check_wishes(wishes, self.targets, annotated=bool(self.collection.manifest.objects))
        check_filters(wishes.filters, self.collection.manifest, self.collection.poses)
        mode = settle_mode(wishes, self.modes, self._why_no_localizer or _NO_MAIN_HEAD)
        sent = query.positives + query.negatives
        pictures = self._decode(sent, timings, deadline, localize=wishes.localize)
        return _Asked(pictures, len(query.positives), wishes, mode)

    def _decode(
        self, pictures: Sequence[QueryPicture], timings: Timings, deadline: Deadline, *, localize: bool
    ) -> list[Prepared]:
        prepare, find = self._embedder.prepare, self.catalogue.image
        with timings.measure("decode"):
            return [prepare(one, find, deadline.remaining(), localize=localize) for one in pictures]

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
            Match(
                image=image,
                score=one.score,
                percentile=one.percentile,
                object=label,
                near_duplicates=one.near_duplicates,
            )
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


def _tried(do: Callable[..., Made], *given: Any) -> Made | LookalikeError:  # noqa: ANN401 - what `do` takes
    try:
        return do(*given)
    except LookalikeError as error:
        return error


def _row(sight: Sight, *, semantic: bool) -> Floats:
    return sight.semantic if semantic and sight.semantic is not None else sight.vector

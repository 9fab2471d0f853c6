"""Building a collection, and building it again: reader, embedder and collection joined, old work kept."""

import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from indexer import backbones, engines, own_split, store_addresses, voc
from indexer.assembly import Assembly
from indexer.build_settings import AUTO, BuildRequest, BuildSettings, BuildSummary
from indexer.collection import Collection
from indexer.draft import draft_manifest
from indexer.embedder import Embedder, EmbeddingStep, other_weights
from indexer.embedding_run import EmbeddingRun
from indexer.errors import DatasetError, EmptyCollectionError
from indexer.file_hashing import hash_files
from indexer.generation import GenerationWriter, prune
from indexer.generations import generations, last_manifest
from indexer.held import Held
from indexer.layout import BUILDING
from indexer.manifest import Manifest
from indexer.object_embedding import ObjectEmbedding, staging_folder
from indexer.pipeline import PictureFile
from indexer.plan import Plan, make_plan
from indexer.records import ANNOTATION, OBJECT, PICTURE, Notice
from indexer.reduction import Floats, Reduction
from indexer.runtimes import inference_of
from indexer.staging import Staging
from indexer.store import Store
from indexer.stores import store_at

logger = logging.getLogger(__name__)


def build(request: BuildRequest) -> BuildSummary:
    """Bring a collection in step with its devkit, and publish it as a new generation if anything changed.

    Raises:
        DatasetError: no devkit, or no usable picture in it; with `strict`, any unusable picture.
        WeightsError: the backbone's weights cannot be had.
        CollectionBusyError: another build is running on the collection.
        CollectionError: what is published there is damaged, or of another devkit where it moves to.
        InferenceError: the backbone cannot be run as asked, or no cluster be reached to run it on.
    """
    path = request.collection
    if not path.exists():
        voc.find_root(request.settle(None).voc_root)  # before a folder is made for nothing
    known = store_addresses.load(path)
    addresses = request.addresses(known)
    with closing(store_at(path, addresses)) as store, store.only_writer():
        moves = not (addresses.is_where(known) if addresses else known is None)
        if moves:
            store.refuse_stranger(request.devkit(last_manifest(path)))
        if addresses and not (moves and generations(path)):
            store_addresses.save(path, addresses)  # of a new folder, too: what those servers have is built on
            moves = False
        store.settle()
        prune(path, store)
        settings = request.settle(last_manifest(path))
        with _published(path, request) as published, engines.opened(request.engine) as make_pieces:
            return _Build(settings, store, published, make_pieces, anew=moves).run()


@contextmanager
def _published(path: Path, request: BuildRequest) -> Iterator[Collection | None]:
    """What is published now, to be built on; None where nothing is, or where that is not wanted."""
    try:
        published = None if request.from_scratch else Collection.open(path)
    except EmptyCollectionError:
        published = None
    try:
        yield published
    finally:
        if published is not None:
            published.close()


def rebuild(collection: Path, salvaged: Held, store: Store) -> BuildSummary:
    """Publish a generation of what was salvaged of the published one, with what is lost embedded again as it was.

    The caller holds the collection's lock.

    Raises:
        WeightsError: the backbone's weights cannot be had.
        CollectionError: they are not those that the collection was embedded with.
    """
    request = BuildRequest(collection=collection, inference=inference_of(salvaged.manifest.embedded_with))
    settings = request.settle(salvaged.manifest)
    return _Build(settings, store, salvaged, engines.local, salvaged=True, anew=True).run()


class _Build:
    """One build; made anew for each.

    Args:
        settings: what to build.
        store: where the generation goes.
        published: to build on.
        make_pieces: embeds.
        salvaged: whether it is what is left of a damaged generation.
        anew: whether to publish even what equals it.
    """

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        settings: BuildSettings,
        store: Store,
        published: Held | None,
        make_pieces: engines.MakePieces,
        *,
        salvaged: bool = False,
        anew: bool = False,
    ) -> None:
        self._settings = settings
        self._store = store
        self._published = published
        self._make_pieces = make_pieces
        self._salvaged = salvaged
        self._anew = anew
        self._started = time.monotonic()

    def run(self) -> BuildSummary:
        devkit = voc.read_split(self._settings.voc_root, self._settings.split)
        embedder = self._load_embedder()
        carried = self._published if self._can_carry_over(embedder) else None
        listed, unreadable = hash_files(devkit, quiet=self._settings.quiet)
        held = self._published.all_images() if self._published else []
        plan = make_plan(listed, held, comparable=carried is not None)
        self._refuse_disappearance(devkit.root, plan, len(held))
        staging = Staging(self._settings.collection / BUILDING, self._kind(embedder, carried))
        run = self._start_run(embedder, staging, plan, devkit.root)
        reduction = run.embed_all(self._given_reduction(carried))
        by = {str(embedder.inference)} if plan.wanted else set()
        by.update(carried.manifest.embedded_with if carried else ())

        def assemble(failures: Mapping[str, str]) -> tuple[Assembly, list[Notice], Manifest]:
            frame = self._settings.annotated_frame
            assembly = Assembly(plan, failures, staging, carried, root=devkit.root, annotated_frame=frame)
            notices = _all_notices(devkit, unreadable, assembly)
            _refuse_unusable(assembly, notices, strict=self._settings.strict)
            made_split_seed = self._split_by_itself(assembly)
            draft = draft_manifest(self._published_number() + 1, self._settings, embedder, reduction, assembly)
            skipped = sum(notice.kind == PICTURE and not notice.used for notice in notices)
            manifest = replace(
                draft,
                embedded_with=tuple(sorted(by)),
                skipped=skipped,
                accounts=_accounts(devkit, assembly),
                made_split_seed=made_split_seed,
            )
            return assembly, notices, manifest

        assembly, notices, manifest = assemble(run.failures)
        if self._is_new(manifest, assembly, notices):
            vectors = None
            if manifest.object_index:
                objects = ObjectEmbedding(embedder, carried, self._make_pieces)
                lost = objects.embed(assembly.images, self._settings, reduction)
                if lost:
                    assembly, notices, manifest = assemble({**run.failures, **lost})
                vectors = objects.vectors(assembly.images, manifest.vector_dim)
            self._publish(manifest, reduction, assembly, notices, vectors)
        staging.clear()
        shutil.rmtree(staging_folder(self._settings.collection), ignore_errors=True)
        return self._summarise(plan, run, assembly, notices, manifest)

    def _refuse_disappearance(self, root: Path, plan: Plan, held: int) -> None:
        """Stop where most of a collection is gone, which an unmounted disk looks like, too."""
        meant = self._settings.allow_removals or self._salvaged
        narrowed = self._published is not None and self._published.manifest.split != self._settings.split
        if meant or narrowed or 2 * len(plan.removed) <= held:
            return
        raise DatasetError(
            f"expected most of the collection's {held} pictures in {root}, found {len(plan.removed)} of them gone "
            f"({min(plan.removed)} is the first); see that the disk is mounted, or remove them by --allow-removals"
        )

    def _load_embedder(self) -> Embedder:
        settings = self._settings
        if settings.backbone == AUTO:
            backbone, why = backbones.load_first_available(settings.side)
            logger.warning("Taking %s", why)
        else:
            backbone = backbones.load(settings.backbone, settings.weights, settings.side)
        return Embedder(backbone, settings.inference, bulk=True)

    def _can_carry_over(self, embedder: Embedder) -> bool:
        """Whether the published vectors and maps compare with those to be made; warns where they do not."""
        if self._published is None:
            return False
        held, settings = self._published.manifest, self._settings
        same = (
            held.embedding_key == embedder.key
            and (held.reduction is not None) == settings.reduce
            and (self._published.has_maps or not settings.keep_maps)
        )
        if not same and self._salvaged:
            raise other_weights(held.backbone, embedder.note)
        if not same:
            logger.warning("Backbone, reduction or maps differ from what is published: embedding everything anew")
        return same

    def _kind(self, embedder: Embedder, carried: Held | None) -> str:
        """What staged pieces must agree in to be taken up."""
        reduction = carried.reduction.digest() if carried else f"new: {self._settings.reduce}"
        return f"{embedder.key} {reduction} {self._settings.keep_maps} {embedder.inference}"

    def _start_run(self, embedder: Embedder, staging: Staging, plan: Plan, root: Path) -> EmbeddingRun:
        files = {sha: PictureFile(voc.picture_path(root, name), sha) for sha, name in plan.wanted.items()}
        unit = None if self._settings.quiet else "pictures"
        step = EmbeddingStep(embedder, keep_maps=self._settings.keep_maps)
        return EmbeddingRun(step, staging, files, unit=unit, make_pieces=self._make_pieces)

    def _given_reduction(self, carried: Held | None) -> Reduction | None:
        if carried is not None:
            return carried.reduction
        return None if self._settings.reduce else Reduction()

    def _split_by_itself(self, assembly: Assembly) -> int | None:
        """Split the annotated pictures where no list names any; the seed, or None where the lists' splits stay."""
        held = self._published
        had_made = held is not None and held.manifest.made_split_seed is not None
        if self._settings.split != voc.ALL or any(image.split for image in assembly.images):
            if had_made:
                logger.warning(
                    "Lists take the place of the split made before: train heads that learned from it anew"
                )
            return None
        if not had_made and not any(image.objects for image in assembly.images):
            return None
        earlier = {one.sha256: one.split for one in held.pictures if one.split} if held and had_made else {}
        assembly.images = own_split.split_by_itself(assembly.images, assembly.vectors, earlier)
        return own_split.SEED

    def _is_new(self, manifest: Manifest, assembly: Assembly, notices: Sequence[Notice]) -> bool:
        """Whether it differs from what is published in anything but its number and time, and what was measured."""
        if self._published is None or self._anew:
            return True
        held = self._published.manifest
        same = replace(
            manifest, generation=held.generation, created=held.created, indexes=held.indexes, files=held.files
        )
        return not (
            same == held
            and list(assembly.images) == self._published.all_images()
            and list(notices) == self._published.notices()
        )

    def _publish(
        self,
        manifest: Manifest,
        reduction: Reduction,
        assembly: Assembly,
        notices: Sequence[Notice],
        object_vectors: Floats | None,
    ) -> None:
        path = self._settings.collection
        writer = GenerationWriter(self._store, path / BUILDING, manifest.generation, assembly.images)
        writer.write_vectors(assembly.vectors(), reduction, manifest.index)
        if object_vectors is not None:
            writer.write_objects(object_vectors, manifest.index)
        with writer.create_maps(manifest.images, manifest.map_shapes) as files:
            assembly.fill_maps(files)
        writer.write_records(notices)
        writer.publish(replace(manifest, indexes=writer.indexes, files=writer.describe_files()))
        prune(path, self._store)

    def _published_number(self) -> int:
        return self._store.last_number()

    def _summarise(
        self, plan: Plan, run: EmbeddingRun, assembly: Assembly, notices: Sequence[Notice], manifest: Manifest
    ) -> BuildSummary:
        embedded = sum(image.sha256 in plan.wanted for image in assembly.images)
        renamed = sum(image.filename in plan.renamed for image in assembly.images)
        number_before = self._published.manifest.generation if self._published else 0
        seconds = time.monotonic() - self._started
        fresh = len(plan.wanted) - run.resumed - len(run.failures)
        return BuildSummary(
            embedded=embedded,
            resumed=run.resumed,
            reused=len(assembly.images) - embedded - renamed,
            renamed=renamed,
            removed=len(plan.removed),
            notices=tuple(notices),
            accounts=manifest.accounts,
            images=len(assembly.images),
            generation=self._published_number(),
            published=self._published_number() != number_before,
            seconds=seconds,
            images_per_second=fresh / seconds,
            made_split=manifest.made_split,
        )


def _all_notices(devkit: voc.DevkitImages, unreadable: Sequence[Notice], assembly: Assembly) -> list[Notice]:
    """All notices in order; what is said of a picture that is used falls away where it is not used after all."""
    notices = {*devkit.notices, *unreadable, *assembly.notices}
    skipped = {notice.name for notice in notices if notice.kind == PICTURE and not notice.used}
    return sorted(
        notice for notice in notices if not (notice.kind == PICTURE and notice.used and notice.name in skipped)
    )


def _refuse_unusable(assembly: Assembly, notices: Sequence[Notice], *, strict: bool) -> None:
    """Hold that there is something to publish, and with `strict` that everything was used.

    Raises:
        DatasetError: it is not so.
    """
    unused = [notice for notice in notices if not notice.used]
    if unused and strict:
        raise DatasetError(
            f"expected that all of the devkit can be used, found {len(unused)} not used, first the "
            f"{unused[0].kind} {unused[0].name}: {unused[0].reason}; mend it, or build without --strict"
        )
    if not assembly.images:
        first = next(notice for notice in unused if notice.kind == PICTURE)
        raise DatasetError(f"expected usable pictures, found none; {first.name}: {first.reason}")


def _accounts(devkit: voc.DevkitImages, assembly: Assembly) -> dict[str, dict[str, int]]:
    """See `Manifest.accounts`."""
    used = {**devkit.used, OBJECT: sum(len(image.objects) for image in assembly.images)}
    outside = {ANNOTATION: devkit.outside}
    return {
        kind: {"given": given, "used": used[kind], "outside": outside.get(kind, 0)}
        for kind, given in devkit.given.items()
    }

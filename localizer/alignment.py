"""Bringing what was worked out from a generation in step with the one that followed it, or with new heads."""

import logging
from collections.abc import Callable
from pathlib import Path

from indexer import copies, derived, plane, retrieval_record
from indexer.collection import Collection
from indexer.errors import CollectionError, DatasetError
from localizer import checkpoint, evaluation_record
from localizer.errors import HeadError, NoHeadError, TrainingError
from localizer.evaluate import evaluate
from localizer.evaluation_recording import make_record
from localizer.predict import Localizer

logger = logging.getLogger(__name__)

SEMANTIC, MAP, RETRIEVAL, HEADS = "semantic index", "map", "evaluation of search", "evaluation of heads"


def bring_in_step(path: Path) -> list[str]:
    """Work out anew what is there of an older generation, or of former heads, and keep it; names of what was done.

    What was never worked out is left alone; what cannot be any more is told in a warning.

    Raises:
        CollectionError: there is no such collection, or it is damaged.
        HeadError: a head does not fit.
    """
    steps = {SEMANTIC: align_semantic_index, MAP: _bring_map, RETRIEVAL: _bring_retrieval, HEADS: _bring_heads}
    with Collection.open(path) as collection:
        return [name for name, step in steps.items() if _tried(name, step, collection)]


def align_semantic_index(collection: Collection) -> bool:
    """Make the semantic index of collection and head, and keep it; whether there was need for it.

    Beside it lies what the head sees in copies of some images: `indexer evaluate` searches with them.
    Looks again afterwards: another training may have published its head, and kept its index, in the meantime.

    Raises:
        HeadError: a head does not fit.
    """
    aligned = False
    while _align_semantic_index(collection):
        aligned = True
    return aligned


def _align_semantic_index(collection: Collection) -> bool:
    try:
        localizer = Localizer.open(collection)
    except NoHeadError:
        return False
    if localizer.main is None:
        return False
    wanted = localizer.stored_semantic_index(collection) is None
    if wanted:
        localizer.make_semantic_index(collection).save(collection)
    _keep_copies(collection, localizer)
    return wanted


def _keep_copies(collection: Collection, localizer: Localizer) -> None:
    source = localizer.finder.stored.digest
    try:
        if copies.kept_rows(collection, source) is not None:
            return
    except CollectionError as error:
        logger.warning("%s", error)
    made = copies.embed_copies(collection, copies.originals(collection), keep_maps=localizer.needs_maps)
    if made is not None:
        copies.keep_rows(collection, made, localizer.look(made.embedding).semantic_vectors(), source)


def _tried(name: str, step: Callable[[Collection], bool], collection: Collection) -> bool:
    try:
        return step(collection)
    except (DatasetError, TrainingError) as error:
        logger.warning("The %s is not worked out anew: %s", name, error)
        return False


def _bring_map(collection: Collection) -> bool:
    wanted = plane.load(collection) is None and derived.had(collection, plane.NAME)
    if wanted:
        plane.store(collection)
    return wanted


def _bring_retrieval(collection: Collection) -> bool:
    former = derived.load_former_record(collection, retrieval_record.NAME)
    if former is None or retrieval_record.load(collection) is not None:
        return False
    record = retrieval_record.measure(collection, former["queries"], former["gallery"])
    return retrieval_record.keep(collection, record)


def _bring_heads(collection: Collection) -> bool:
    held = evaluation_record.load(collection)
    former = derived.load_former_record(collection, evaluation_record.NAME)
    split = held.split if held else former and former["split"]
    heads = checkpoint.digests(collection.path, collection.manifest.fingerprint)
    if not split or not heads or (held and held.heads == heads):
        return False
    try:
        record = make_record(evaluate(collection, split))
    except HeadError as error:
        logger.warning("The %s is not worked out anew: %s", HEADS, error)
        return False
    return evaluation_record.keep(collection, record)

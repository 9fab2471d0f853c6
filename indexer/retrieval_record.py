"""What `evaluate` found of retrieval, kept beside the generation, so that a page can show it at once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from indexer import derived
from indexer.collection import Collection
from indexer.copy_evaluation import CopyReport, Found, NearDuplicateReport, evaluate_copies
from indexer.derived_files import Record
from indexer.evaluate import RelevanceReport, RetrievalReport, Scores, evaluate
from indexer.object_evaluation import evaluate_objects
from indexer.semantic_index import SemanticIndex
from indexer.splits import split_to_judge_by, split_to_learn_from

NAME = "retrieval"
VISUAL, SEMANTIC = "visual", "semantic"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalRecord:
    """One evaluation of retrieval.

    Attributes:
        queries: split that was searched with.
        gallery: split that was searched in.
        created: time, ISO 8601, UTC.
        modes: `VISUAL`, and `SEMANTIC` where there is a semantic index -> its report.
        objects: report of objects that find objects; None where they are not indexed.
        semantic_source: digest of what the semantic index was made with; None without one.
        copies: what is found by copies of images; None where none could be made, or they were not measured.
    """

    queries: str
    gallery: str
    created: str
    modes: Mapping[str, RetrievalReport]
    objects: RelevanceReport | None
    semantic_source: str | None
    copies: CopyReport | None = None


def measure(collection: Collection, queries: str | None, gallery: str | None) -> RetrievalRecord:
    """Judge retrieval in each mode there is, and what copies find in the whole collection.

    For a split that is not named see `splits`.

    Raises:
        CollectionError: the semantic index is damaged.
        DatasetError: a split has no annotated images, or no query has anything relevant in the gallery.
    """
    gallery = split_to_learn_from(collection, gallery, "--gallery")
    queries = split_to_judge_by(collection, queries, "--queries", {gallery})
    modes = {VISUAL: evaluate(collection, queries, gallery)}
    index = SemanticIndex.load(collection)
    if index:
        score = partial(index.likeness.scores, dim=collection.manifest.vector_dim)
        modes[SEMANTIC] = evaluate(collection, queries, gallery, index.vectors, score)
    return RetrievalRecord(
        queries=queries,
        gallery=gallery,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        modes=modes,
        objects=evaluate_objects(collection, queries, gallery),
        semantic_source=index.source if index else None,
        copies=evaluate_copies(collection, index),
    )


def keep(collection: Collection, record: RetrievalRecord) -> bool:
    """Store it beside its generation; False, with a warning, where the collection cannot be written to."""
    return derived.keep_record(collection, NAME, asdict(record))


def load(collection: Collection) -> RetrievalRecord | None:
    """What was kept for this very generation; None where nothing was.

    Raises:
        CollectionError: it is damaged, or of another version of this software.
    """
    return derived.load_made(collection, NAME, _make, command="python -m indexer evaluate")


def _make(content: Record) -> RetrievalRecord:
    modes = {mode: _report(report) for mode, report in content["modes"].items()}
    objects = _relevance(content["objects"]) if content["objects"] else None
    copies = _copies(content["copies"]) if content.get("copies") else None  # not by the first version
    return RetrievalRecord(**{**content, "modes": modes, "objects": objects, "copies": copies})


def _copies(content: Mapping[str, Any]) -> CopyReport:
    visual, semantic = (
        {kind: Found(**found) for kind, found in kinds.items()} if kinds else None
        for kinds in (content["visual"], content["semantic"])
    )
    return CopyReport(
        visual=visual or {},
        semantic=semantic,
        near_duplicates=NearDuplicateReport(**content["near_duplicates"]),
    )


def _report(content: Mapping[str, Any]) -> RetrievalReport:
    return RetrievalReport(**{notion: _relevance(part) for notion, part in content.items()})


def _relevance(part: Mapping[str, Any]) -> RelevanceReport:
    return RelevanceReport(
        overall=Scores(**part["overall"]),
        chance=Scores(**part["chance"]),
        per_class={name: Scores(**scores) for name, scores in part["per_class"].items()},
        queries=part["queries"],
    )

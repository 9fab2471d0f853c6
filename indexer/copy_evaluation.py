"""How well images are found by copies of them, and how well such copies are told from other images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.collection import Collection
from indexer.copies import Copies, embed_copies, kept_rows, originals
from indexer.near_duplicates import DECIDING_STAGE, is_near_duplicate
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.semantic_index import SemanticIndex
from indexer.semantic_search import SemanticSearch

DEPTH = 10

Nearest = Callable[[Floats, int], list[Hit]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Shares of copies that find their original `first`, and among the first ten results; of so many `copies`."""

    first: float
    among_10: float
    copies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicateReport:
    """How well near-duplicates are told.

    Attributes:
        recall: kind of copy -> share of the copies that are told as near-duplicates of their original.
        false_share: of the pairs that are told, the share of a copy and another image than its original, out of
            the ten most alike in looks.
        by: what was compared, "maps" or "vectors".
    """

    recall: dict[str, float]
    false_share: float
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """What was found by copies.

    Attributes:
        visual: kind of copy -> what it finds by looks alone.
        semantic: likewise in semantic mode; None where it is not known what a head sees in the copies.
        near_duplicates: how well they are told.
    """

    visual: dict[str, Found]
    semantic: dict[str, Found] | None
    near_duplicates: NearDuplicateReport


def evaluate_copies(collection: Collection, index: SemanticIndex | None) -> CopyReport | None:
    """Search the whole collection with copies of some of its images, in each mode there is.

    The images are always the same of a generation. What a head sees in their copies is not known here: whoever
    makes the semantic index keeps the semantic rows of the same copies beside it. None, with a warning, where no
    copies can be made.

    Raises:
        CollectionError: what was kept of the copies is damaged.
    """
    copies = embed_copies(collection, originals(collection), keep_maps=collection.has_maps)
    if copies is None:
        return None
    semantic, dim = None, collection.manifest.vector_dim
    rows = kept_rows(collection, index.source) if index else None
    if index and rows:
        keys = list(zip(copies.image_ids.tolist(), copies.kinds.tolist(), strict=True))
        if all(key in rows for key in keys):
            semantic = _find(
                copies, np.stack([rows[key] for key in keys]), SemanticSearch(collection, index, dim).nearest
            )
    return CopyReport(
        visual=_find(copies, copies.embedding.vectors, collection.nearest),
        semantic=semantic,
        near_duplicates=_tell_near_duplicates(collection, copies),
    )


def _find(copies: Copies, rows: Floats, nearest: Nearest) -> dict[str, Found]:
    """What copies find by their rows."""
    places: dict[str, list[int]] = {}
    for image_id, kind, row in zip(copies.image_ids.tolist(), copies.kinds.tolist(), rows, strict=True):
        found = [hit.image_id for hit in nearest(row, DEPTH)]
        places.setdefault(kind, []).append(found.index(image_id) if image_id in found else DEPTH)
    return {
        kind: Found(
            first=float(np.mean(np.array(ranks) == 0)),
            among_10=float(np.mean(np.array(ranks) < DEPTH)),
            copies=len(ranks),
        )
        for kind, ranks in places.items()
    }


def _tell_near_duplicates(collection: Collection, copies: Copies) -> NearDuplicateReport:
    maps, own_maps = (one.get(DECIDING_STAGE) for one in (collection.maps, copies.embedding.maps))
    told: dict[str, list[bool]] = {}
    wrong = 0
    vectors = copies.embedding.vectors
    for place, (image_id, kind) in enumerate(zip(copies.image_ids.tolist(), copies.kinds.tolist(), strict=True)):
        hits = [hit for hit in collection.nearest(vectors[place], DEPTH) if hit.image_id != image_id]
        own = Hit(image_id, float(vectors[place] @ collection.vector(image_id)))
        alike = [
            is_near_duplicate(
                hit.score,
                None if own_maps is None else own_maps[place],
                None if maps is None else maps[hit.image_id],
            )
            for hit in (own, *hits)
        ]
        told.setdefault(kind, []).append(alike[0])
        wrong += sum(alike[1:])
    right = sum(map(sum, told.values()))
    return NearDuplicateReport(
        recall={kind: float(np.mean(shares)) for kind, shares in told.items()},
        false_share=wrong / max(wrong + right, 1),
        by="vectors" if maps is None else "maps",
    )

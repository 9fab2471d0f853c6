"""Retrieval quality: how much of what a search finds is of the query's kind, beside chance.

Relevance is judged by annotations, in two ways: "main class", the main object of both is of one class;
"shares a class", the two have an object of one class. A query is left out of its own ranking, a query to which
nothing in the gallery is relevant is left out of all means, and images without objects take no part.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Collection
from indexer.errors import DatasetError
from indexer.records import IndexedImage
from indexer.reduction import Floats

_QUERIES_AT_ONCE = 256

Bools = NDArray[np.bool_]
Score = Callable[[Floats, Floats], Floats]
"""Rows (Q, d) to search with, rows (G, d) -> scores (Q, G); larger is closer."""


def cosine(queries: Floats, gallery: Floats) -> Floats:
    """The cosine similarity of unit rows."""
    scores: Floats = queries @ gallery.T
    return scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Means over queries, each in [0, 1]; `map` is mean average precision over the whole ranking."""

    precision_at_1: float
    precision_at_5: float
    precision_at_10: float
    map: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceReport:
    """Scores under one notion of relevance.

    Attributes:
        overall: over all queries.
        chance: what a random ranking would be expected to score.
        per_class: class of the query's main object -> scores over its queries.
        queries: how many queries count.
    """

    overall: Scores
    chance: Scores
    per_class: dict[str, Scores] = field(default_factory=dict)
    queries: int

    def to_json(self) -> dict[str, object]:
        """The overall scores at the top, the rest beside them."""
        rest = asdict(self)
        return {**rest.pop("overall"), **rest}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalReport:
    """Scores under both notions of relevance, of one split's images as queries in another's as gallery."""

    main_class: RelevanceReport
    shares_class: RelevanceReport


def evaluate(
    collection: Collection, queries: str, gallery: str, vectors: Floats | None = None, score: Score = cosine
) -> RetrievalReport:
    """Rank the gallery split for each image of the query split, by score, and judge the rankings.

    Args:
        collection: whose images are searched.
        queries: split to search with.
        gallery: split to search in; may be the same.
        vectors: (N, d) unit rows to rank by, row = image id; the collection's own by default.
        score: of these rows.

    Raises:
        DatasetError: a split has no annotated images, or no query has anything relevant in the gallery.
    """
    images = [image for image in collection.all_images() if image.objects]
    asked, ranked = _of_split(images, queries), _of_split(images, gallery)
    rows = collection.vectors() if vectors is None else vectors
    return judge_rankings(asked, rows[_ids(asked)], ranked, rows[_ids(ranked)], score)


def judge_rankings(
    asked: Sequence[IndexedImage],
    queries: Floats,
    ranked: Sequence[IndexedImage],
    gallery: Floats,
    score: Score = cosine,
) -> RetrievalReport:
    """Rank annotated images by the scores of their rows, (Q, d) against (G, d), and judge the rankings.

    Raises:
        DatasetError: no query has anything relevant in the gallery.
    """
    relevance = {
        "main_class": _main_class_relevance(asked, ranked),
        "shares_class": _shared_class_relevance(asked, ranked),
    }
    same = np.array([[query.image_id == image.image_id for image in ranked] for query in asked])
    order = rank(queries, gallery, score)
    mains = [query.main_object.class_name for query in asked if query.main_object]
    reports = {name: _judge(relevant, same, order, mains) for name, relevant in relevance.items()}
    return RetrievalReport(main_class=reports["main_class"], shares_class=reports["shares_class"])


def rank(queries: Floats, gallery: Floats, score: Score = cosine) -> NDArray[np.intp]:
    """Rows of the gallery (G, d) for each query (Q, d), closest first, equals in the gallery's order: (Q, G)."""
    blocks = [queries[start : start + _QUERIES_AT_ONCE] for start in range(0, len(queries), _QUERIES_AT_ONCE)]
    return np.concatenate([np.argsort(-score(block, gallery), axis=1, kind="stable") for block in blocks])


def precision_at(relevant: Bools, k: int) -> NDArray[np.float64]:
    """Share of relevant ones among the first k of each ranking (Q, G) -> (Q,); short rankings count as padded."""
    shares: NDArray[np.float64] = relevant[:, :k].sum(axis=1) / k
    return shares


def average_precision(relevant: Bools) -> NDArray[np.float64]:
    """Mean, over a ranking's relevant ones, of the precision down to each: (Q, G) -> (Q,); 0 where none is."""
    precisions = relevant.cumsum(axis=1) / np.arange(1, relevant.shape[1] + 1)
    found: NDArray[np.float64] = (precisions * relevant).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1)
    return found


def chance_average_precision(relevant: int, total: int) -> float:
    """Expected average precision of a random ranking of `total` with `relevant` >= 1 relevant ones among them.

    E = (H + (R - 1) (N - H) / (N - 1)) / N with H the N-th harmonic number: the i-th place holds a relevant one
    with probability R / N, and then each place before it with (R - 1) / (N - 1).
    """
    if total == 1:
        return 1.0
    harmonic = float((1 / np.arange(1, total + 1)).sum())
    return (harmonic + (relevant - 1) * (total - harmonic) / (total - 1)) / total


def _judge(relevant: Bools, same: Bools, order: NDArray[np.intp], mains: Sequence[str]) -> RelevanceReport:
    """Scores of rankings; `relevant` and `same` (Q, G) are in the gallery's order."""
    rankings = [
        row[order_row][~same_row[order_row]]
        for row, same_row, order_row in zip(relevant, same, order, strict=True)
    ]
    counted = [place for place, ranking in enumerate(rankings) if ranking.any()]
    if not counted:
        raise DatasetError("expected queries with relevant images in the gallery, found none; choose other splits")
    scores = np.array([_score(rankings[place]) for place in counted])
    chances = np.array([_score_by_chance(rankings[place]) for place in counted])
    classes = np.array([mains[place] for place in counted])
    per_class = {name: _mean(scores[classes == name]) for name in sorted(set(classes))}
    return RelevanceReport(overall=_mean(scores), chance=_mean(chances), per_class=per_class, queries=len(counted))


def _score(ranking: Bools) -> list[float]:
    row = ranking[np.newaxis]
    return [*(float(precision_at(row, k)[0]) for k in (1, 5, 10)), float(average_precision(row)[0])]


def _score_by_chance(ranking: Bools) -> list[float]:
    relevant, total = int(ranking.sum()), len(ranking)
    precisions = [relevant / total * min(k, total) / k for k in (1, 5, 10)]
    return [*precisions, chance_average_precision(relevant, total)]


def _mean(scores: NDArray[np.float64]) -> Scores:
    at_1, at_5, at_10, mean_average = scores.mean(axis=0).tolist()
    return Scores(precision_at_1=at_1, precision_at_5=at_5, precision_at_10=at_10, map=mean_average)


def _of_split(images: Sequence[IndexedImage], split: str) -> list[IndexedImage]:
    chosen = [image for image in images if image.split == split]
    if not chosen:
        found = ", ".join(sorted({str(image.split) for image in images})) or "none"
        raise DatasetError(f"expected annotated images in split {split!r}, found none; annotated splits: {found}")
    return chosen


def _ids(images: Sequence[IndexedImage]) -> list[int]:
    return [image.image_id for image in images]


def _main_class_relevance(queries: Sequence[IndexedImage], gallery: Sequence[IndexedImage]) -> Bools:
    asked, ranked = (
        np.array([image.main_object.class_name for image in images if image.main_object])
        for images in (queries, gallery)
    )
    return np.asarray(asked[:, np.newaxis] == ranked[np.newaxis])


def _shared_class_relevance(queries: Sequence[IndexedImage], gallery: Sequence[IndexedImage]) -> Bools:
    names = sorted({name for image in (*queries, *gallery) for name in image.class_names})
    asked, ranked = (
        np.array([[name in image.class_names for name in names] for image in images], dtype=np.float32)
        for images in (queries, gallery)
    )
    return np.asarray(asked @ ranked.T > 0)

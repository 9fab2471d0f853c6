"""The records of evaluations as the quality page shows them: tiles, a matrix, curves, and mistakes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.collection import Collection
from indexer.retrieval_record import SEMANTIC, VISUAL, RetrievalRecord
from localizer.detection_scoring import COMMON
from localizer.evaluation_record import EvaluationRecord, Verdict
from search_service.answer_schemas import ImageSchema
from search_service.quality_state import BOX, CLASS, QualityState

PAGE = 24  # mistakes
_PAIRS = 10  # that are told of beside the matrix
_STEPS = 9  # of a matrix's colours, 0 aside


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that says most: its value in [0, 1], what it is, and what it has to be better than."""

    value: float
    words: str
    beside: str
    place: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix: `step` of its colour, 0 to 9; `right` on the diagonal."""

    predicted: str
    count: int
    step: int
    right: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix: how the images of a true class were taken."""

    true: str
    images: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveView:
    """A class's curve; `line` and `area` are points in a square of 100 by 100, its origin at the upper left."""

    name: str
    average_precision: float
    objects: int
    precisions: Sequence[float]
    line: str
    area: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer, with its image as JSON has it and the corners of its true box in pixels."""

    verdict: Verdict
    image: Mapping[str, Any]
    true_box: tuple[float, float, float, float]


def tiles(retrieval: RetrievalRecord | None, evaluation: EvaluationRecord | None) -> list[Tile]:
    """What is there to be said at the top."""
    made = []
    learned_from = evaluation.trained_on if evaluation else None
    if retrieval:
        report = retrieval.modes.get(SEMANTIC, retrieval.modes[VISUAL]).shares_class
        of = f"{retrieval.queries} searched in {retrieval.gallery}"
        if SEMANTIC in retrieval.modes and retrieval.gallery == learned_from:
            of += ", which the heads learned from and know too well"
        beside = f"{of}; chance {report.chance.precision_at_10:.2f}"
        made.append(Tile(report.overall.precision_at_10, "of the first ten found share a class", beside, "search"))
    main, detector = ((evaluation.figures if evaluation else {}).get(name) for name in ("main_object", "detector"))
    if main and evaluation:
        words = {"class_accuracy": "main objects of the right class", "class_and_iou_50": "class and box right"}
        of = f"{main['images']:,} pictures of {evaluation.split}"
        if evaluation.split == learned_from:
            of += ", which the heads learned from and know too well"
        made += [
            Tile(main[name], text, f"{of}; {_best_baseline(main, name)}", "main-object")
            for name, text in words.items()
        ]
    if detector:
        made.append(
            Tile(detector["map_50"], "mean average precision at IoU 0.5", _classes_of(detector), "objects")
        )
    return made


def _classes_of(detector: Mapping[str, Any]) -> str:
    """Which classes a detector's mean average precision is over, and what it is over all."""
    counts = [figures["objects"] for figures in detector["per_class"].values()]
    common = sum(count >= COMMON for count in counts)
    if not common:
        return f"over all {len(counts)} classes, each of fewer than {COMMON} objects"
    over = f"over the {common} classes of {COMMON} objects and more"
    return f"{over}; {detector['map_50_all_classes']:.2f} over all {len(counts)}"


def matrix(record: EvaluationRecord) -> list[Row]:
    """The confusion of the classes that are there, or were told."""
    counts, names = record.confusion, record.classes
    told = [sum(column) for column in zip(*counts, strict=True)]
    kept = [place for place in range(len(names)) if sum(counts[place]) + told[place]]
    return [
        Row(names[row], sum(counts[row]), tuple(_cell(names[column], counts[row], row, column) for column in kept))
        for row in kept
    ]


def commonest(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    """The pairs of classes that are confused most often: true, told, how many images."""
    pairs = [(row.true, cell.predicted, cell.count) for row in rows for cell in row.cells if not cell.right]
    return sorted((pair for pair in pairs if pair[2]), key=lambda pair: -pair[2])[:_PAIRS]


def curves(record: EvaluationRecord) -> list[CurveView]:
    """Of every class of the detector, best first."""
    figures = (record.figures["detector"] or {}).get("per_class", {})
    made = [_curve(name, figures[name], precisions) for name, precisions in record.curves.items()]
    return sorted(made, key=lambda one: -one.average_precision)


def common(views: Sequence[CurveView]) -> list[CurveView]:
    """Those whose figure says something; all where none has as many objects."""
    return [one for one in views if one.objects >= COMMON] or list(views)


def worst(record: EvaluationRecord, state: QualityState) -> list[Verdict]:
    """The mistakes that are asked for, the surest first."""
    chosen = [verdict for verdict in record.verdicts if verdict.mistaken and _is_asked_for(verdict, state)]
    return sorted(chosen, key=lambda verdict: (-verdict.probability, verdict.image_id))


def show(collection: Collection, verdicts: Sequence[Verdict]) -> list[Mistake]:
    """Wrong answers with their images."""
    images = {image.image_id: image for image in collection.images([one.image_id for one in verdicts])}
    return [
        Mistake(verdict, ImageSchema().dump(image), image.main_object.box.corners)
        for verdict, image in ((one, images.get(one.image_id)) for one in verdicts)
        if image and image.main_object
    ]


def _best_baseline(main: Mapping[str, Any], figure: str) -> str:
    """Of those that know nothing of what the head says."""
    name, figures = max(
        ((name, others) for name, others in main["baselines"].items() if name != "class_mean_box"),
        key=lambda pair: pair[1][figure],
    )
    return f"{name.replace('_', ' ')} {figures[figure]:.2f}"


def _cell(predicted: str, counts: Sequence[int], row: int, column: int) -> Cell:
    share = counts[column] / max(sum(counts), 1)
    return Cell(predicted, counts[column], math.ceil(_STEPS * share), row == column)


def _curve(name: str, figures: Mapping[str, Any], precisions: Sequence[float]) -> CurveView:
    reached = [value for value in precisions if value > 0]
    points = [(100 * place / (len(precisions) - 1), 100 - 100 * value) for place, value in enumerate(reached)]
    line = " ".join(f"{x:.4g},{y:.4g}" for x, y in points)
    return CurveView(
        name=name,
        average_precision=figures["ap_50"],
        objects=figures["objects"],
        precisions=precisions,
        line=line,
        area=f"0,100 {line} {points[-1][0]:.4g},100" if points else "",
    )


def _is_asked_for(verdict: Verdict, state: QualityState) -> bool:
    right_class = verdict.true_class == verdict.predicted_class
    return (
        state.true in (None, verdict.true_class)
        and state.predicted in (None, verdict.predicted_class)
        and state.wrong in (None, BOX if right_class else CLASS)
    )

"""A report on the heads of a collection: a page with figures, plots and pictures, in a folder of its own."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from indexer import places, plane
from indexer.collection import Collection
from localizer import plots, scoring
from localizer.calibration import Doubles
from localizer.evaluate import DetectorEvaluation, Evaluation, MainObjectEvaluation, evaluate
from localizer.gallery import Shelf, make_gallery
from localizer.nearest_pairs import make_pairs
from localizer.predict import Localizer
from localizer.report_page import ReportPage, render

logger = logging.getLogger(__name__)


def write_report(collection: Collection, out: Path, split: str | None = None) -> list[Path]:
    """Judge the heads of a collection on a split, and write what there is to see into a folder; its files.

    Pictures whose files are gone are left out of the page, which names them.

    Raises:
        HeadError: there is no head, or it does not fit.
        TrainingError: nothing in the split is annotated, or the maps that a head needs are not kept.
    """
    evaluation = evaluate(collection, split)
    out.mkdir(parents=True, exist_ok=True)
    heads = _cards(collection)
    shelf = Shelf(places.place(collection.manifest.voc_root), out)
    page = ReportPage(
        manifest=collection.manifest,
        figures=evaluation.to_json(),
        heads=heads,
        plots=_draw_plots(collection, evaluation, heads, out),
        gallery=make_gallery(evaluation.main_object, shelf) if evaluation.main_object else {},
        pairs=make_pairs(collection, shelf),
        unreadable=sorted(set(shelf.unreadable)),
    )
    if page.unreadable:
        logger.warning("left out of the report, as their files cannot be read: %s", ", ".join(page.unreadable))
    texts = {"figures.json": json.dumps(page.figures, indent=2) + "\n", "index.html": render(page)}
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [*(out / name for name in (*texts, *page.plots.values())), *shelf.written]


def _cards(collection: Collection) -> dict[str, Mapping[str, Any]]:
    """Task -> what the head in use says of its training."""
    localizer = Localizer.open(collection)
    heads = [head.stored for head in (localizer.main, localizer.detector) if head]
    return {head.task: head.card for head in heads}


def _draw_plots(
    collection: Collection, evaluation: Evaluation, heads: Mapping[str, Mapping[str, Any]], out: Path
) -> dict[str, str]:
    """Name -> file, of the plots that there is something for."""
    for task, card in heads.items():
        plots.plot_history(out / f"training-{task}.png", card["history"], card["epochs"])
    names = [f"training-{task}" for task in heads]
    if evaluation.main_object:
        names += _draw_main_object(evaluation.main_object, out)
    if evaluation.detector:
        names += _draw_detector(evaluation.detector, out)
    plots.plot_reliability(out / "calibration.png", _said_and_came(evaluation))
    _draw_plane(collection, out / "plane.png")
    return {name: f"{name}.png" for name in [*names, "calibration", "plane"]}


def _draw_main_object(evaluation: MainObjectEvaluation, out: Path) -> list[str]:
    counts = scoring.confusion(evaluation.guess, evaluation.truth, len(evaluation.classes))
    plots.plot_confusion(out / "confusion.png", counts, evaluation.classes)
    figures = evaluation.to_json()
    shares = {name: (one["class_and_iou_50"], one["images"]) for name, one in figures["per_class"].items()}
    plots.plot_class_bars(out / "classes.png", shares, figures["class_and_iou_50"])
    return ["confusion", "classes"]


def _draw_detector(evaluation: DetectorEvaluation, out: Path) -> list[str]:
    curves = {evaluation.classes[class_id]: curve for class_id, curve in evaluation.scores.curves.items()}
    plots.plot_precision_recall(out / "precision-recall.png", curves)
    return ["precision-recall"]


def _said_and_came(evaluation: Evaluation) -> dict[str, tuple[Doubles, Doubles]]:
    """Title -> what was said and what came about."""
    panels: dict[str, tuple[Doubles, Doubles]] = {}
    if evaluation.main_object:
        pairs = evaluation.main_object.said_and_came()
        panels |= {"Class probability": pairs["class"], "Predicted IoU": pairs["iou"]}
    if evaluation.detector:
        detections = evaluation.detector.said_and_came()
        panels |= {"Detection probability": detections["probability"], "Detection IoU": detections["iou"]}
    return panels


def _draw_plane(collection: Collection, path: Path) -> None:
    places = plane.load(collection)
    if places is None:
        places = plane.store(collection)
    mains = [image.main_object for image in collection.all_images()]
    plots.plot_plane(path, places, [label.class_name if label else None for label in mains])

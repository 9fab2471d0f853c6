"""An evaluation as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from indexer.command_line import table
from localizer.scoring import FIGURES

_HEADINGS = ("class", "mean IoU", "IoU>=0.5", "IoU>=0.75", "both", "CorLoc")


def to_text(found: Mapping[str, Any]) -> str:
    """Tables of what `Evaluation.to_json` gives."""
    parts: list[str] = []
    if found["main_object"]:
        parts += _main_object_tables(found["split"], found["main_object"])
    if found["detector"]:
        parts += _detector_tables(found["split"], found["detector"])
    return "\n\n".join([*parts, f"trained in {found['train_seconds']:.0f} s"])


def _main_object_tables(split: str, main: Mapping[str, Any]) -> Sequence[str]:
    rows = [("all", *_cells(main)), ("95 % interval", *_intervals(main["intervals"]))]
    rows.append(("this head alone", *_cells(main["head_alone"])))
    rows += [(name.replace("_", " "), *_cells(figures)) for name, figures in main["baselines"].items()]
    classes = [(f"{name} ({figures['images']})", *_cells(figures)) for name, figures in main["per_class"].items()]
    said = main["calibration"]
    return [
        table(rows, (f"main object, {main['images']} of {split}", *_HEADINGS)),
        table(classes, ("class of main object", *_HEADINGS)),
        f"calibration error: class {said['class_ece']:.3f}, IoU {said['iou_ece']:.3f}",
    ]


def _detector_tables(split: str, detector: Mapping[str, Any]) -> Sequence[str]:
    rows = [
        ("mean, classes of 20 objects and more", f"{detector['map_50']:.3f}", ""),
        ("mean, all classes", f"{detector['map_50_all_classes']:.3f}", ""),
        *(
            (name, f"{figures['ap_50']:.3f}", figures["objects"])
            for name, figures in detector["per_class"].items()
        ),
    ]
    said = detector["calibration"]
    return [
        table(rows, (f"objects, {split}", "AP@0.5", "objects")),
        f"calibration error: probability {said['probability_ece']:.3f}, IoU {said['iou_ece']:.3f}",
    ]


def _cells(figures: Mapping[str, float]) -> list[str]:
    return [f"{figures[name]:.3f}" for name in FIGURES]


def _intervals(intervals: Mapping[str, tuple[float, float]]) -> list[str]:
    return [f"{low:.2f}-{high:.2f}" for low, high in (intervals[name] for name in FIGURES)]

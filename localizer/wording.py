"""What figures are called where people read them."""

from collections.abc import Mapping

FIGURE_TEXTS: Mapping[str, str] = {
    "class_accuracy": "class right",
    "mean_iou": "mean IoU",
    "iou_50": "IoU ≥ 0.5",
    "iou_75": "IoU ≥ 0.75",
    "class_and_iou_50": "class right and IoU ≥ 0.5",
    "corloc": "any object found (CorLoc)",
    "map_50": "mAP at IoU 0.5",
}
"""Name of a figure, as in `scoring.FIGURES` and a training's history -> text."""

"""An evaluation of the heads -> the record that is kept of it; who only reads records does without all this."""

from datetime import UTC, datetime

import numpy as np

from localizer import scoring
from localizer.boxes import pixel_box
from localizer.evaluate import DetectorEvaluation, Evaluation, MainObjectEvaluation
from localizer.evaluation_record import RECALLS, EvaluationRecord, Verdict


def make_record(evaluation: Evaluation) -> EvaluationRecord:
    """An evaluation as it is kept."""
    main, detector = evaluation.main_object, evaluation.detector
    return EvaluationRecord(
        split=evaluation.split,
        trained_on=evaluation.trained_on,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        heads=evaluation.heads,
        figures=evaluation.to_json(),
        classes=tuple(main.classes) if main else (),
        confusion=scoring.confusion(main.guess, main.truth, len(main.classes)).tolist() if main else (),
        curves=_curves(detector) if detector else {},
        verdicts=_verdicts(main) if main else (),
    )


def _curves(detector: DetectorEvaluation) -> dict[str, list[float]]:
    recalls = np.linspace(0, 1, RECALLS)
    return {
        detector.classes[class_id]: curve.best_at(recalls).round(4).tolist()
        for class_id, curve in detector.scores.curves.items()
    }


def _verdicts(main: MainObjectEvaluation) -> tuple[Verdict, ...]:
    best = main.answers.probabilities.max(1)
    boxes, marks = main.answers.boxes.tolist(), main.marks
    overlaps = scoring.overlaps_with_class(main.answers.boxes, main.truth).tolist()
    made = [
        Verdict(
            image_id=image.image_id,
            true_class=image.main_object.class_name,
            predicted_class=main.classes[int(best.indices[row])],
            probability=float(best.values[row]),
            box=pixel_box(boxes[row], image.width, image.height).corners,
            iou=float(marks[row, scoring.FIGURES.index("mean_iou")]),
            right=(right := bool(marks[row, scoring.FIGURES.index("class_and_iou_50")])),
            another=not right
            and bool(marks[row, scoring.FIGURES.index("class_accuracy")])
            and overlaps[row] >= scoring.HALF,
        )
        for row, image in enumerate(main.truth.images)
        if image.main_object
    ]
    return tuple(sorted(made, key=lambda verdict: verdict.image_id))

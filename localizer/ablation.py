"""What each choice is worth: box alone, class alone and both, with each loss and each input, three seeds each."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.collection import Collection
from indexer.splits import split_to_judge_by, split_to_learn_from
from localizer import scoring
from localizer.examples import INPUTS, Examples, read_examples
from localizer.losses import BOX_LOSSES
from localizer.predicting import ask
from localizer.scoring import Guess
from localizer.settings import Settings
from localizer.tasks import MainObjectTask

SEEDS = (0, 1, 2)
_SHOWN = ("class_accuracy", "mean_iou", "iou_50", "class_and_iou_50")
_TAUGHT_BY = {"class_accuracy": "class", "mean_iou": "box", "iou_50": "box", "class_and_iou_50": "both"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way of training.

    Attributes:
        settings: with the first of the seeds.
        taught: "class", "box" or "both".
        mean: figure -> mean over the seeds; None where it was not taught.
        spread: figure -> standard deviation over the seeds.
    """

    settings: Settings
    taught: str
    mean: dict[str, float | None]
    spread: dict[str, float | None]

    def cells(self) -> list[str]:
        """As a line of a table."""
        loss = "-" if self.taught == "class" else self.settings.box_loss
        shown = [_cell(self.mean[name], self.spread[name]) for name in _SHOWN]
        return [f"{self.taught}, {loss}, {self.settings.given}", *shown]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def run_ablation(collection: Collection, split: str | None, epochs: int) -> list[Row]:
    """Train each way with each seed on a split, and judge by the pictures of another; see `splits`.

    Raises:
        DatasetError: there is no such split, or none to judge by.
        TrainingError: there is too little to learn from.
    """
    learned_from = split_to_learn_from(collection, split, "--train-split")
    judged_on = split_to_judge_by(collection, None, None, {learned_from})
    rows = []
    ways = [way for way in _ways(epochs) if not way.class_weight or len(collection.manifest.classes) > 1]
    with tqdm(total=len(ways) * len(SEEDS), unit=" trainings", disable=None) as progress:
        for given in INPUTS:
            classes = collection.manifest.classes
            learned, judged = (read_examples(collection, one, given, classes) for one in (learned_from, judged_on))
            for settings in (way for way in ways if way.given == given):
                task = partial(MainObjectTask, len(classes))
                marks = [_try(task(replace(settings, seed=seed)), learned, judged, progress) for seed in SEEDS]
                rows.append(_summarise(settings, np.array(marks)))
    return rows


def _ways(epochs: int) -> Iterator[Settings]:
    for given in INPUTS:
        yield Settings(epochs=epochs, given=given, box_weight=0.0)
        for class_weight in (0.0, 1.0):
            for loss in BOX_LOSSES:
                yield Settings(epochs=epochs, given=given, box_loss=loss, class_weight=class_weight)


def _try(task: MainObjectTask, learned: Examples, judged: Examples, progress: "tqdm[Any]") -> list[float]:
    """Means of `scoring.FIGURES` after one training."""
    *_, last = task.train(learned)
    answers = ask(last.head, judged.inputs)
    marks = scoring.mark(Guess(answers.class_logits.argmax(1), answers.boxes), judged)
    progress.update()
    return list(scoring.summarise(marks).values())


def _summarise(settings: Settings, marks: NDArray[np.float64]) -> Row:
    """A row of figures (seeds, 6)."""
    taught = "class" if not settings.box_weight else "box" if not settings.class_weight else "both"
    figures = {name: taught in ("both", _TAUGHT_BY[name]) for name in _SHOWN}
    columns = {name: marks[:, scoring.FIGURES.index(name)] for name in _SHOWN}
    return Row(
        settings=settings,
        taught=taught,
        mean={name: float(columns[name].mean()) if known else None for name, known in figures.items()},
        spread={name: float(columns[name].std(ddof=1)) if known else None for name, known in figures.items()},
    )


def _cell(mean: float | None, spread: float | None) -> str:
    return "-" if mean is None else f"{mean:.3f} ± {spread:.3f}"

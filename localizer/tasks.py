"""What can be taught: for each task its network, loss, judge, and what is chosen by examples held aside."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from indexer.copies import Copies
from indexer.reduction import Floats
from localizer.boxes import iou
from localizer.calibration import calibrate, calibrate_detections
from localizer.checkpoint import DETECT, MAIN
from localizer.dense_head import DenseHead
from localizer.dense_losses import dense_loss
from localizer.detection_scoring import score_detections
from localizer.errors import TrainingError
from localizer.examples import VECTOR, Examples, map_inputs
from localizer.finding import find_objects
from localizer.head import HeadShape, make_head
from localizer.losses import total_loss
from localizer.predicting import Answers, ask
from localizer.scoring import HALF
from localizer.semantic import CopyTrial, Seen, choose_scoring
from localizer.settings import Settings
from localizer.training import Epoch, Recipe, train


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How a head answers examples held aside.

    Attributes:
        loss: the one that is trained on, without augmentation.
        merit: what the best epoch is chosen by, larger is better.
        figures: name -> value in [0, 1], to be shown.
    """

    loss: float
    merit: float
    figures: dict[str, float]


class Task(Protocol):
    """A way of training a head."""

    def train(self, examples: Examples) -> Iterator[Epoch]:
        """Yield each epoch."""

    def judge(self, head: Any, held: Examples) -> Judgement:  # noqa: ANN401 - a head of its own kind
        """Have a head answer examples that it did not learn from."""

    def choose(
        self,
        head: Any,  # noqa: ANN401 - a head of its own kind
        held: Examples,
        examples: Examples,
        copies: Copies | None,
    ) -> dict[str, Any]:
        """What else is chosen by examples held aside, and copies of them, among all examples; ready for JSON."""


@dataclass(frozen=True, slots=True)
class MainObjectTask:
    """Which class the main object is of, and where it is."""

    classes: int
    settings: Settings

    def train(self, examples: Examples) -> Iterator[Epoch]:
        """Yield each epoch.

        Raises:
            TrainingError: neither class nor box is to be taught; a class that is the only one needs no teaching.
        """
        settings, shape = self.settings, HeadShape.of(examples.inputs, self.classes)
        if not settings.box_weight and not (settings.class_weight and self.classes > 1):
            what, found = ("class or box", "0 for both") if self.classes > 1 else ("box", "0, and one class alone")
            raise TrainingError(f"expected a weight above 0 for {what}, found {found}; give more")
        recipe = Recipe(batch=64, rate=2e-3, memory=0.98, epochs=settings.epochs, seed=settings.seed)
        return train(
            lambda: make_head(shape),
            lambda output, objects: total_loss(output, objects, settings),
            examples,
            recipe,
        )

    @torch.inference_mode()
    def judge(self, head: nn.Module, held: Examples) -> Judgement:
        """Merit is the mean of the IoU times the probability of the true class, each only where it is taught.

        It is steadier than shares of a few pictures.
        """
        settings = self.settings
        answers = ask(head, held.inputs)
        class_ids, boxes, _ = held.objects.main()
        right = answers.class_logits.argmax(-1) == class_ids
        overlaps = iou(answers.boxes, boxes)
        of_truth = answers.class_logits.softmax(-1).gather(1, class_ids[:, None]).squeeze(1)
        merits = (overlaps if settings.box_weight else 1.0) * (of_truth if settings.class_weight else 1.0)
        return Judgement(
            loss=total_loss(head(held.inputs), held.objects, settings).item(),
            merit=torch.as_tensor(merits).mean().item(),
            figures={
                "class_accuracy": right.float().mean().item(),
                "mean_iou": overlaps.mean().item(),
                "class_and_iou_50": (right & (overlaps >= HALF)).float().mean().item(),
            },
        )

    def choose(self, head: nn.Module, held: Examples, examples: Examples, copies: Copies | None) -> dict[str, Any]:
        """The calibration, and what the semantic index scores by."""
        answers = ask(head, held.inputs)
        trial = None
        if copies is not None:
            vectors = {VECTOR: torch.from_numpy(copies.embedding.vectors)}
            inputs = vectors if self.settings.given == VECTOR else map_inputs(copies.embedding.maps)
            row_of = {image.image_id: row for row, image in enumerate(examples.images)}
            trial = CopyTrial(
                copies=_seen(copies.embedding.vectors, ask(head, inputs)),
                gallery=_seen(examples.vectors, ask(head, examples.inputs)),
                originals=np.array([row_of[image_id] for image_id in copies.image_ids.tolist()]),
            )
        weight, likeness = choose_scoring(held.images, _seen(held.vectors, answers), trial)
        return {
            "calibration": asdict(calibrate(answers, held)),
            "semantic_weight": weight,
            "semantic_likeness": asdict(likeness),
        }


def _seen(vectors: Floats, answers: Answers) -> Seen:
    return Seen(vectors, torch.sigmoid(answers.presence_logits).numpy())


@dataclass(frozen=True, slots=True)
class DetectTask:
    """Which objects there are, and where."""

    classes: int
    settings: Settings

    def train(self, examples: Examples) -> Iterator[Epoch]:
        """Yield each epoch.

        Raises:
            TrainingError: vectors are given, which know no places.
        """
        if VECTOR in examples.inputs:
            raise TrainingError("expected maps to detect objects in, found vectors; train without --input vector")
        settings, shape = self.settings, HeadShape.of(examples.inputs, self.classes)
        recipe = Recipe(batch=32, rate=4e-3, memory=0.995, epochs=settings.epochs, seed=settings.seed)
        return train(lambda: DenseHead(shape), dense_loss, examples, recipe)

    @torch.inference_mode()
    def judge(self, head: DenseHead, held: Examples) -> Judgement:
        """Merit is the average precision of the classes, each counting as much as it has objects."""
        scores = score_detections(find_objects(head, held.inputs), held)
        loss = dense_loss(head(held.inputs), held.objects).item()
        return Judgement(loss=loss, merit=scores.weighted_mean(), figures={"map_50": scores.mean()})

    def choose(self, head: DenseHead, held: Examples, _: Examples, __: Copies | None) -> dict[str, Any]:
        """The calibration."""
        return {"calibration": asdict(calibrate_detections(find_objects(head, held.inputs), held))}


TASKS: Mapping[str, Callable[[int, Settings], Task]] = {MAIN: MainObjectTask, DETECT: DetectTask}
"""Name -> task for a number of classes and settings."""

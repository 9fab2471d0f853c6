"""Examples in, heads out, epoch by epoch; touches no disk, and knows no task."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from localizer.arithmetic import half_precision
from localizer.augment import augment
from localizer.errors import TrainingError
from localizer.examples import Examples
from localizer.objects import Objects

_DECAY, _WARM_UP, _LARGEST_STEP = 0.05, 0.15, 5.0

Loss = Callable[[Any, Objects], Tensor]
"""Of a head's output and the objects that are there, to one number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a kind of head is trained.

    Attributes:
        batch: pictures of a step.
        rate: highest learning rate.
        memory: of the moving average of weights, per step, in [0, 1).
        epochs: passes over the examples.
        seed: of weights, order and augmentation.
    """

    batch: int
    rate: float
    memory: float
    epochs: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Epoch:
    """One pass over the examples.

    Attributes:
        number: from 1.
        planned: how many there will be, unless it ends early.
        loss: mean over its batches.
        head: a copy with the moving average of weights, ready to be asked.
    """

    number: int
    planned: int
    loss: float
    head: nn.Module


def train(make_head: Callable[[], nn.Module], loss: Loss, examples: Examples, recipe: Recipe) -> Iterator[Epoch]:
    """Yield each epoch; the learning rate goes up and down once over all of them.

    Raises:
        TrainingError: there is too little to learn from, or the loss is no number any more.
    """
    if len(examples) < 2:  # noqa: PLR2004 - a batch of one picture could not be normalised
        raise TrainingError(
            f"expected two pictures or more to learn from beside those held aside, found {len(examples)}; "
            "annotate three or more that differ, or train on a larger split"
        )
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        head = make_head()
    course = _Course(head, loss, examples, recipe)
    for number in range(1, recipe.epochs + 1):
        mean_loss = course.run_epoch()
        yield Epoch(number=number, planned=recipe.epochs, loss=mean_loss, head=course.averaged())


class _Course:
    """One training, from random weights on."""

    def __init__(self, head: nn.Module, loss: Loss, examples: Examples, recipe: Recipe) -> None:
        self._head = head
        self._loss = loss
        self._examples = examples
        self._batches = math.ceil(len(examples) / recipe.batch)
        self._lot = torch.Generator().manual_seed(recipe.seed)
        self._average = AveragedModel(head, avg_fn=_moving_average(recipe.memory), use_buffers=True)
        self._optimizer = torch.optim.AdamW(_groups(head), lr=recipe.rate)
        self._rates = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, recipe.rate, total_steps=recipe.epochs * self._batches + 1, pct_start=_WARM_UP
        )

    def averaged(self) -> nn.Module:
        """A copy with the moving average of the weights, ready to be asked."""
        head: nn.Module = copy.deepcopy(self._average.module)
        return head.eval()

    def run_epoch(self) -> float:
        """Take one step for each batch; the mean of their losses."""
        self._head.train()
        order = torch.randperm(len(self._examples), generator=self._lot)
        with torch.random.fork_rng():  # dropout draws from torch's own generator
            torch.manual_seed(int(torch.randint(2**62, (), generator=self._lot)))
            # Batches as even as they come: one of a single picture could not be normalised.
            return math.fsum(self._step(rows) for rows in order.tensor_split(self._batches)) / self._batches

    def _step(self, rows: Tensor) -> float:
        loss = self._loss_of(rows)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"expected a finite loss, found {loss.item()}; the collection's maps or vectors may hold what is "
                "no number: build it with --from-scratch, or train with smaller weights"
            )
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._head.parameters(), _LARGEST_STEP)
        self._optimizer.step()
        self._rates.step()
        self._average.update_parameters(self._head)
        return loss.item()

    def _loss_of(self, rows: Tensor) -> Tensor:
        inputs = {name: values[rows] for name, values in self._examples.inputs.items()}
        seen, objects = augment(inputs, self._examples.objects.take(rows), self._lot)
        with half_precision():
            output = self._head(seen)
        return self._loss(output, objects)


def _moving_average(memory: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Weights averaged with a memory that is short at first, so that a short training forgets its beginning.

    The ramp (1 + n) / (10 + n) is that of TensorFlow's ExponentialMovingAverage.
    """

    def average(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():
            return current
        kept = min(memory, (1 + float(steps)) / (10 + float(steps)))
        return averaged.lerp(current, 1 - kept)

    return average


def _groups(head: nn.Module) -> list[dict[str, Any]]:
    """Weights decay; biases and factors of normalisations do not."""
    parameters = list(head.parameters())
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": _DECAY},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]

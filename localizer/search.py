"""How long to train: judged, epoch by epoch, by examples held aside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localizer.examples import Examples
from localizer.tasks import Judgement, Task
from localizer.training import Epoch

PATIENCE = 12  # epochs without one as good, after which the search ends
_AS_GOOD = 0.97  # share of the best merit; less is noise (of 100 examples, its standard error is some 7 %), and of
# equals the one trained longer is steadier

Watch = Callable[[Epoch, Judgement | None], None]
"""What is told of each epoch; without a judgement where no examples are held aside any more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a search came to.

    Attributes:
        best: the last epoch that answered the examples held aside about as well as any.
        judged: how it answered them.
        history: one record for each epoch, ready for JSON.
        stopped: whether the user ended it early.
    """

    best: Epoch
    judged: Judgement
    history: list[dict[str, Any]]
    stopped: bool


def find_best_epoch(task: Task, learned: Examples, held: Examples, watch: Watch) -> Found:
    """Train, and judge each epoch; Ctrl-C after the first leaves the best so far.

    Raises:
        TrainingError: see `train`.
        KeyboardInterrupt: it came before there was anything to keep.
    """
    best: tuple[Judgement, Epoch] | None = None
    history: list[dict[str, Any]] = []
    highest, stopped = 0.0, False
    try:
        for epoch in task.train(learned):
            judged = task.judge(epoch.head, held)
            watch(epoch, judged)
            history.append(
                {"epoch": epoch.number, "train_loss": epoch.loss, "held_loss": judged.loss, **judged.figures}
            )
            highest = max(highest, judged.merit)
            if best is None or judged.merit >= _AS_GOOD * highest:
                best = judged, epoch
            if epoch.number - best[1].number >= PATIENCE:
                break
    except KeyboardInterrupt:
        if best is None:
            raise
        stopped = True
    if best is None:
        raise ValueError("expected at least one epoch, found none")
    return Found(best=best[1], judged=best[0], history=history, stopped=stopped)

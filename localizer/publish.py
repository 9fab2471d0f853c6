"""Training from end to end: a collection in, a head published beside it."""

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from indexer.collection import Collection
from indexer.copies import embed_copies
from indexer.manifest import Manifest
from indexer.splits import split_to_learn_from
from localizer import checkpoint
from localizer.alignment import align_semantic_index
from localizer.checkpoint import MAIN, StoredHead
from localizer.examples import VECTOR, Examples, read_examples
from localizer.hold_out import hold_out
from localizer.search import Found, Watch, find_best_epoch
from localizer.settings import Settings
from localizer.tasks import TASKS, Judgement, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSummary:
    """What a training did.

    Attributes:
        task: name of what was taught.
        split: that was learned from.
        examples: pictures that the published head was trained on.
        epochs: over all of them.
        held: how the examples held aside were answered by a head that had not seen them.
        seconds: that it took.
        folder: of the published head.
        stopped: whether the user ended it early; the best head until then is published.
    """

    task: str
    split: str
    examples: int
    epochs: int
    held: Judgement
    seconds: float
    folder: Path
    stopped: bool

    def text(self, figures: str) -> str:
        """In one line, with the `figures` of the examples held aside as text."""
        how = "stopped, best so far" if self.stopped else "trained"
        return (
            f"{self.task}, {how}: {self.epochs} epochs over {self.examples} pictures of {self.split} "
            f"in {self.seconds:.0f} s; of those held aside: {figures}"
        )

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {**asdict(self), "folder": str(self.folder)}


def train_and_publish(
    path: Path, task_name: str, split: str | None, settings: Settings, watch: Watch
) -> TrainSummary:
    """Train a head on a split of a collection and publish it; align the semantic index with one for main objects.

    A tenth of the examples is held aside: by them the number of epochs and the calibration are chosen, and, with
    copies of their pictures, what the semantic index scores by. Then a head is trained on all, as long as was
    best. For a split that is not named see `split_to_learn_from`; the former is that of a head in use.

    Raises:
        CollectionError: there is no collection, or it is damaged.
        DatasetError: there is no such split.
        TrainingError: there is too little to learn from, or the loss is no number any more.
    """
    started = time.monotonic()
    with Collection.open(path) as collection:
        manifest = collection.manifest
        former = checkpoint.train_split(path, task_name, *TASKS)
        split = split_to_learn_from(collection, split, "--train-split", former)
        examples = read_examples(collection, split, settings.given, manifest.classes)
        learned, held = hold_out(examples, settings.seed)
        keep_maps = settings.given != VECTOR
        copies = embed_copies(collection, held.images, keep_maps=keep_maps) if task_name == MAIN else None
    make_task = partial(TASKS[task_name], len(manifest.classes))
    task = make_task(settings)
    found = find_best_epoch(task, learned, held, watch)
    head, stopped = _learn_from_all(make_task(replace(settings, epochs=found.best.number)), examples, found, watch)
    learned_from = len(learned if stopped else examples)
    card = {
        **task.choose(found.best.head, held, examples, copies),
        **_describe(manifest, examples, settings, found, held),
        "train_split": split,
        "examples": learned_from,
        "seconds": time.monotonic() - started,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    folder = checkpoint.save(path, _stored(task_name, manifest, head, card))
    if task_name == MAIN:
        with Collection.open(path) as collection:
            align_semantic_index(collection)
    return TrainSummary(
        task=task_name,
        split=split,
        examples=learned_from,
        epochs=found.best.number,
        held=found.judged,
        seconds=time.monotonic() - started,
        folder=folder,
        stopped=stopped,
    )


def _learn_from_all(task: Task, examples: Examples, found: Found, watch: Watch) -> tuple[nn.Module, bool]:
    """Train as long as was best, on the examples held aside too; after Ctrl-C the head that was found stays."""
    if found.stopped:
        return found.best.head, True
    head = found.best.head
    try:
        for epoch in task.train(examples):
            watch(epoch, None)
            head = epoch.head
    except KeyboardInterrupt:
        return found.best.head, True
    return head, False


def _describe(
    manifest: Manifest, examples: Examples, settings: Settings, found: Found, held: Examples
) -> dict[str, Any]:
    """What the card says of the training, ready for JSON."""
    return {
        "generation": manifest.generation,
        "inputs": {name: list(values.shape[1:]) for name, values in examples.inputs.items()},
        "settings": asdict(settings),
        "epochs": found.best.number,
        "history": found.history,
        "held_out": {**asdict(found.judged), "images": len(held)},
    }


def _stored(task_name: str, manifest: Manifest, head: nn.Module, card: dict[str, Any]) -> StoredHead:
    return StoredHead(
        task=task_name,
        fingerprint=manifest.fingerprint,
        classes=manifest.classes,
        state=head.state_dict(),
        card=card,
    )

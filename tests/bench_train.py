"""Measures training a head on stored maps, beside the same head fed from picture files in every epoch.

`./scripts/bench train` runs it, on pictures of the devkit in VOC_ROOT, or on drawn ones.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from indexer import sample, voc
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.inference import Inference
from indexer.pipeline import PictureFile, Pipeline
from indexer.reduction import Embedding
from localizer.examples import Examples, read_examples
from localizer.settings import Settings
from localizer.tasks import TASKS
from tests.measuring import Report, ratios, take_turns

ROUNDS, PICTURES = 3, 300
SOURCE = os.environ.get("VOC_ROOT")
REFERENCE = Inference(device="cpu", runtime="torch", precision="fp32")


class Epochs:
    """The epochs of one training, one at a time."""

    def __init__(self, task: str, examples: Examples, classes: int) -> None:
        self._epochs: Iterator[object] = TASKS[task](classes, Settings(epochs=4 * ROUNDS)).train(examples)

    def run_one(self) -> float:
        """Seconds of the next epoch."""
        started = time.perf_counter()
        next(self._epochs)
        return time.perf_counter() - started


def run_beside_others(epochs: Epochs) -> float:
    """Seconds of the next epoch beside a busy loop a core."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        return epochs.run_one()
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def embed_again(collection: Collection, examples: Examples, embedder: Embedder) -> float:
    """Seconds to embed the examples' pictures, as a loop with the backbone in it does in every epoch."""
    root = Path(collection.manifest.voc_root)
    files = [PictureFile(voc.picture_path(root, image.filename), image.sha256) for image in examples.images]
    batches = [files[start : start + 32] for start in range(0, len(files), 32)]
    started = time.perf_counter()
    done = Pipeline[Embedding](
        embedder, lambda pixels: embedder.embed(pixels, collection.reduction, keep_maps=True)
    ).run(batches)
    assert sum(len(batch.embedded.vectors) for batch in done if batch.embedded) == len(files)
    return time.perf_counter() - started


def read_again(collection: Collection) -> float:
    """Seconds to read the examples' maps, which training does once."""
    started = time.perf_counter()
    read_examples(collection, "train", "map", collection.manifest.classes)
    return time.perf_counter() - started


def measure(collection: Collection) -> None:
    """One table."""
    classes = collection.manifest.classes
    examples = read_examples(collection, "train", "map", classes)
    epochs = {task: Epochs(task, examples, len(classes)) for task in TASKS}
    fast = Embedder.for_collection(collection.manifest, bulk=True)
    plain = Embedder.for_collection(collection.manifest, inference=REFERENCE, bulk=True)
    taken = take_turns(
        {
            "reading the stored maps, once": lambda: read_again(collection),
            **{f"epoch on stored maps, {task}": epochs[task].run_one for task in TASKS},
            **{f"beside others, {task}": partial(run_beside_others, epochs[task]) for task in TASKS},
            f"embedding, once an epoch, {fast.inference}": lambda: embed_again(collection, examples, fast),
            f"embedding, once an epoch, {plain.inference}": lambda: embed_again(collection, examples, plain),
        },
        ROUNDS,
    )
    report = Report("train")
    for side, seconds in taken.items():
        report.add(f"{side} ({len(examples)} pictures)", "s", seconds)
    for task in TASKS:
        stored = taken[f"epoch on stored maps, {task}"]
        beside = ratios(taken[f"beside others, {task}"], stored)
        report.add(f"epoch beside a busy loop a core / alone, {task}", "times", beside)
        for embedder in (fast, plain):
            embedding = taken[f"embedding, once an epoch, {embedder.inference}"]
            fed = [one + other for one, other in zip(embedding, stored, strict=True)]
            report.add(
                f"epoch fed from pictures / from stored maps, {task}, {embedder.inference}",
                "times",
                ratios(fed, stored),
            )
    report.finish()


def main() -> None:
    """Build a collection and measure on it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = Path(SOURCE) if SOURCE else sample.draw_devkit(folder / "drawn", PICTURES, 0)
        build(BuildRequest(collection=folder / "c", voc_root=root, split="all", backbone="efficientnet_lite2"))
        with Collection.open(folder / "c") as collection:
            measure(collection)


if __name__ == "__main__":
    main()

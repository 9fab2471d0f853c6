"""Kills builds: forks a process that builds, kills it at a random moment, looks at what is left; many times over.

A program of its own, run by `test_kills.py`: it imports torch but runs none of it, so that its children may.
Arguments: devkit, weights, folder to work in, number of kills, seed. Prints how many builds a kill met.
"""

import importlib
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from indexer import embedding_run
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.generations import generations

for slow in ("indexer.networks", "indexer.reduction_learning"):
    importlib.import_module(slow)
embedding_run.BATCH = 4


def start_build(request: BuildRequest) -> int:
    """Build in a child process, and return its id."""
    child = os.fork()
    if child == 0:
        build(request)
        os._exit(0)
    return child


def finish(child: int) -> bool:
    """Wait for a child; whether it came to its end by itself."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def contents(path: Path) -> tuple[object, ...]:
    """All that a collection holds; opening it checks its checksums and counts."""
    with Collection.open(path) as collection:
        maps = [np.asarray(one).tobytes() for one in collection.maps.values()]
        return (collection.all_images(), collection.vectors().tobytes(), maps, collection.manifest.fingerprint)


def kill_one(request: BuildRequest, delay: float) -> bool:
    """Start a build and kill it after `delay` seconds; whether it was still running."""
    child = start_build(request)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    return not finish(child)


def main(devkit: Path, weights: str, folder: Path, kills: int, seed: int) -> None:
    """Half of the kills meet a first build, half one that replaces a published generation by a larger one."""
    lot = random.Random(seed)  # noqa: S311 - moments, no secret

    def ask(path: Path, split: str) -> BuildRequest:
        return BuildRequest(
            collection=path,
            split=split,
            voc_root=devkit,
            backbone="resnet50",
            weights=weights,
            side=64,
            quiet=True,
        )

    undisturbed = {}
    for split in ("train", "trainval"):
        start = time.monotonic()
        assert finish(start_build(ask(folder / f"undisturbed-{split}", "train")))
        first = time.monotonic() - start
        assert finish(start_build(ask(folder / f"undisturbed-{split}", split)))
        undisturbed[split] = contents(folder / f"undisturbed-{split}")
    met = 0
    for number in range(kills):
        path = folder / f"killed-{number}"
        split = "train" if number % 2 else "trainval"
        if split == "trainval":
            assert finish(start_build(ask(path, "train")))
        request = ask(path, split)
        met += kill_one(request, lot.uniform(0, first))
        if generations(path):
            assert contents(path) in (undisturbed["train"], undisturbed[split])
        else:
            assert split == "train"
        assert finish(start_build(request))
        assert contents(path) == undisturbed[split], f"kill {number} left a difference"
        assert not list((path / "building").iterdir()), f"kill {number} left files behind"
    print(met)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))

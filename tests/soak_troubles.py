"""What happens to the service during a soak: new generations and heads, builds killed, its processes killed."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from indexer.collection import Collection
from localizer import checkpoint
from localizer.checkpoint import DETECT
from search_service.processes import Process, family
from tests.soak_diary import Diary

_SPLITS = ("trainval", "train")  # by turns, so that each build has something to publish


def publish_on(path: Path, every: float, lot: random.Random, diary: Diary) -> None:
    """Every so many seconds publish a generation, or a head, or kill a build at a random moment."""
    splits = (_SPLITS[number % 2] for number in count())
    split, longest = next(splits), every
    while wait(every, diary):
        deed = lot.choice(["a generation", "a head", "a killed build"])
        if deed == "a head":
            publish_head(path)
        elif deed == "a generation":
            began = time.monotonic()
            status = start_build(path, split).wait()
            if status:
                deed = f"a build that ended with {status}"
            longest, split = time.monotonic() - began, next(splits)
        else:
            build = start_build(path, split)
            with suppress(subprocess.TimeoutExpired):
                build.wait(lot.uniform(0, longest))
            build.kill()
            build.wait()
        diary.deeds.append(deed)


def start_build(path: Path, split: str) -> "subprocess.Popen[bytes]":
    """Bring a collection in step with one split of its devkit, in a process of its own."""
    options = ["--collection", str(path), "--split", split, "--quiet"]
    return subprocess.Popen([sys.executable, "-m", "indexer", "build", *options])


def publish_head(path: Path) -> None:
    """Publish the detector anew, with weights that differ by a millionth."""
    with Collection.open(path) as collection:
        head = checkpoint.load(path, DETECT, collection.manifest.fingerprint)
    state = {
        name: tensor * (1 + 1e-6) if tensor.is_floating_point() else tensor for name, tensor in head.state.items()
    }
    checkpoint.save(path, replace(head, state=state))


def kill_on(server: int, every: float, lot: random.Random, diary: Diary) -> None:
    """Every so many seconds kill a process that the service started, once all of them are there again."""
    whole = len(children(server))
    while wait(every, diary):
        if len(children(server)) < whole:
            continue
        victim = lot.choice([one for one in family(server) if one.pid != server])
        diary.kills.append(diary.now)
        diary.deeds.append("a worker killed" if victim.parent == server else "a worker's helper killed")
        with suppress(ProcessLookupError):
            os.kill(victim.pid, signal.SIGKILL)


def children(pid: int) -> list[Process]:
    """The processes that one started and that still run."""
    return [one for one in family(pid) if one.parent == pid and one.threads]


def watch_on(server: int, every: float, diary: Diary) -> None:
    """Every so many seconds note what the service holds."""
    diary.look_at(server)
    while wait(every, diary):
        diary.look_at(server)


def wait(seconds: float, diary: Diary) -> bool:
    """Wait so long; whether there is time left then."""
    time.sleep(min(seconds, max(0.0, diary.seconds - diary.now)))
    return not diary.over

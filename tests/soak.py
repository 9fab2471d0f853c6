"""Keeps a real service busy and in trouble for some minutes, and passes a verdict on it.

`./scripts/soak [MINUTES]` runs it: clients of all kinds ask, rightly and wrongly, some a byte a second; meanwhile
generations and heads are published, builds killed, and processes of the service killed.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from indexer import plane
from indexer.collection import Collection
from indexer.generations import generations
from tests.bench_serve import collection_to_serve
from tests.soak_clients import ask_on, dawdle
from tests.soak_diary import Diary
from tests.soak_questions import Questions
from tests.soak_troubles import children, kill_on, publish_on, start_build, watch_on
from tests.soak_verdict import Ending, describe, objections
from tests.test_serve import free_port

WORK = Path("data/soak")
_REPLACED = 120  # seconds in which a killed worker must have been replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a soak consists of; `publish_every`, `kill_every` and `watch_every` are in seconds."""

    seconds: float
    clients: int = 16
    slow_clients: int = 100
    workers: int = 2
    publish_every: float = 20
    kill_every: float = 45
    watch_every: float = 5
    seed: int = 0


def soak(plan: Plan, path: Path, log: Path) -> tuple[Diary, Ending]:
    """Serve a collection, whose generations come and go, to all of that; the service writes to a log."""
    start_build(path, "train").wait()  # the smaller of the two that are published by turns
    with Collection.open(path) as collection:
        held = collection.all_images()
        plane.store(collection)
        pictures = [Path(collection.manifest.voc_root, "JPEGImages", one.filename) for one in held]
    port = free_port()
    options = ["--collection", path, "--port", port, "--workers", plan.workers, "--log-format", "json"]
    with log.open("wb") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", "search_service", "serve", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            return _disturb(plan, path, server, port, pictures)
        finally:
            server.kill()
            server.communicate()


def _disturb(
    plan: Plan, path: Path, server: "subprocess.Popen[bytes]", port: int, pictures: list[Path]
) -> tuple[Diary, Ending]:
    assert server.stdout is not None
    assert server.stdout.readline(), "expected a service, found it ended; see its log"
    _wait_for(lambda: len(children(server.pid)) == plan.workers)
    lots = [random.Random(f"{plan.seed} {number}") for number in range(plan.clients + 2)]  # noqa: S311 - no secret
    diary = Diary(plan.seconds)
    parts: list[Callable[[], None]] = [
        partial(watch_on, server.pid, plan.watch_every, diary),
        partial(dawdle, port, plan.slow_clients, diary),
        partial(publish_on, path, plan.publish_every, lots[0], diary),
        partial(kill_on, server.pid, plan.kill_every, lots[1], diary),
        *(partial(ask_on, port, Questions(pictures, len(pictures), lot), lot, diary) for lot in lots[2:]),
    ]
    with ThreadPoolExecutor(len(parts)) as pool:
        for done in [pool.submit(part) for part in parts]:
            done.result()
    _wait_for(lambda: len(children(server.pid)) == plan.workers)
    newest = int(generations(path)[-1].name)
    _wait_for(lambda: _generation(port) == newest)
    after, reloads, served = len(children(server.pid)), _reloads(port), _generation(port)
    server.terminate()
    return diary, Ending(
        exit_code=server.wait(60),
        processes=(plan.workers, after),
        reloads=reloads,
        generations=(newest, served),
    )


def _wait_for(holds: Callable[[], bool]) -> None:
    """Until that holds, or long enough for it to."""
    until = time.monotonic() + _REPLACED
    while not holds() and time.monotonic() < until:
        time.sleep(0.1)


def _generation(port: int) -> int:
    """The number of the one that is served."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as response:
        return int(json.load(response)["generation"])


def _reloads(port: int) -> tuple[int, int]:
    """Done and failed, over all processes."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        families = text_string_to_metric_families(response.read().decode())
    counted = {
        one.labels["outcome"]: int(one.value)
        for found in families
        for one in found.samples
        if one.name == "lookalike_reloads_total"
    }
    return counted["done"], counted["failed"]


def main() -> None:
    """Soak, print the verdict, and end with 1 where it is bad."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=float, nargs="?", default=30)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    path = Path(shutil.copytree(collection_to_serve(), WORK / "collection"))
    diary, ending = soak(Plan(seconds=60 * asked.minutes, seed=asked.seed), path, WORK / "service.log")
    print(describe(diary, ending))  # noqa: T201
    sys.exit(bool(objections(diary, ending)))


if __name__ == "__main__":
    main()

"""Measures the service under load; `./scripts/bench serve` runs it.

A real service answers real uploads over 127.0.0.1, half of them searches and half localizations, from 1 to 64
clients at a time: one service that embeds the pictures of concurrent requests together, and one that embeds them
one by one. Clients and service share the machine's cores; what the clients take of them is told. Beside it stands
the rate at which the same pictures are embedded in batches, by nothing else; then whether the service grows slower
over many requests; and what starting takes.
"""

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from indexer import images, sample, voc
from indexer.backbones import FALLBACK
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.embedder import Embedder
from localizer.publish import train_and_publish
from localizer.settings import Settings
from search_service.decoders import Decoders
from search_service.settings import MAX_BATCH
from tests.load import Load, keep_busy, served, uploads
from tests.measuring import RESULTS, Report, ratios, take_turns
from tests.synthetic import make_collection

CLIENTS = (1, 4, 16, 64)
SIDES = {"together": MAX_BATCH, "one by one": 1}
SIDE = 320  # pixels, as efficientnet_lite2 looks at
UPLOADS, DRAWN, LARGE, EPOCHS = 200, 300, 17_000, 8  # heads hardly trained take as long as others
EDGE = 1_000  # requests at either end that are compared


def collection_to_serve() -> Path:
    """A collection with both heads, of the devkit in VOC_ROOT or of drawn pictures; kept for the next run."""
    root = os.environ.get("VOC_ROOT")
    path = RESULTS / ("serve-voc" if root else "serve-drawn")
    devkit = voc.find_root(Path(root)) if root else path.with_name("serve-devkit") / "VOCdevkit"
    if not devkit.exists():
        devkit = sample.draw_devkit(devkit, DRAWN, 0)
    if not path.exists():
        build(BuildRequest(collection=path, voc_root=devkit, backbone=FALLBACK, quiet=True))
        for task in ("main", "detect"):
            train_and_publish(path, task, "train", Settings(epochs=EPOCHS), lambda *_: None)
    return path


def large_collection() -> Path:
    """A collection of 17,000 images with made-up vectors; kept for the next run."""
    path = RESULTS / "serve-large" / "collection"
    return path if path.exists() else make_collection(path, LARGE)


def embedding_rate(path: Path, pictures: list[Path]) -> Callable[[], float]:
    """Measures pictures a second in full batches, decoded beforehand."""
    collection = Collection.open(path)
    embedder = Embedder.for_collection(collection.manifest)
    pixels = [embedder.pixels(images.load(one, embedder.side)) for one in pictures[: 4 * MAX_BATCH]]

    def measure() -> float:
        began = time.perf_counter()
        for start in range(0, len(pixels), MAX_BATCH):
            embedder.embed(pixels[start : start + MAX_BATCH], collection.reduction, keep_maps=True)
        return len(pixels) / (time.perf_counter() - began)

    measure()
    return measure


def loads_of(port: int, clients: int, requests: Iterator[bytes], kept: list[Load]) -> Callable[[], float]:
    """Measures the throughput of so many clients, and keeps the rest."""

    def measure() -> float:
        kept.append(keep_busy(port, clients, requests, max(150, 8 * clients)))
        return kept[-1].throughput

    return measure


def measure_load(report: Report, path: Path, pictures: list[Path], rounds: int) -> None:
    """All numbers of clients, on both services and beside the embedder alone, in turn."""
    requests, loads = itertools.cycle(uploads(pictures)), defaultdict[str, list[Load]](list)
    with ExitStack() as services:
        ports = {
            side: services.enter_context(served(path, "--max-batch", str(batch))) for side, batch in SIDES.items()
        }
        sides = {"embedding alone": embedding_rate(path, pictures)}
        for clients, side in itertools.product(CLIENTS, SIDES):
            keep_busy(ports[side], clients, requests, 4 * clients)
            name = f"{clients} clients, {side}"
            sides[name] = loads_of(ports[side], clients, requests, loads[name])
        taken = take_turns(sides, rounds)
    report.add("embedding alone, batches of 16", "pictures/s", taken["embedding alone"])
    for name, kept in loads.items():
        report.add(name, "requests/s", taken[name])
        report.add(f"{name}: of the rate of embedding", "", ratios(taken[name], taken["embedding alone"]))
        for percent in (50, 95, 99):
            report.add(f"{name}: p{percent}", "ms", [load.percentile(percent) for load in kept])
    report.add(
        "of a core, for each request, clients", "ms", [one.client_ms for kept in loads.values() for one in kept]
    )
    alone = [load.percentile(50) for load in loads["1 clients, together"]]
    late = [load.percentile(95) for load in loads["16 clients, together"]]
    report.add("p95 of 16 clients to p50 of one", "", ratios(late, alone))


def measure_decoding(report: Report, pictures: list[Path], rounds: int) -> None:
    """Decoding in its own processes beside decoding in the service's threads, from one and from 16 threads."""
    files, decoders = [one.read_bytes() for one in pictures], Decoders()

    def here(data: bytes) -> object:
        return images.fit_square(images.decode(data, SIDE), SIDE, "bicubic")

    def there(data: bytes) -> object:
        return decoders.square(data, SIDE, "bicubic")

    def rate(decode: Callable[[bytes], object], threads: int) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(decode, files))
        return len(files) / (time.perf_counter() - began)

    rate(there, 16)
    for threads in (1, 16):
        taken = take_turns({"here": partial(rate, here, threads), "there": partial(rate, there, threads)}, rounds)
        report.add(f"decoding in threads, {threads} at once", "pictures/s", taken["here"])
        report.add(f"decoding in its own processes, {threads} at once", "pictures/s", taken["there"])
        report.add("the latter to the former", "", ratios(taken["there"], taken["here"]))
    decoders.close()


def measure_drift(report: Report, path: Path, pictures: list[Path], count: int) -> None:
    """Whether the last thousand of many requests take longer than the first."""
    requests, edge = itertools.cycle(uploads(pictures)), min(EDGE, count // 2)
    with served(path) as port:
        keep_busy(port, 16, requests, 200)
        latencies = keep_busy(port, 16, requests, count).latencies
    first, last = np.median(latencies[:edge]), np.median(latencies[-edge:])
    report.add(f"{count:,} requests: median of the last {edge:,} to the first", "", [float(last / first)])


def measure_starts(report: Report, path: Path, picture: Path, rounds: int) -> None:
    """Help, a query from the shell, and a service until it answers."""
    python, large = [sys.executable, "-m"], large_collection()
    query = ["search_service", "query", str(picture), "--collection", str(path)]
    commands = {f"{package} --help": [package, "--help"] for package in ("indexer", "localizer", "search_service")}

    def run(command: list[str]) -> float:
        began = time.perf_counter()
        subprocess.run([*python, *command], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    def start() -> float:
        began = time.perf_counter()
        with served(large):
            return time.perf_counter() - began

    sides = {name: partial(run, command) for name, command in {**commands, "query": query}.items()}
    for name, taken in take_turns({**sides, f"service of {LARGE:,}, until it answers": start}, rounds).items():
        report.add(name, "s", taken)


def main() -> None:
    """Measure all of it, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=10_000, help="to look for a slowdown over; 0 for none")
    asked = parser.parse_args()
    path, report = collection_to_serve(), Report("serve")
    with Collection.open(path) as collection:
        pictures = sorted(Path(collection.manifest.voc_root, "JPEGImages").glob("*.jpg"))[:UPLOADS]
    measure_starts(report, path, pictures[0], asked.rounds)
    measure_decoding(report, pictures, asked.rounds)
    measure_load(report, path, pictures, asked.rounds)
    if asked.requests:
        measure_drift(report, path, pictures, asked.requests)
    report.finish()


if __name__ == "__main__":
    main()

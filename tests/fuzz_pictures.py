"""Sends spoilt pictures through the decoders and a running service; `./scripts/fuzz [N] [--seed S]` runs it.

What comes back is counted: pictures, refusals by kind, errors of the service, decoders that died, pictures over
the time limit. A file that ends in one of the last three is kept in `tests/fuzz_finds`; the tests try it again.
"""

import argparse
import hashlib
import http.client
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from indexer import sample
from indexer.backbones import FALLBACK
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.command_line import table
from indexer.errors import LookalikeError
from search_service.decoders import SECONDS, Decoders
from tests.load import served
from tests.mutations import mutate, seeds

FINDS = Path(__file__).with_name("fuzz_finds")
ANSWERED, CRASHED, LATE, BROKEN = "answered", "crashed", "over the time limit", "5xx"
BAD = (CRASHED, LATE, BROKEN)
_KINDS = {
    "crashes the decoder": CRASHED,
    "ended from outside": CRASHED,
    "takes longer": LATE,
    "expected a picture (": "refused: no picture",
    "damaged or cut off": "refused: damaged",
    "pixels, found": "refused: too large",
    "pixels a side": "refused: too small",
    "as long as wide": "refused: too long",
    "takes more": "refused: too much memory",
}

Try = Callable[[bytes], str]
"""A picture file -> what became of it."""


def spoilt(seed: int) -> Iterator[bytes]:
    """Spoilt pictures without end, always the same for a seed."""
    chance, valid = random.Random(seed), seeds()  # noqa: S311 - not for secrets
    while True:
        yield mutate(chance.choice(valid), chance, valid)


def by_decoders(decoders: Decoders) -> Try:
    """Tries a picture on decoder processes."""

    def attempt(data: bytes) -> str:
        try:
            decoders.square(data, 64, "bicubic")
        except LookalikeError as error:
            return kind_of(str(error))
        return ANSWERED

    return attempt


def by_http(port: int) -> Try:
    """Tries a picture on a running service, by a connection of its own."""

    def attempt(data: bytes) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=6 * SECONDS)
        body = (
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + data + b"\r\n--x--\r\n"
        )
        connection.request("POST", "/api/v1/search", body, {"Content-Type": "multipart/form-data; boundary=x"})
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        if answer.status == 200:
            return ANSWERED
        return BROKEN if answer.status >= 500 else kind_of(json.loads(told)["error"]["message"])

    return attempt


def kind_of(message: str) -> str:
    """Which kind of refusal a message tells of."""
    return next((kind for words, kind in _KINDS.items() if words in message), f"refused: {message:.60}")


def tally(attempt: Try, pictures: Iterable[bytes], clients: int, keep: Callable[[bytes], object]) -> Counter[str]:
    """How many of the pictures ended how; those that ended badly are kept."""

    def one(data: bytes) -> str:
        verdict = attempt(data)
        if verdict in BAD:
            keep(data)
        return verdict

    with ThreadPoolExecutor(clients) as pool:
        return Counter(pool.map(one, pictures))


def keep_find(data: bytes) -> None:
    """Put a file where the tests find it."""
    FINDS.mkdir(exist_ok=True)
    (FINDS / f"{hashlib.sha256(data).hexdigest()[:16]}.bin").write_bytes(data)


def memory_of(pid: int) -> int:
    """Megabytes of a process in memory; 0 where the system does not tell."""
    path = Path(f"/proc/{pid}/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", path.read_text()) if path.exists() else None
    return int(found[1]) // 1_024 if found else 0


def service_pids(port: int) -> list[int]:
    """The processes of the service at a port, its decoders included."""
    family: list[int] = []
    for status in sorted(Path("/proc").glob("[0-9]*/status"), key=lambda path: int(path.parent.name)):
        try:
            command = (status.parent / "cmdline").read_text().split("\0")
            parent = re.search(r"PPid:\s+(\d+)", status.read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
        if ("--port" in command and str(port) in command) or (parent and int(parent[1]) in family):
            family.append(int(status.parent.name))
    return family


def collection_to_serve(folder: Path) -> Path:
    """A small collection of drawn pictures."""
    devkit = sample.draw_devkit(folder / "VOCdevkit", 40, 0)
    build(BuildRequest(collection=folder / "collection", voc_root=devkit, backbone=FALLBACK, quiet=True))
    return folder / "collection"


def chunks(pictures: Iterator[bytes], total: int, size: int = 1_000) -> Iterator[Sequence[bytes]]:
    """So many pictures, a few at a time: they are made while others are tried."""
    for start in range(0, total, size):
        yield list(islice(pictures, min(size, total - start)))


def run(attempt: Try, pictures: Iterator[bytes], total: int, clients: int) -> Counter[str]:
    """Try so many pictures, saying how far it is."""
    counted: Counter[str] = Counter()
    for few in chunks(pictures, total):
        counted += tally(attempt, few, clients, keep_find)
        print(f"{counted.total():,} of {total:,}", file=sys.stderr, flush=True)  # noqa: T201
    return counted


def main() -> int:
    """Try N pictures both ways, print the table of verdicts, and fail where one is bad."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=int, nargs="?", default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    asked, began, decoders = parser.parse_args(), time.monotonic(), Decoders()
    decoded = run(by_decoders(decoders), spoilt(asked.seed), asked.pictures, 4)
    decoders.close()
    with tempfile.TemporaryDirectory() as folder, served(collection_to_serve(Path(folder))) as port:
        pictures, attempt = spoilt(asked.seed), by_http(port)
        first = tally(attempt, islice(pictures, min(500, asked.pictures // 2)), 4, keep_find)
        before = sum(map(memory_of, service_pids(port)))
        answered = first + run(attempt, pictures, asked.pictures - first.total(), 4)
        after = sum(map(memory_of, service_pids(port)))
    names = sorted({*decoded, *answered, ANSWERED, *BAD})
    rows = [(name, f"{decoded[name]:,}", f"{answered[name]:,}") for name in names]
    rows += [
        ("tried", f"{decoded.total():,}", f"{answered.total():,}"),
        ("MB, after 500 and at the end", "", f"{before}, {after}"),
    ]
    print(table(rows, (f"seed {asked.seed}", "decoders", "HTTP")))  # noqa: T201
    print(f"{time.monotonic() - began:,.0f} s")  # noqa: T201
    return int(any(counted[bad] for counted in (decoded, answered) for bad in BAD))


if __name__ == "__main__":
    sys.exit(main())

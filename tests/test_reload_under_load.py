"""A service under load while generations are swapped beneath it: no request fails, and no answer is mixed."""

import json
import re
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import pytest

from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.generations import generations
from tests.keys import ADMINISTRATOR, bearer, key_file
from tests.load import served
from tests.publishing import publish_copy

_SWAPS, _CLIENTS = 20, 16
_PATIENCE = 60  # seconds, for a busy machine
_FILES = re.compile(r"\b(?:other-)?0000\d\d\.jpg")
_GENERATION = re.compile(r"generation (\d+)\.")
_PAGES = ("/?positive=3", "/images/5", "/browse")
_ROUTES = ("/api/v1/images/3/similar?k=24", "/api/v1/images?k=40")
_FIGURES = ("/api/v1/admin/stats", "/readyz")
_PICTURE = "/api/v1/images/3/thumbnail"


@pytest.fixture
def twins(
    tmp_path: Path, devkit: Path, collection_path: Path, request_build: Callable[..., BuildRequest]
) -> tuple[Path, Path]:
    """A collection, and a generation of the same pictures under other names, to be published there."""
    renamed = tmp_path / "renamed" / "JPEGImages"
    renamed.mkdir(parents=True)
    for picture in (devkit / "JPEGImages").iterdir():
        shutil.copy(picture, renamed / f"other-{picture.name}")
    build(request_build(tmp_path / "other", voc_root=renamed.parent))
    path = Path(shutil.copytree(collection_path, tmp_path / "collection"))
    return path, generations(tmp_path / "other")[-1]


def test_twenty_swaps_under_sixteen_clients_fail_no_request_and_mix_no_answer(twins: tuple[Path, Path]) -> None:
    path, other = twins
    own = Path(shutil.copytree(generations(path)[-1], path / "own"))
    done = threading.Event()
    keys = key_file(path)
    with served(path, "--api-key-file", str(keys)) as port, ThreadPoolExecutor(_CLIENTS) as pool:
        address = f"http://127.0.0.1:{port}"
        clients = [pool.submit(ask_until, done, address, number) for number in range(_CLIENTS)]
        try:
            for number in range(2, 2 + _SWAPS):
                publish_copy(path, own if number % 2 else other)
                wait_until_served(address, number)
        finally:
            done.set()
        answers = [client.result() for client in clients]
        stats = json.loads(get(f"{address}/api/v1/admin/stats"))

    assert stats["reloads"] == {"done": _SWAPS, "failed": 0, "failure": None}
    assert {names for seen in answers for names in seen} == {"own", "other"}
    assert min(map(len, answers)) > 0


def ask_until(done: threading.Event, address: str, first: int) -> list[str]:
    """Ask for this and that until done; under which names each answer has its pictures."""
    wishes = cycle([*_PAGES, *_ROUTES, *_FIGURES, _PICTURE])
    for _ in range(first):
        next(wishes)
    seen = []
    while not done.is_set():
        wish = next(wishes)
        answer = get(address + wish)
        if wish in _PAGES or wish in _ROUTES:
            seen.append(names_of(answer.decode(), page=wish in _PAGES))
    return seen


def names_of(answer: str, *, page: bool) -> str:
    """Under which names an answer has its pictures: all alike, and as its generation where a page tells it."""
    files = _FILES.findall(answer)
    assert files, f"expected names of files, found none in {answer[:500]}"
    [names] = {"other" if name.startswith("other-") else "own" for name in files}
    if page:
        [generation] = _GENERATION.findall(answer)
        assert names == ("own" if int(generation) % 2 else "other")
    return names


def wait_until_served(address: str, generation: int) -> None:
    end = time.monotonic() + _PATIENCE
    while json.loads(get(f"{address}/readyz"))["generation"] != generation:
        assert time.monotonic() < end, f"expected generation {generation} to be served, found that it is not"
        time.sleep(0.05)


def get(address: str) -> bytes:
    """What is there; raises where the answer is none of success."""
    request = urllib.request.Request(address, headers=bearer(ADMINISTRATOR))  # noqa: S310 - of this machine
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
        return bytes(answer.read())

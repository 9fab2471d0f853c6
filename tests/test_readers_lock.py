"""What is open to a reader is not deleted, and what is deleted leads no reader astray."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer.collection import Collection
from indexer.generation import prune
from indexer.generations import generations
from indexer.manifest import Manifest
from indexer.newest import numbered
from localizer import checkpoint
from localizer.checkpoint import MAIN
from tests.publishing import publish_copy, publish_head_again

_READER = """
import sys, time
from pathlib import Path
from indexer.collection import Collection
opened = Collection.open(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(collection_path: Path, tmp_path: Path) -> Path:
    """A copy of the collection."""
    return Path(shutil.copytree(collection_path, tmp_path / "collection"))


@pytest.fixture
def fingerprint(own_trained_path: Path) -> str:
    """Of the collection with heads."""
    return Manifest.load(generations(own_trained_path)[-1]).fingerprint


def names(path: Path) -> list[str]:
    return [folder.name for folder in generations(path)]


def test_what_four_publishes_have_passed_still_answers_from_any_thread_and_goes_once_it_is_closed(
    path: Path,
) -> None:
    with Collection.open(path) as reader:
        for _ in range(4):
            publish_copy(path)

        assert names(path) == ["000001", "000004", "000005"]
        with ThreadPoolExecutor(16) as threads:
            found = list(threads.map(lambda image_id: reader.images([image_id])[0].image_id, range(40)))
            nearest = list(threads.map(lambda image_id: reader.nearest(reader.vector(image_id), 1), range(40)))
        assert found == [hits[0].image_id for hits in nearest] == list(range(40))

    prune(path)
    assert names(path) == ["000004", "000005"]


def test_a_generation_goes_only_after_the_last_of_its_readers(path: Path) -> None:
    first, second = Collection.open(path), Collection.open(path)
    for _ in range(2):
        publish_copy(path)

    first.close()
    prune(path)
    assert "000001" in names(path)
    second.close()
    prune(path)
    assert "000001" not in names(path)


def test_a_reader_that_nobody_knows_any_more_holds_nothing(path: Path) -> None:
    Collection.open(path)

    for _ in range(2):
        publish_copy(path)

    assert names(path) == ["000002", "000003"]


def test_a_generation_that_cannot_be_opened_is_not_held(path: Path) -> None:
    (generations(path)[-1] / "index.faiss").write_bytes(b"damage")
    with pytest.raises(Exception, match="is damaged"):
        Collection.open(path)

    for _ in range(2):
        publish_copy(path)

    assert "000001" not in names(path)


def test_the_hold_of_a_killed_reader_goes_with_it(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _READER, str(path)], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"open\n"
        for _ in range(2):
            publish_copy(path)
        held = names(path)
        reader.send_signal(signal.SIGKILL)

    prune(path)

    assert held == ["000001", "000002", "000003"]
    assert names(path) == ["000002", "000003"]


def test_a_collection_opens_at_any_moment_while_generations_come_and_go(path: Path) -> None:
    with ThreadPoolExecutor(1) as publisher:
        publishing = publisher.submit(lambda: [publish_copy(path) for _ in range(40)])
        opened = 0
        while not publishing.done():
            with Collection.open(path) as collection:
                assert len(collection.images(range(40))) == 40
            opened += 1

    publishing.result()
    assert opened > 0
    assert names(path)[-1] == "000041"


def test_a_head_loads_at_any_moment_while_heads_come_and_go(own_trained_path: Path, fingerprint: str) -> None:
    with ThreadPoolExecutor(1) as publisher:
        publishing = publisher.submit(lambda: [publish_head_again(own_trained_path, MAIN) for _ in range(40)])
        while not publishing.done():
            assert checkpoint.load(own_trained_path, MAIN, fingerprint).task == MAIN
            assert MAIN in checkpoint.digests(own_trained_path, fingerprint)

    assert checkpoint.load(own_trained_path, MAIN, fingerprint).digest == publishing.result()[-1].digest


def test_a_generation_that_goes_between_being_listed_and_opened_gives_way_to_the_newest(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_listing("indexer.generations", lambda: [publish_copy(path) for _ in range(2)], monkeypatch)

    with Collection.open(path) as collection:
        assert collection.manifest.generation == 3


def test_a_head_that_goes_between_being_listed_and_loaded_gives_way_to_the_newest(
    own_trained_path: Path, fingerprint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[str] = []

    def publish() -> None:
        published.extend(publish_head_again(own_trained_path, MAIN).digest for _ in range(2))

    after_listing("localizer.checkpoint", publish, monkeypatch)

    assert checkpoint.load(own_trained_path, MAIN, fingerprint).digest == published[-1]


def after_listing(module: str, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a module's next look at numbered folders be followed by an act, before what it saw is used."""

    def look(folder: Path) -> list[Path]:
        monkeypatch.undo()
        found = numbered(folder)
        act()
        return found

    monkeypatch.setattr(f"{module}.numbered", look)

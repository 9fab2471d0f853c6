"""What a build keeps of its work until it is published, and what is left of that where the build dies."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest

from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.reduction import Floats
from tests.test_build import picture

Request = Callable[..., BuildRequest]


def vectors(path: Path) -> Floats:
    with Collection.open(path) as collection:
        return collection.vectors()


def test_pieces_are_read_one_at_a_time(
    own_devkit: Path, tmp_path: Path, request_build: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, others, alone = np.load, Lock(), []

    @contextmanager
    def watched(*arguments: Any, **keywords: Any) -> Iterator[Any]:  # noqa: ANN401 - numpy's
        alone.append(others.acquire(blocking=False))
        time.sleep(0.01)
        with load(*arguments, **keywords) as file:
            yield file
        if others.locked():
            others.release()

    monkeypatch.setattr(np, "load", watched)
    build(request_build(tmp_path / "collection", voc_root=own_devkit))

    assert alone
    assert all(alone)


def test_a_build_that_dies_while_it_clears_up_leaves_nothing_that_the_next_one_takes_for_work_done(
    own_devkit: Path, tmp_path: Path, request_build: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rmtree = tmp_path / "collection", shutil.rmtree

    def die_half_way(folder: Path, *, ignore_errors: bool = False) -> None:
        if (reduction := Path(folder, "reduction.npz")).exists():
            reduction.unlink()
            raise KeyboardInterrupt
        rmtree(folder, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", die_half_way)
    with pytest.raises(KeyboardInterrupt):
        build(request_build(path, voc_root=own_devkit))
    monkeypatch.undo()
    picture(own_devkit, 1).unlink()

    summary = build(request_build(path, from_scratch=True))

    build(request_build(tmp_path / "undisturbed", voc_root=own_devkit))
    assert (summary.embedded, summary.resumed) == (11, 0)
    assert np.array_equal(vectors(path), vectors(tmp_path / "undisturbed"))
    assert not list((path / "building").iterdir())

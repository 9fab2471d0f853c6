"""What a build keeps of its work until it is published, and what is left of that where the build dies."""

import shutil
from collections.abc import Callable
from pathlib import Path

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

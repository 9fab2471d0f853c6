"""What has its name is on the disk: contents, then the folder, then the rename, then the name itself."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer import derived
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.generations import generations
from localizer import checkpoint
from tests.test_checkpoint import head

Request = Callable[..., BuildRequest]
_DELETED_NEXT = ("building", "staging-forgotten")  # names that a folder gets on its way out

Contents = dict[str, bytes | None]
"""Path -> what a file holds; None for a folder."""


class Disk:
    """What was brought to the disk so far; fails where something gets its name before its contents are there.

    Attributes:
        synced: everything, as it was when it was synced last.
        named: path -> whether its name is on the disk too.
    """

    def __init__(self) -> None:
        self.synced: Contents = {}
        self.named: dict[str, bool] = {}
        self._fsync, self._rename = os.fsync, os.rename

    def fsync(self, descriptor: int) -> None:
        """In place of the system's."""
        self._fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self.synced[str(path)] = path.read_bytes() if path.is_file() else None
        self.named |= {name: True for name in self.named if Path(name).parent == path}

    def rename(self, source: Any, target: Any, **rest: Any) -> None:  # noqa: ANN401 - as os has it
        """In place of the system's."""
        if Path(target).name not in _DELETED_NEXT:
            assert _contents(Path(source)).items() <= self.synced.items(), f"{target} is not on the disk"
        self._rename(source, target, **rest)
        self.named[str(target)] = False


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk.fsync)
    monkeypatch.setattr(os, "rename", disk.rename)
    monkeypatch.setattr(os, "replace", disk.rename)
    return disk


def _contents(path: Path) -> Contents:
    if path.is_file():
        return {str(path): path.read_bytes()}
    return {str(path): None, **{str(file): file.read_bytes() for file in path.iterdir()}}


def test_a_generation_is_on_the_disk_before_its_rename_and_its_name_after(
    own_devkit: Path, tmp_path: Path, request_build: Request, disk: Disk
) -> None:
    path = tmp_path / "new" / "collection"

    build(request_build(path, voc_root=own_devkit))

    (folder,) = generations(path)
    assert disk.named[str(folder)]
    assert {str(one) for one in (tmp_path, tmp_path / "new", path, path / "generations")} <= disk.synced.keys()


def test_a_head_is_on_the_disk_before_its_rename_and_its_name_after(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "new"

    folders = [checkpoint.save(path, head(number)) for number in range(3)]

    assert all(disk.named[str(folder)] for folder in folders)
    assert {str(one) for one in (tmp_path, path, path / "heads", path / "heads/main")} <= disk.synced.keys()


def test_what_is_worked_out_is_on_the_disk_before_its_rename_and_its_name_after(
    own_devkit: Path, tmp_path: Path, request_build: Request, disk: Disk
) -> None:
    path = tmp_path / "collection"
    build(request_build(path, voc_root=own_devkit))
    disk.synced.clear()

    with Collection.open(path) as collection:
        derived.save_record(collection, "a", {"b": 1})
        derived.save(collection, "c", {"vectors": collection.vectors()})

    folder = path / "derived/000001"
    assert {file.name for file in folder.iterdir()} == {"a.json", "c.npz"}
    assert all(disk.named[str(file)] for file in folder.iterdir())
    assert {str(path), str(path / "derived"), str(folder)} <= disk.synced.keys()

"""What has its name is on the disk: contents, then the folder, then the rename, then the name itself."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.generations import generations

Request = Callable[..., BuildRequest]


def test_a_generation_is_on_the_disk_before_its_rename_and_its_name_after(
    own_devkit: Path, tmp_path: Path, request_build: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[str, bytes | None] = {}
    calls: list[tuple[str, str]] = []
    seen: dict[str, bytes | None] = {}
    true_sync, true_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        true_sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced[str(path)] = path.read_bytes() if path.is_file() else None
        calls.append(("sync", str(path)))

    def rename(source: Any, target: Any, **rest: Any) -> None:  # noqa: ANN401 - as os has it
        if Path(target).parent.name == "generations":
            seen.update({str(path): path.read_bytes() for path in Path(source).iterdir()} | {str(source): None})
            assert seen.items() <= synced.items()
        true_rename(source, target, **rest)
        calls.append(("rename", str(target)))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    build(request_build(tmp_path / "new" / "collection", voc_root=own_devkit))

    (folder,) = generations(tmp_path / "new" / "collection")
    assert len(seen) == len(list(folder.iterdir())) + 1
    renamed = calls.index(("rename", str(folder)))
    assert ("sync", str(folder.parent)) in calls[renamed:]
    assert {str(tmp_path), str(tmp_path / "new"), str(tmp_path / "new/collection")} <= synced.keys()

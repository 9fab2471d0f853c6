"""Publishes generations and heads as builds and trainings do, without the work: copies of those that are there."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer.generation import prune
from indexer.generations import generations
from indexer.manifest import Manifest
from localizer import checkpoint
from localizer.checkpoint import StoredHead


def publish_copy(path: Path, source: Path | None = None, **changes: Any) -> Path:  # noqa: ANN401 - of the manifest
    """A copy of a generation, the last one unless told otherwise, published as the next; its folder."""
    last = generations(path)[-1]
    number = int(last.name) + 1
    part = path / "building" / "copy"
    shutil.copytree(source or last, part)
    replace(Manifest.load(part), generation=number, **changes).save(part)
    published = path / "generations" / f"{number:06d}"
    part.rename(published)
    prune(path)
    return published


def publish_head_again(path: Path, task: str) -> StoredHead:
    """The head in use, published once more, so little changed that it hardly answers otherwise."""
    fingerprint = Manifest.load(generations(path)[-1]).fingerprint
    held = checkpoint.load(path, task, fingerprint)
    head = replace(held, state={name: tensor * 1.000001 for name, tensor in held.state.items()})
    checkpoint.save(path, head)
    return head

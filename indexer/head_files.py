"""Heads beside a collection's generations: `heads/TASK/000001/` and so on, of which the last is in use.

A folder holds the weights, and a card under a seal that tells their checksum. What a head learned is the
localizer's; here is only whether it is whole.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from indexer import sealed
from indexer.layout import BUILDING, HEADS, KEPT_HEADS
from indexer.newest import numbered
from indexer.sealed import SealError

WEIGHTS, CARD = "head.safetensors", "head.json"
FORMAT_VERSION = 1


def tasks(path: Path) -> list[Path]:
    """The folders of the tasks that heads of a collection were trained for."""
    return sorted(folder for folder in (path / HEADS).glob("*") if folder.is_dir())


def prune(task: Path) -> None:
    """Delete former heads of a task, as the only writer of its folder; by a rename: half a one looks damaged."""
    gone = task / BUILDING
    shutil.rmtree(gone, ignore_errors=True)
    for former in numbered(task)[:-KEPT_HEADS]:
        shutil.rmtree(former.rename(gone))


def read_card(folder: Path) -> dict[str, Any]:
    """What a head's card says.

    Raises:
        SealError: it cannot be read, is of another version, or was changed since it was written.
    """
    return sealed.read(folder / CARD, FORMAT_VERSION, "a head's card")


def read_weights(folder: Path, card: dict[str, Any]) -> bytes:
    """The file of a head's weights.

    Raises:
        SealError: it cannot be read, or is not the one that the card tells of.
    """
    path = folder / WEIGHTS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SealError(f"expected a head's weights in {path}, found none that can be read") from error
    if hashlib.sha256(content).hexdigest() != card.get("weights_sha256"):
        raise SealError(f"{path} is damaged: its checksum is not that of its card")
    return content

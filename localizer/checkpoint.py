"""Heads on disk, beside a collection's generations: `heads/main/000001/` and so on, of which the last is in use.

A folder holds the weights (safetensors) and a card (JSON) that says what they are. It is written elsewhere and
moved in by one rename; the former one is kept.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from indexer.generation import sync
from indexer.manifest import content_sha256
from indexer.newest import numbered, read_newest
from localizer.errors import HeadError, NoHeadError

FORMAT_VERSION = 1
KEPT = 2  # heads of each task
MAIN, DETECT = "main", "detect"
_WEIGHTS, _CARD = "head.safetensors", "head.json"
_ENVELOPE = ("task", "fingerprint", "classes", "weights_sha256")  # what a card says beside a head's own

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredHead:
    """A head as it lies on disk.

    Attributes:
        task: `MAIN` or `DETECT`.
        fingerprint: of the collection that it was trained on.
        classes: in the order of its outputs.
        state: its weights by name.
        card: all else, ready for JSON: settings, shape, calibration, history, scores, seconds, time.
    """

    task: str
    fingerprint: str
    classes: tuple[str, ...]
    state: Mapping[str, Tensor]
    card: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of its weights."""
        return hashlib.sha256(_pack(self.state)).hexdigest()


def save(collection: Path, head: StoredHead) -> Path:
    """Publish a head beside a collection's generations; its folder."""
    folder = collection / "heads" / head.task
    building = folder / "building"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    weights = _pack(head.state)
    try:
        (building / _WEIGHTS).write_bytes(weights)
        (building / _CARD).write_text(json.dumps(_envelope(head, weights), indent=2) + "\n", encoding="utf-8")
        for path in (building / _WEIGHTS, building / _CARD, building):
            sync(path)
    except OSError:
        shutil.rmtree(building, ignore_errors=True)
        raise
    published = folder / f"{_last_number(folder) + 1:06d}"
    building.rename(published)
    sync(folder)
    for former in numbered(folder)[:-KEPT]:
        shutil.rmtree(former)
    return published


def load(collection: Path, task: str, fingerprint: str) -> StoredHead:
    """The head in use, also where a newer one is published meanwhile.

    Raises:
        NoHeadError: none was trained for this task.
        HeadError: it is damaged, or was trained on vectors of another fingerprint.
    """
    return _of_newest(collection, task, lambda folder, way_out: _load(folder, task, fingerprint, way_out))


def in_use(collection: Path, task: str) -> Path | None:
    """The folder of the head in use; None where none was trained for this task."""
    return next(reversed(numbered(collection / "heads" / task)), None)


def _load(folder: Path, task: str, fingerprint: str, way_out: str) -> StoredHead:
    card = _read_card(folder, way_out)
    if card["fingerprint"] != fingerprint:
        raise HeadError(
            f"expected a head trained on vectors of fingerprint {fingerprint[:12]}, found one for "
            f"{card['fingerprint'][:12]} in {folder}; {way_out}"
        )
    state = _read_weights(folder / _WEIGHTS, card["weights_sha256"], way_out)
    return StoredHead(
        task=task,
        fingerprint=fingerprint,
        classes=tuple(card["classes"]),
        state=state,
        card={name: value for name, value in card.items() if name not in _ENVELOPE},
    )


def digests(collection: Path, fingerprint: str) -> dict[str, str]:
    """Task -> digest of the head in use, from its card alone; without heads that are damaged or do not fit."""
    found = {}
    for task in (MAIN, DETECT):
        with suppress(HeadError):
            card = _of_newest(collection, task, _read_card)
            if card["fingerprint"] == fingerprint:
                found[task] = str(card["weights_sha256"])
    return found


def restore(network: nn.Module, head: StoredHead) -> None:
    """Put a head's weights into its network, ready to be asked.

    Raises:
        HeadError: they are of another network, as another version of this software has it.
    """
    try:
        network.load_state_dict(dict(head.state))
    except RuntimeError as error:
        raise HeadError(
            f"expected weights that fit the network of the task {head.task}, found those of another version; "
            "train the head anew: python -m localizer train"
        ) from error
    network.eval().to(memory_format=torch.channels_last)  # the order in which convolutions run fastest


def _envelope(head: StoredHead, weights: bytes) -> dict[str, Any]:
    content = {
        "task": head.task,
        "fingerprint": head.fingerprint,
        "classes": list(head.classes),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        **head.card,
    }
    return {"format_version": FORMAT_VERSION, "sha256": content_sha256(content), **content}


def _of_newest(collection: Path, task: str, read: Callable[[Path, str], Made]) -> Made:
    """What is read of the folder of the head in use; `read` is also told how to make another head."""
    way_out = _way_out(collection, task)

    def find() -> Path:
        folder = in_use(collection, task)
        if folder is None:
            raise NoHeadError(f"expected a trained head in {collection}, found none; {way_out}")
        return folder

    return read_newest(find, lambda folder: read(folder, way_out))


def _read_card(folder: Path, way_out: str) -> dict[str, Any]:
    path = folder / _CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise HeadError(f"expected a head's card in {path}, found none that can be read; {way_out}") from error
    version = card.pop("format_version", None) if isinstance(card, dict) else None
    if version != FORMAT_VERSION:
        raise HeadError(f"expected format version {FORMAT_VERSION} in {path}, found {version}; {way_out}")
    if card.pop("sha256", None) != content_sha256(card):
        raise HeadError(f"{path} was changed after it was written; {way_out}")
    return dict(card)


def _read_weights(path: Path, sha256: str, way_out: str) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() == sha256:
            return dict(load_tensors(data))
    except (OSError, SafetensorError) as error:
        raise HeadError(f"expected a head's weights in {path}, found none that can be read; {way_out}") from error
    raise HeadError(f"{path} is damaged: its checksum is not that of its card; {way_out}")


def _pack(state: Mapping[str, Tensor]) -> bytes:
    packed: bytes = save_tensors({name: tensor.contiguous() for name, tensor in state.items()})
    return packed


def _way_out(collection: Path, task: str) -> str:
    flag = " --task detect" if task == DETECT else ""
    return f"train one: python -m localizer train --collection {collection}{flag}"


def _last_number(folder: Path) -> int:
    return max((int(path.name) for path in numbered(folder)), default=0)

"""Heads on disk, beside a collection's generations: `heads/main/000001/` and so on, of which the last is in use.

A folder holds the weights (safetensors) and a card (JSON) that says what they are. It is written elsewhere and
moved in by one rename; the former one is kept.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from indexer import head_files, sealed
from indexer.durable import settle_folder
from indexer.head_files import CARD, FORMAT_VERSION, WEIGHTS
from indexer.layout import BUILDING, HEADS
from indexer.newest import numbered, read_newest
from indexer.sealed import SealError
from indexer.stores import store_of
from indexer.writers_lock import only_writer
from localizer.errors import HeadError, NoHeadError

MAIN, DETECT = "main", "detect"
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
    """Publish a head beside a collection's generations; its folder. Of several at once, the last is in use."""
    folder = collection / HEADS / head.task
    with only_writer(folder):
        building = folder / BUILDING
        shutil.rmtree(building, ignore_errors=True)
        published = folder / f"{_last_number(folder) + 1:06d}"
        try:
            _write(head, building)
            settle_folder(building, published)
        except OSError:
            shutil.rmtree(building, ignore_errors=True)
            raise
        head_files.prune(folder)
        with closing(store_of(collection)) as store:
            store.share(folder)
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
    return next(reversed(numbered(collection / HEADS / task)), None)


def _load(folder: Path, task: str, fingerprint: str, way_out: str) -> StoredHead:
    card = _read_card(folder, way_out)
    if card["fingerprint"] != fingerprint:
        raise HeadError(
            f"expected a head trained on vectors of fingerprint {fingerprint[:12]}, found one for "
            f"{card['fingerprint'][:12]} in {folder}; {way_out}"
        )
    state = _read_weights(folder, card, way_out)
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


def train_split(collection: Path, *tasks: str) -> str | None:
    """The split that the head in use for the first of these tasks learned from; None where none is there."""
    for task in tasks:
        with suppress(HeadError):
            return str(_of_newest(collection, task, _read_card)["train_split"])
    return None


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


def _write(head: StoredHead, folder: Path) -> None:
    weights = _pack(head.state)
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(weights)
    (folder / CARD).write_text(sealed.sealed(_content(head, weights), FORMAT_VERSION), encoding="utf-8")


def _content(head: StoredHead, weights: bytes) -> dict[str, Any]:
    return {
        "task": head.task,
        "fingerprint": head.fingerprint,
        "classes": list(head.classes),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        **head.card,
    }


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
    try:
        return head_files.read_card(folder)
    except SealError as error:
        raise HeadError(f"{error}; {way_out}") from error


def _read_weights(folder: Path, card: dict[str, Any], way_out: str) -> dict[str, Tensor]:
    try:
        return dict(load_tensors(head_files.read_weights(folder, card)))
    except SealError as error:
        raise HeadError(f"{error}; {way_out}") from error
    except SafetensorError as error:
        raise HeadError(f"expected a head's weights in {folder / WEIGHTS}, found others; {way_out}") from error


def _pack(state: Mapping[str, Tensor]) -> bytes:
    packed: bytes = save_tensors({name: tensor.contiguous() for name, tensor in state.items()})
    return packed


def _way_out(collection: Path, task: str) -> str:
    flag = " --task detect" if task == DETECT else ""
    return f"train one: python -m localizer train --collection {collection}{flag}"


def _last_number(folder: Path) -> int:
    return max((int(path.name) for path in numbered(folder)), default=0)

"""Where a backbone's weights come from: a file, torch's cache, a download, or a Python package."""

import hashlib
import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlparse

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from indexer import downloads
from indexer.errors import DownloadError, WeightsError

StateDict = Mapping[str, torch.Tensor]

# What reading junk ends in: torch's unpickler takes each byte for an instruction, until one makes no sense.
_UNREADABLE = (
    OSError, RuntimeError, ValueError, EOFError, LookupError, TypeError, AttributeError, AssertionError,
    pickle.UnpicklingError, SafetensorError,
)  # fmt: skip


def read_file(path: Path) -> StateDict:
    """A state dict from `.safetensors`, or from a file of `torch.save` (read without running any code in it).

    Raises:
        WeightsError: no such file, damaged, or something else than a dict of tensors.
    """
    if not path.is_file():
        raise WeightsError(f"expected a file of weights at {path}, found none; check --weights")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"expected a state dict in {path}, found a file that cannot be read ({reason})"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"expected a state dict (names to tensors) in {path}, found {type(state).__name__}")
    return state


def from_hub(url: str, download: Callable[[], StateDict], ways_out: str) -> StateDict:
    """The weights of `url` from torch's cache, else by `download`, which checks them.

    Raises:
        WeightsError: neither cached nor reachable; the message ends in `ways_out`.
    """
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    if cached.is_file():
        return read_file(cached)
    try:
        downloads.check_reachable(url)
        return download()
    except (DownloadError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"expected weights at {cached} or from {url}, found neither ({error}); {ways_out}"
        ) from error


def digest(state: StateDict) -> str:
    """SHA-256 over names, shapes, types and bytes of the tensors, in the order of their names."""
    whole = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        whole.update(json.dumps([name, list(tensor.shape), str(tensor.dtype)]).encode())
        whole.update(tensor.flatten().view(torch.uint8).numpy().data)
    return whole.hexdigest()

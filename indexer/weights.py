"""Where a backbone's weights come from: a file, torch's cache, a download, or a Python package."""

import hashlib
import json
import pickle
from collections.abc import Mapping
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


def read_checked(path: Path, sha256: str) -> StateDict:
    """A state dict from a file that is read only if its SHA-256 begins with the hexadecimal digits `sha256`.

    Raises:
        WeightsError: as of `read_file`; or other bytes than those expected.
    """
    if path.is_file():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(sha256):
            raise WeightsError(
                f"expected weights of SHA-256 {sha256} in {path}, found {found}: the file was changed or damaged; "
                "delete it, and install or download it again"
            )
    return read_file(path)


def from_hub(url: str, ways_out: str) -> StateDict:
    """The weights of `url` from torch's cache, where they are downloaded to if need be.

    Their file's name ends in the first eight digits of its SHA-256, as torch.hub has it. That tells damage; that
    nobody else answers for the host is for TLS to see to, and that no code in the file is run for `read_file`.

    Raises:
        WeightsError: neither cached nor reachable (the message ends in `ways_out`), or of another checksum; or
            this user has no home folder for the cache.
    """
    folder = Path(torch.hub.get_dir())
    if folder.parts[0] == "~":  # which nobody knows the meaning of
        raise WeightsError(
            f"expected a home folder to keep the weights of {url} in, found none; set TORCH_HOME to a folder; "
            f"{ways_out}"
        )
    cached = folder / "checkpoints" / Path(urlparse(url).path).name
    sha256 = cached.stem.rpartition("-")[2]
    if not cached.is_file():
        _download(url, cached, sha256, ways_out)
    return read_checked(cached, sha256)


def _download(url: str, into: Path, sha256: str, ways_out: str) -> None:
    """Put the file of `url` in its place once all of it is there and has that checksum; else keep nothing."""
    try:
        downloads.check_reachable(url)
        into.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(into), hash_prefix=sha256)
    except RuntimeError as error:  # what torch.hub says of another checksum
        raise WeightsError(
            f"expected weights of SHA-256 {sha256} from {url}, found others ({error}), not kept; {ways_out}"
        ) from error
    except (DownloadError, OSError) as error:
        raise WeightsError(
            f"expected weights at {into} or from {url}, found neither ({error}); {ways_out}"
        ) from error


def digest(state: StateDict) -> str:
    """SHA-256 over names, shapes, types and bytes of the tensors, in the order of their names."""
    whole = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        whole.update(json.dumps([name, list(tensor.shape), str(tensor.dtype)]).encode())
        whole.update(tensor.flatten().view(torch.uint8).numpy().data)
    return whole.hexdigest()

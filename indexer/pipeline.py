"""Picture files -> batches of network input: read, decoded and squashed by threads, ahead of who takes them."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer import images
from indexer.embedder import Embedder
from indexer.errors import ImageError
from indexer.manifest import file_sha256
from indexer.records import Box

_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A file, the sha256 it had when it was listed, and the part of its picture that is meant; None for all."""

    path: Path
    sha256: str
    box: Box | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One picture ready for the network: (side, side, 3) uint8, and its own size in pixels."""

    pixels: NDArray[np.uint8]
    width: int
    height: int


def prepare_batches(
    batches: Sequence[Sequence[PictureFile]], embedder: Embedder
) -> Iterator[list[tuple[PictureFile, Prepared | ImageError]]]:
    """Each batch in turn, with an error in the place of a picture that cannot be decoded."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        ahead: deque[list[tuple[PictureFile, Future[Prepared | ImageError]]]] = deque()
        for batch in batches:
            ahead.append([(file, threads.submit(_prepare, file, embedder)) for file in batch])
            if len(ahead) > _BATCHES_AHEAD:
                yield [(file, future.result()) for file, future in ahead.popleft()]
        while ahead:
            yield [(file, future.result()) for file, future in ahead.popleft()]


def sha256_of_files(paths: Sequence[Path]) -> Iterator[str | OSError]:
    """The sha256 of each file, in order, or why it cannot be read."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(_sha256, paths)


def _sha256(path: Path) -> str | OSError:
    try:
        return file_sha256(path)
    except OSError as error:
        return error


def _prepare(file: PictureFile, embedder: Embedder) -> Prepared | ImageError:
    try:
        data = file.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != file.sha256:
            return ImageError("the file changed while it was being indexed; build again")
        picture = images.decode(data, embedder.side, file.box)
    except ImageError as error:
        return error
    except OSError as error:
        return ImageError(f"the file cannot be read ({error.strerror})")
    return Prepared(embedder.pixels(picture), picture.width, picture.height)

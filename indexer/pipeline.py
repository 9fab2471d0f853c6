"""Picture files -> embedded pieces of them: decoding, inference and what comes after, all at the same time."""

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer import images, inference
from indexer.embedder import Embedder
from indexer.errors import ImageError
from indexer.memory import ran_out
from indexer.records import Box

DECODING, INFERENCE, WRITING = STEPS = ("decoding", "inference", "writing")

Embedded = TypeVar("Embedded")
"""What a piece is embedded to."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Done(Generic[Embedded]):
    """A piece that went through.

    Attributes:
        files: of the piece.
        outcomes: for each file, what it was prepared to, or why it could not be.
        embedded: those that could be, in their order; None where there are none.
    """

    files: Sequence[PictureFile]
    outcomes: Sequence[Prepared | ImageError]
    embedded: Embedded | None


class Pipeline(Generic[Embedded]):
    """Decoding, inference and what the taker of the pieces does with them, all at the same time.

    Threads of as many as there are cores decode; as many as the runtime has lanes wait for the pictures of a piece
    and embed it; the taker writes meanwhile. No more pictures than a batch has are on their way, so that memory
    does not grow with their number, and a kill costs no more than that.

    Args:
        embedder: what prepares pictures.
        embed: the pixels of a piece -> its embedding.
    """

    def __init__(self, embedder: Embedder, embed: Callable[[Sequence[NDArray[np.uint8]]], Embedded]) -> None:
        self._embedder = embedder
        self._embed = embed
        self._lock = threading.Lock()
        self._seconds = dict.fromkeys(STEPS, 0.0)

    @property
    def limit(self) -> str:
        """The one of `STEPS` that the others wait for most."""
        return max(STEPS, key=lambda step: self._seconds[step])

    def run(self, pieces: Sequence[Sequence[PictureFile]]) -> Iterator[Done[Embedded]]:
        """Each piece in turn; the taker is done with one when it asks for the next."""
        if not pieces:
            return
        lanes = self._embedder.runtime.lanes
        with ThreadPoolExecutor(os.cpu_count()) as decoders, ThreadPoolExecutor(lanes) as embedders:
            ahead: deque[Future[Done[Embedded]]] = deque()
            try:
                room = inference.BATCH
                for piece in pieces:
                    while ahead and room < len(piece):
                        done = ahead.popleft()
                        yield from self._hand_over(done)
                        room += len(done.result().files)
                    room -= len(piece)
                    futures = [decoders.submit(_prepare, file, self._embedder) for file in piece]
                    ahead.append(embedders.submit(self._embed_piece, piece, futures, lanes))
                while ahead:
                    yield from self._hand_over(ahead.popleft())
            finally:
                for executor in (decoders, embedders):
                    executor.shutdown(wait=False, cancel_futures=True)

    def _embed_piece(
        self, files: Sequence[PictureFile], futures: Sequence[Future[Prepared | ImageError]], lanes: int
    ) -> Done[Embedded]:
        started = time.perf_counter()
        outcomes = [future.result() for future in futures]
        decoded = time.perf_counter()
        pixels = [one.pixels for one in outcomes if isinstance(one, Prepared)]
        embedded = self._embed(pixels) if pixels else None
        self._spend(DECODING, (decoded - started) / lanes)
        self._spend(INFERENCE, (time.perf_counter() - decoded) / lanes)
        return Done(files, outcomes, embedded)

    def _hand_over(self, future: Future[Done[Embedded]]) -> Iterator[Done[Embedded]]:
        done = future.result()
        started = time.perf_counter()
        yield done
        self._spend(WRITING, time.perf_counter() - started)

    def _spend(self, step: str, seconds: float) -> None:
        with self._lock:
            self._seconds[step] += seconds


def _prepare(file: PictureFile, embedder: Embedder) -> Prepared | ImageError:
    try:
        data = file.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != file.sha256:
            return ImageError("the file changed while it was being indexed; build again")
        picture = images.decode(data, embedder.side, file.box)
    except ImageError as error:
        return error
    except OSError as error:
        if ran_out(error):
            raise
        return ImageError(f"the file cannot be read ({error.strerror})")
    return Prepared(embedder.pixels(picture), picture.width, picture.height)

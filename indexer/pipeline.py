"""Picture files -> embedded pieces of them: decoding, inference and what comes after, all at the same time."""

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer import images, inference
from indexer.embedder import Embedder
from indexer.errors import ImageError
from indexer.memory import ran_out
from indexer.records import Box

DECODING, INFERENCE, WRITING = STEPS = ("decoding", "inference", "writing")

Pixels = NDArray[np.uint8]
Embedded = TypeVar("Embedded")
"""What a piece is embedded to."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture's file, or a part of it.

    Attributes:
        path: of the file.
        sha256: that the file had when it was listed; empty where it does not matter whether it changed since.
        box: the part of the picture that is meant; None for all.
    """

    path: Path
    sha256: str = ""
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """Of a picture, in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """One picture ready for the network: (side, side, 3) uint8, and its own size."""

    pixels: Pixels
    size: Size


@dataclass(frozen=True, slots=True, eq=False)
class Done(Generic[Embedded]):
    """A piece that went through.

    Attributes:
        files: of the piece.
        outcomes: for each file, the size of its picture, or why it could not be decoded.
        embedded: those that could be, in their order; None where there are none.
        seconds: step -> how long the piece was in it.
    """

    files: Sequence[PictureFile]
    outcomes: Sequence[Size | ImageError]
    embedded: Embedded | None
    seconds: Mapping[str, float]


class Pieces(Protocol[Embedded]):
    """What embeds pieces, here or elsewhere.

    Attributes:
        limit: the one of `STEPS` that the others wait for most.
    """

    @property
    def limit(self) -> str: ...  # noqa: D102 - above

    def run(self, pieces: Sequence[Sequence[PictureFile]]) -> Iterator[Done[Embedded]]:
        """Each piece once, in any order; the taker is done with one when it asks for the next."""
        ...


class Clock:
    """How long each of `STEPS` took, summed over pieces."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(STEPS, 0.0)

    @property
    def limit(self) -> str:
        """The step that took longest."""
        return max(STEPS, key=lambda step: self._seconds[step])

    def hand_over(self, done: Done[Embedded], at_once: int) -> Iterator[Done[Embedded]]:
        """Yield a piece, and count how long it took: before, where so many were embedded at once, and now."""
        for step, seconds in done.seconds.items():
            self._seconds[step] += seconds / at_once
        started = time.perf_counter()
        yield done
        self._seconds[WRITING] += time.perf_counter() - started


class PieceEmbedder(Generic[Embedded]):
    """Decodes the pictures of a piece, on all cores, and embeds them; from any thread.

    Args:
        embedder: what prepares pictures.
        embed: the pixels of a piece -> its embedding.
    """

    def __init__(self, embedder: Embedder, embed: Callable[[Sequence[Pixels]], Embedded]) -> None:
        self._embedder = embedder
        self._embed = embed
        self._decoders = ThreadPoolExecutor(os.cpu_count())

    def decode(self, files: Sequence[PictureFile]) -> list[Future[_Prepared | ImageError]]:
        """Begin to decode; what comes of it is for `embed`."""
        return [self._decoders.submit(_prepare, file, self._embedder) for file in files]

    def embed(
        self, files: Sequence[PictureFile], decoding: Sequence[Future[_Prepared | ImageError]]
    ) -> Done[Embedded]:
        """Wait for the pictures, and embed them."""
        started = time.perf_counter()
        prepared = [future.result() for future in decoding]
        decoded = time.perf_counter()
        pixels = [one.pixels for one in prepared if isinstance(one, _Prepared)]
        embedded = self._embed(pixels) if pixels else None
        seconds = {DECODING: decoded - started, INFERENCE: time.perf_counter() - decoded}
        outcomes = [one.size if isinstance(one, _Prepared) else one for one in prepared]
        return Done(files, outcomes, embedded, seconds)

    def close(self) -> None:
        """Begin no more of what was asked for."""
        self._decoders.shutdown(wait=False, cancel_futures=True)


class Pipeline(Generic[Embedded]):
    """Decoding, inference and what the taker of the pieces does with them, all at the same time.

    Threads of as many as there are cores decode; as many as the runtime has lanes wait for the pictures of a piece
    and embed it; the taker writes meanwhile. No more pictures than a batch has are on their way, so that memory
    does not grow with their number, and a kill costs no more than that.

    Args:
        embedder: what prepares pictures.
        embed: the pixels of a piece -> its embedding.
    """

    def __init__(self, embedder: Embedder, embed: Callable[[Sequence[Pixels]], Embedded]) -> None:
        self._embedder = embedder
        self._embed = embed
        self._clock = Clock()

    @property
    def limit(self) -> str:
        """See `Pieces`."""
        return self._clock.limit

    def run(self, pieces: Sequence[Sequence[PictureFile]]) -> Iterator[Done[Embedded]]:
        """See `Pieces`; these come in their order."""
        if not pieces:
            return
        lanes = self._embedder.runtime.lanes
        worker = PieceEmbedder(self._embedder, self._embed)
        with ThreadPoolExecutor(lanes) as embedders:
            ahead: deque[Future[Done[Embedded]]] = deque()
            try:
                room = inference.BATCH
                for piece in pieces:
                    while ahead and room < len(piece):
                        done = ahead.popleft().result()
                        yield from self._clock.hand_over(done, lanes)
                        room += len(done.files)
                    room -= len(piece)
                    ahead.append(embedders.submit(worker.embed, piece, worker.decode(piece)))
                while ahead:
                    yield from self._clock.hand_over(ahead.popleft().result(), lanes)
            finally:
                worker.close()
                embedders.shutdown(wait=False, cancel_futures=True)


def _prepare(file: PictureFile, embedder: Embedder) -> _Prepared | ImageError:
    try:
        data = file.path.read_bytes()
        if file.sha256 and hashlib.sha256(data).hexdigest() != file.sha256:
            return ImageError("the file changed while it was being indexed; build again")
        picture = images.decode(data, embedder.side, file.box)
    except ImageError as error:
        return error
    except OSError as error:
        if ran_out(error):
            raise
        return ImageError(f"the file cannot be read ({error.strerror})")
    return _Prepared(embedder.pixels(picture), Size(picture.width, picture.height))

"""Embedding spread over a Ray cluster with Ray Data."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import ray
import ray.data
from numpy.typing import NDArray
from ray.data import ActorPoolStrategy, ExecutionResources
from ray.exceptions import RayError, RayTaskError

from indexer.embedder import Embedder, EmbeddingStep
from indexer.errors import DatasetError, ImageError, InferenceError, LookalikeError
from indexer.inference import BATCH, CUDA, PIECE
from indexer.pipeline import Clock, Done, PictureFile, PieceEmbedder
from indexer.ray_cluster import Cluster, lost
from indexer.reduction import Embedding, RawEmbedding

_AT_ONCE = BATCH // PIECE  # pieces in an actor, as in a pipeline of this process
_WAITING = 2  # more of them sent to it, so that it need not wait for the driver
_ON_THEIR_WAY = 64 << 20  # bytes of results of an actor that may lie about; above it, it waits for the driver

_Embedded = RawEmbedding | Embedding


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is sent to an actor: the files of a piece, and its place in the list of all."""

    place: int
    files: Sequence[PictureFile]


@dataclass(frozen=True, slots=True, eq=False)
class _Result:
    """What an actor sends back; the files stay behind."""

    place: int
    done: Done[_Embedded]


class RayPipeline:
    """See `Pieces`. Pieces come in the order in which they are done.

    Each actor does what `Pipeline` does in this process, with as many pieces at once, so that results are the same
    to the bit on machines that are alike. One that dies is started again, wherever there is room, and its pieces
    are embedded again. Where the taker is slow, the actors wait.

    Args:
        cluster: where to embed.
        step: what is to be done with each piece.
    """

    def __init__(self, cluster: Cluster, step: EmbeddingStep) -> None:
        self._cluster = cluster
        self._step = step
        self._clock = Clock()

    @property
    def limit(self) -> str:
        """See `Pieces`."""
        return self._clock.limit

    def run(self, pieces: Sequence[Sequence[PictureFile]]) -> Iterator[Done[_Embedded]]:
        """See `Pieces`.

        Raises:
            InferenceError: no cluster can be reached, it was lost, or an actor cannot run the backbone as here.
            DatasetError: an actor does not see the pictures' folder.
        """
        if not pieces:
            return
        actors = min(self._cluster.join(), len(pieces))
        left = dict(enumerate(pieces))
        for one in _results(self._dataset(pieces, actors)):
            files = left.pop(one.place, None)
            if files is not None:  # else it came twice
                yield from self._clock.hand_over(replace(one.done, files=files), actors * _AT_ONCE)
        if left:
            raise InferenceError(
                f"expected {len(pieces)} pieces from the Ray cluster, lacking {len(left)}; run again"
            )

    def _dataset(self, pieces: Sequence[Sequence[PictureFile]], actors: int) -> ray.data.Dataset:
        embedder = self._step.embedder
        # Settled: what is "auto" here may be something else there. And without a runtime, which cannot be sent.
        settled = Embedder(embedder.backbone, embedder.inference, bulk=True)
        items = [{"piece": _Piece(place, tuple(files))} for place, files in enumerate(pieces)]
        dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Worker,
            fn_constructor_args=[ray.put(replace(self._step, embedder=settled))],
            batch_size=1,
            batch_format="numpy",
            num_cpus=1,  # logical ones, so that a node that is left has room for the actors of one that is lost
            num_gpus=1 if embedder.inference.device == CUDA else None,
            compute=ActorPoolStrategy(
                size=actors,
                max_tasks_in_flight_per_actor=_AT_ONCE + _WAITING,
                max_concurrent_calls_per_actor=_AT_ONCE,
                enable_true_multi_threading=True,
            ),
        )  # Ray Data starts actors again, and tries their tasks again, without end
        _settle(dataset.context, actors)
        return dataset


class _Worker:
    """An actor: embeds pieces as they come, a few at once.

    Args:
        step: a reference to what is to be done with each.
    """

    def __init__(self, step: "ray.ObjectRef[EmbeddingStep]") -> None:
        done: EmbeddingStep = ray.get(step)
        self._embedder = done.embedder
        self._pieces = PieceEmbedder(done.embedder, done)
        self._alone = threading.Lock()

    def __call__(self, batch: Mapping[str, NDArray[np.object_]]) -> dict[str, NDArray[np.object_]]:
        """Embed the one piece in a batch."""
        [piece] = batch["piece"]
        with self._alone:
            # Not when the actor is made: Ray tells why a task failed, of an actor only that it did.
            _ = self._embedder.runtime
        done = self._pieces.embed(piece.files, self._pieces.decode(piece.files))
        if any(isinstance(one, ImageError) for one in done.outcomes):
            _check_folder(piece.files[0])
        column = np.empty(1, dtype=object)
        column[0] = _Result(piece.place, replace(done, files=()))
        return {"piece": column}


def _results(dataset: ray.data.Dataset) -> Iterator[_Result]:
    try:
        for row in dataset.iter_rows():
            yield row["piece"]
    except RayTaskError as error:  # of an actor: what it met is told as if it had been met here
        if isinstance(error.cause, LookalikeError):  # one line, to which Ray adds others
            raise type(error.cause)(str(error.cause).splitlines()[0]) from None
        raise error.cause from None
    except RayError as error:
        raise lost(error) from error


def _settle(context: ray.data.DataContext, actors: int) -> None:
    """Say nothing, raise what was raised there, lose nothing, and keep within bounds."""
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.raise_original_map_exception = True
    context.max_errored_blocks = 0
    store = ExecutionResources.for_limits(object_store_memory=actors * _ON_THEIR_WAY)
    context.execution_options.resource_limits = store


def _check_folder(file: PictureFile) -> None:
    if not file.path.parent.is_dir():
        raise DatasetError(
            f"expected the folder {file.path.parent} on {socket.gethostname()}, as where the build was started, "
            "found none; let all nodes of the Ray cluster see the devkit at one path"
        )

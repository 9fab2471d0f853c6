"""Where pictures are embedded: in this process, or spread over a Ray cluster."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec

from indexer.embedder import EmbeddingStep
from indexer.engine_settings import LOCAL, Engine
from indexer.errors import InferenceError
from indexer.pipeline import Pieces, Pipeline
from indexer.reduction import Embedding, RawEmbedding

MakePieces = Callable[[EmbeddingStep], Pieces[RawEmbedding | Embedding]]
"""What is to be done with each piece -> what does it."""


def local(step: EmbeddingStep) -> Pieces[RawEmbedding | Embedding]:
    """Embeds here."""
    return Pipeline(step.embedder, step)


@contextmanager
def opened(engine: Engine) -> Iterator[MakePieces]:
    """What an engine embeds with; a cluster is connected to once there is something to embed, and left at the end.

    Raises:
        InferenceError: Ray is asked for, and not installed.
    """
    if engine.name == LOCAL:
        yield local
        return
    if find_spec("ray") is None:
        raise InferenceError("expected ray to be installed for --engine ray, found none; pip install '.[ray]'")
    # Ray takes two seconds to import, and is an extra.
    pipelines = importlib.import_module("indexer.ray_pipeline")
    with pipelines.Cluster(engine) as cluster:
        yield partial(pipelines.RayPipeline, cluster)

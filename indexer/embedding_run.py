"""Embedding what a plan wants, into the staging folder; learns the reduction on the way where none is given."""

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from indexer.build_settings import BuildSettings
from indexer.embedder import Embedder
from indexer.errors import ImageError
from indexer.pipeline import PictureFile, Prepared, prepare_batches
from indexer.reduction import MAX_PICTURES, VECTOR_DIM, Embedding, RawEmbedding, Reduction
from indexer.staging import StagedBatch, Staging

BATCH = 32  # pictures; what a kill can cost

logger = logging.getLogger(__name__)


class EmbeddingRun:
    """One pass over the wanted pictures.

    Batches are cut from the list of all that was wanted at the beginning, not of what is left of it, so that a
    run that takes up a killed one embeds the same batches, and its results are the same to the bit.

    Attributes:
        resumed: how many pictures an earlier, killed run had embedded already.
        failures: sha256 -> why that picture could not be embedded.
    """

    def __init__(
        self, embedder: Embedder, staging: Staging, wanted: Mapping[str, Path], settings: BuildSettings
    ) -> None:
        self._embedder = embedder
        self._staging = staging
        self._wanted = wanted
        self._keep_maps = settings.keep_maps
        self.resumed = len(staging.known().intersection(wanted))
        self.failures: dict[str, str] = {}
        self._progress = tqdm(
            total=len(wanted),
            initial=self.resumed,
            unit=" pictures",
            desc="Embedding",
            disable=settings.quiet or not wanted or None,
        )

    def embed_all(self, reduction: Reduction | None) -> Reduction:
        """Embed everything that is wanted; with `reduction`, or with one learned from the first pictures.

        The first are those of the least sha256, which is as good as drawn by lot and the same in every run.
        """
        wanted = list(self._wanted)
        with self._progress:
            if reduction is None:
                reduction = self._learn_from(wanted[:MAX_PICTURES])
            for batch in self._staging.raw_batches():
                raw = RawEmbedding(batch.rows, batch.maps)
                self._staging.put(StagedBatch.of(batch.sha256s, batch.sizes, reduction.reduce(raw)))
                self._staging.drop_raw(batch)
            self._embed(wanted, lambda pixels: self._embedder.embed(pixels, reduction, keep_maps=self._keep_maps))
        return reduction

    def _learn_from(self, sha256s: Sequence[str]) -> Reduction:
        settled = self._staging.load_reduction()
        if settled is not None:
            return settled
        self._embed(sha256s, lambda pixels: self._embedder.embed_raw(pixels, keep_maps=self._keep_maps))
        # scikit-learn takes a second to import; only a first build needs it.
        learning = importlib.import_module("indexer.reduction_learning")
        reduction: Reduction = learning.learn_from_batches(self._staging.raw_batches(), sha256s)
        if reduction.vector is None or len(reduction.vector.axes) < VECTOR_DIM:
            logger.warning(
                "The reduction was learned from only %d pictures, so vectors are short; "
                "build with --from-scratch once there are more",
                reduction.pictures,
            )
        self._staging.save_reduction(reduction)
        return reduction

    def _embed(self, sha256s: Sequence[str], embed: Callable[..., RawEmbedding | Embedding]) -> None:
        done_with = self._staging.known().union(self.failures)
        chunks = [sha256s[start : start + BATCH] for start in range(0, len(sha256s), BATCH)]
        missing = [
            [PictureFile(self._wanted[sha], sha) for sha in chunk if sha not in done_with] for chunk in chunks
        ]
        for results in prepare_batches([files for files in missing if files], self._embedder):
            self._note_failures(results)
            prepared = [(file.sha256, item) for file, item in results if isinstance(item, Prepared)]
            if prepared:
                done = embed([item.pixels for _, item in prepared])
                sizes = np.array([(item.width, item.height) for _, item in prepared], dtype=np.int32)
                batch = StagedBatch.of([sha for sha, _ in prepared], sizes, done)
                (self._staging.put_raw if isinstance(done, RawEmbedding) else self._staging.put)(batch)
            self._progress.update(len(results))

    def _note_failures(self, results: Sequence[tuple[PictureFile, Prepared | ImageError]]) -> None:
        for file, item in results:
            if isinstance(item, ImageError):
                self.failures[file.sha256] = str(item)

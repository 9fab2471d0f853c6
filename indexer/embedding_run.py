"""Embedding what a plan wants, into the staging folder; learns the reduction on the way where none is given."""

import importlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from indexer import inference
from indexer.embedder import EmbeddingStep
from indexer.engines import MakePieces, local
from indexer.errors import ImageError
from indexer.pipeline import Done, PictureFile, Size
from indexer.reduction import MAX_PICTURES, VECTOR_DIM, Embedding, RawEmbedding, Reduction
from indexer.staging import StagedPiece, Staging

logger = logging.getLogger(__name__)


class EmbeddingRun:
    """One pass over the wanted pictures.

    Pieces are cut from the list of all that was wanted at the beginning, not of what is left of it, so that a
    run that takes up a killed one embeds the same pieces, and its results are the same to the bit.

    Args:
        step: what is done with pictures, but for the reduction.
        staging: what is embedded goes there.
        wanted: key -> file, or part of one, to be embedded; a whole file's key is its sha256.
        unit: what the progress line counts; None for no such line.
        make_pieces: what makes that which embeds them; see `engines`.

    Attributes:
        resumed: how many an earlier, killed run had embedded already.
        failures: key -> why that picture could not be embedded.
    """

    def __init__(
        self,
        step: EmbeddingStep,
        staging: Staging,
        wanted: Mapping[str, PictureFile],
        *,
        unit: str | None,
        make_pieces: MakePieces = local,
    ) -> None:
        self._step = step
        self._staging = staging
        self._wanted = wanted
        self._keys = {file: key for key, file in wanted.items()}
        self._make_pieces = make_pieces
        self.resumed = len(staging.known().intersection(wanted))
        self.failures: dict[str, str] = {}
        self._progress = tqdm(
            total=len(wanted),
            initial=self.resumed,
            unit=f" {unit}",
            desc="Embedding",
            disable=unit is None or not wanted or None,
        )

    def embed_all(self, reduction: Reduction | None) -> Reduction:
        """Embed everything that is wanted; with `reduction`, or with one learned from the first pictures.

        The first are those of the least sha256, which is as good as drawn by lot and the same in every run.
        """
        wanted = list(self._wanted)
        with self._progress:
            if reduction is None:
                reduction = self._learn_from(wanted[:MAX_PICTURES])
            self._staging.reduce_raw(reduction)
            self._embed(wanted, reduction)
        return reduction

    def _learn_from(self, sha256s: Sequence[str]) -> Reduction:
        settled = self._staging.load_reduction()
        if settled is not None:
            return settled
        self._embed(sha256s, None)
        # scikit-learn takes a second to import; only a first build needs it.
        learning = importlib.import_module("indexer.reduction_learning")
        reduction: Reduction = learning.learn_from_pieces(self._staging.raw_pieces(), sha256s)
        if reduction.vector is None or len(reduction.vector.axes) < VECTOR_DIM:
            logger.warning(
                "The reduction was learned from only %d pictures, so vectors are short; "
                "build with --from-scratch once there are more",
                reduction.pictures,
            )
        self._staging.save_reduction(reduction)
        return reduction

    def _embed(self, keys: Sequence[str], reduction: Reduction | None) -> None:
        done_with = self._staging.known().union(self.failures)
        size = inference.PIECE
        pieces = [keys[start : start + size] for start in range(0, len(keys), size)]
        missing = [[self._wanted[key] for key in piece if key not in done_with] for piece in pieces]
        engine = self._make_pieces(replace(self._step, reduction=reduction))
        for done in engine.run([piece for piece in missing if piece]):
            self._take(done)
            self._progress.set_postfix_str(f"limited by {engine.limit}", refresh=False)
            self._progress.update(len(done.files))

    def _take(self, done: Done[RawEmbedding | Embedding]) -> None:
        outcomes = {self._keys[file]: item for file, item in zip(done.files, done.outcomes, strict=True)}
        self.failures |= {key: str(item) for key, item in outcomes.items() if isinstance(item, ImageError)}
        if done.embedded is None:
            return
        sizes = {key: item for key, item in outcomes.items() if isinstance(item, Size)}
        widths_heights = np.array([(item.width, item.height) for item in sizes.values()], dtype=np.int32)
        staged = StagedPiece.of(list(sizes), widths_heights, done.embedded)
        (self._staging.put_raw if isinstance(done.embedded, RawEmbedding) else self._staging.put)(staged)

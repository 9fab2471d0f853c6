"""The vectors of annotated objects: the crop of each, embedded as a whole picture is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from indexer import voc
from indexer.build_settings import BuildSettings
from indexer.embedder import Embedder, EmbeddingStep
from indexer.embedding_run import EmbeddingRun
from indexer.engines import MakePieces
from indexer.held import Held
from indexer.layout import BUILDING
from indexer.pipeline import PictureFile
from indexer.records import IndexedImage
from indexer.reduction import Floats, Reduction
from indexer.row_checksums import object_key, object_keys
from indexer.staging import Staging


class ObjectEmbedding:
    """One pass over the objects of a generation to be; crops that the published one holds are not embedded again.

    Args:
        embedder: what to embed with.
        carried: the published generation, where its vectors compare with those to be made.
        make_pieces: see `EmbeddingRun`.
    """

    def __init__(self, embedder: Embedder, carried: Held | None, make_pieces: MakePieces) -> None:
        self._embedder = embedder
        self._make_pieces = make_pieces
        self._known = carried.object_vectors() if carried else {}

    def embed(
        self, images: Sequence[IndexedImage], settings: BuildSettings, reduction: Reduction
    ) -> dict[str, str]:
        """Embed the objects of these images; sha256 of the pictures whose files are gone or changed -> why."""
        root = voc.find_root(settings.voc_root)
        wanted = {
            object_key(image, label.box): PictureFile(
                voc.picture_path(root, image.filename), image.sha256, label.box
            )
            for image in images
            for label in image.objects
        }  # in the order of object ids, but for twins, which share a crop
        missing = {key: file for key, file in sorted(wanted.items()) if key not in self._known}
        staging = Staging(staging_folder(settings.collection), f"{self._embedder.key} {reduction.digest()}")
        unit = None if settings.quiet else "objects"
        step = EmbeddingStep(self._embedder, keep_maps=False)
        run = EmbeddingRun(step, staging, missing, unit=unit, make_pieces=self._make_pieces)
        run.embed_all(reduction)
        for piece in staging.pieces():
            self._known |= dict(zip(piece.keys, piece.rows, strict=True))
        return {missing[key].sha256: reason for key, reason in run.failures.items()}

    def vectors(self, images: Sequence[IndexedImage], dim: int) -> Floats:
        """(number of objects, dim) float32 unit rows of images whose objects are embedded; row = object id."""
        keys = object_keys(images)
        rows = np.empty((len(keys), dim), dtype=np.float32)
        for row, key in zip(rows, keys, strict=True):
            row[:] = self._known[key]
        return rows


def staging_folder(collection_path: Path) -> Path:
    """Where objects are staged; to be deleted once the build is done."""
    return collection_path / BUILDING / "objects"

"""The vectors of annotated objects: the crop of each, embedded as a whole picture is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from indexer import voc
from indexer.build_settings import BuildSettings
from indexer.embedder import Embedder, EmbeddingStep
from indexer.embedding_run import EmbeddingRun
from indexer.engines import MakePieces
from indexer.errors import DatasetError
from indexer.held import Held
from indexer.layout import BUILDING
from indexer.pipeline import PictureFile
from indexer.records import Box, IndexedImage
from indexer.reduction import Floats, Reduction
from indexer.row_checksums import object_key, object_keys
from indexer.staging import Staging


class ObjectEmbedding:
    """One pass over the objects of a generation to be; crops that the published one holds are not embedded again.

    Args:
        images: of the generation to be, by image id.
        embedder: what to embed with.
        carried: the published generation, where its vectors compare with those to be made.
        make_pieces: see `EmbeddingRun`.
    """

    def __init__(
        self,
        images: Sequence[IndexedImage],
        embedder: Embedder,
        carried: Held | None,
        make_pieces: MakePieces,
    ) -> None:
        self._embedder = embedder
        self._make_pieces = make_pieces
        self._files = {
            object_key(image, label.box): (image, label.box) for image in images for label in image.objects
        }  # in the order of object ids, but for twins, which share a crop
        self._keys = object_keys(images)
        self._held = carried.object_vectors() if carried else {}

    def vectors(self, settings: BuildSettings, reduction: Reduction, dim: int) -> Floats:
        """(number of objects, dim) float32 unit rows; row = object id.

        Raises:
            DatasetError: a picture changed since it was embedded as a whole.
        """
        root = voc.find_root(settings.voc_root)
        wanted = {key: _part(root, *file) for key, file in sorted(self._files.items()) if key not in self._held}
        staging = Staging(staging_folder(settings.collection), f"{self._embedder.key} {reduction.digest()}")
        unit = None if settings.quiet else "objects"
        step = EmbeddingStep(self._embedder, keep_maps=False)
        run = EmbeddingRun(step, staging, wanted, unit=unit, make_pieces=self._make_pieces)
        run.embed_all(reduction)
        for key, reason in run.failures.items():
            raise DatasetError(f"an object of {self._files[key][0].filename} cannot be embedded: {reason}")
        known = dict(self._held)
        for piece in staging.pieces():
            known |= dict(zip(piece.keys, piece.rows, strict=True))
        rows = np.empty((len(self._keys), dim), dtype=np.float32)
        for row, key in zip(rows, self._keys, strict=True):
            row[:] = known[key]
        return rows


def staging_folder(collection_path: Path) -> Path:
    """Where objects are staged; to be deleted once the build is done."""
    return collection_path / BUILDING / "objects"


def _part(root: Path, image: IndexedImage, box: Box) -> PictureFile:
    return PictureFile(voc.picture_path(root, image.filename), image.sha256, box)

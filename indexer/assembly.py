"""Putting a generation together: rows kept from the published one, and rows from the staging folder."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from indexer import images, voc
from indexer.annotated_boxes import fit_objects
from indexer.errors import ImageError
from indexer.held import Held
from indexer.maps_file import MapsFile
from indexer.plan import Plan
from indexer.records import PICTURE, IndexedImage, Notice
from indexer.reduction import Floats
from indexer.staging import Staging


class Assembly:
    """The rows of a new generation.

    Args:
        plan: what there is to be.
        failures: sha256 of the pictures that cannot be embedded -> why.
        staging: of those that were embedded for it.
        published: the generation whose rows are kept.
        root: of the devkit.
        annotated_frame: see `fit_objects`.

    Attributes:
        images: by image id, from 0 without gaps.
        notices: pictures that could not be embedded, and objects that do not fit their picture as they stand.
    """

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        plan: Plan,
        failures: Mapping[str, str],
        staging: Staging,
        published: Held | None,
        *,
        root: Path,
        annotated_frame: str,
    ) -> None:
        self._staging = staging
        self._published = published
        self._staged = {
            sha256: (row, int(width), int(height))
            for piece in staging.pieces(with_maps=False)
            for sha256, row, (width, height) in zip(piece.keys, piece.rows, piece.sizes, strict=True)
        }
        self._kept = plan.kept
        indexed: list[IndexedImage] = []
        self.notices: list[Notice] = []
        for listed, sha256 in plan.listed:
            if sha256 in failures:
                self.notices.append(Notice(PICTURE, listed.filename, failures[sha256]))
                continue
            width, height = self._size(sha256)
            path = voc.picture_path(root, listed.filename)
            objects, notices = fit_objects(listed, width, height, partial(_orientation, path), annotated_frame)
            self.notices += notices
            indexed.append(
                IndexedImage(
                    image_id=len(indexed),
                    filename=listed.filename,
                    sha256=sha256,
                    split=listed.split,
                    width=width,
                    height=height,
                    objects=objects,
                )
            )
        self.images = tuple(indexed)

    def vectors(self) -> Floats:
        """(N, d) float32 unit rows."""
        held = None if self._published is None else self._published.vectors()
        return np.stack(
            [
                held[self._kept[image.sha256].image_id]
                if held is not None and image.sha256 in self._kept
                else self._staged[image.sha256][0]
                for image in self.images
            ]
        )

    def vector_dim(self) -> int:
        """Length of a vector."""
        if self._published is not None:
            return self._published.manifest.vector_dim
        return len(next(iter(self._staged.values()))[0])

    def map_shapes(self) -> dict[str, tuple[int, int, int]]:
        """Stage -> (channels, height, width), where maps are kept."""
        if self._published is not None and self._kept:
            return self._published.manifest.map_shapes
        maps = next(self._staging.pieces()).maps
        return {stage: (one.shape[1], one.shape[2], one.shape[3]) for stage, one in maps.items()}

    def fill_maps(self, files: Mapping[str, MapsFile]) -> None:
        """Write every map into the file of its stage, one picture or piece in memory at a time."""
        for stage, file in files.items():
            self._fill_kept(stage, file)
        rows_of = _rows_by_sha256(image for image in self.images if image.sha256 not in self._kept)
        for piece in self._staging.pieces():
            for stage, staged in piece.maps.items():
                for sha256, one in zip(piece.keys, staged, strict=True):
                    for row in rows_of.get(sha256, []):
                        files[stage].put(row, one)

    def _fill_kept(self, stage: str, file: MapsFile) -> None:
        if self._published is None or not self._kept:
            return
        with self._published.open_maps(stage) as held:
            for image in self.images:
                if image.sha256 in self._kept:
                    file.put(image.image_id, held.get(self._kept[image.sha256].image_id))

    def _size(self, sha256: str) -> tuple[int, int]:
        held = self._kept.get(sha256)
        return (held.width, held.height) if held else self._staged[sha256][1:]


def _orientation(path: Path) -> int:
    """Of the picture in a file that was read in this build; 1 where it cannot be read any more."""
    try:
        return images.stored_frame(path.read_bytes())[0]
    except (ImageError, OSError):
        return 1


def _rows_by_sha256(images: Iterable[IndexedImage]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for image in images:
        rows.setdefault(image.sha256, []).append(image.image_id)
    return rows

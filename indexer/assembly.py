"""Putting a generation together: rows kept from the published one, and rows from the staging folder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from indexer.errors import DatasetError
from indexer.held import Held
from indexer.maps_file import MapsFile
from indexer.plan import Plan
from indexer.records import AnnotatedImage, IndexedImage, SkippedImage
from indexer.reduction import Floats
from indexer.staging import Staging


class Assembly:
    """The rows of a new generation.

    Attributes:
        images: by image id, from 0 without gaps.
        skipped: pictures of the plan that could not be embedded, or whose annotation does not fit them.
    """

    def __init__(self, plan: Plan, failures: Mapping[str, str], staging: Staging, published: Held | None) -> None:
        self._staging = staging
        self._published = published
        self._staged = {
            sha256: (row, int(width), int(height))
            for piece in staging.pieces(with_maps=False)
            for sha256, row, (width, height) in zip(piece.keys, piece.rows, piece.sizes, strict=True)
        }
        self._kept = plan.kept
        images: list[IndexedImage] = []
        skipped: list[SkippedImage] = []
        for annotated, sha256 in plan.listed:
            reason = failures.get(sha256) or self._misfit(annotated, sha256)
            if reason:
                skipped.append(SkippedImage(annotated.filename, reason))
            else:
                images.append(self._indexed(annotated, sha256, len(images)))
        self.images, self.skipped = tuple(images), tuple(skipped)

    def refuse_unusable(self, skipped: Sequence[SkippedImage], *, strict: bool) -> None:
        """Hold that there is something to publish, and with `strict` that nothing was skipped.

        Raises:
            DatasetError: it is not so.
        """
        if skipped and strict:
            raise DatasetError(
                f"expected every picture to be usable, found {len(skipped)} that are not, first "
                f"{skipped[0].filename}: {skipped[0].reason}; mend it, or build without --strict"
            )
        if not self.images:
            raise DatasetError(f"expected usable pictures, found none; {skipped[0].filename}: {skipped[0].reason}")

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

    def _misfit(self, annotated: AnnotatedImage, sha256: str) -> str | None:
        """Why an annotation cannot belong to its picture."""
        width, height = self._size(sha256)
        for place, label in enumerate(annotated.objects, start=1):
            if label.box.clipped(width, height) is None:
                return (
                    f"expected boxes inside the picture of {width} x {height} pixels, found object {place} "
                    f"({label.class_name}) outside; mend its annotation"
                )
        return None

    def _indexed(self, annotated: AnnotatedImage, sha256: str, image_id: int) -> IndexedImage:
        width, height = self._size(sha256)
        clipped = (
            replace(label, box=box) for label in annotated.objects if (box := label.box.clipped(width, height))
        )
        return IndexedImage(
            image_id=image_id,
            filename=annotated.filename,
            sha256=sha256,
            split=annotated.split,
            width=width,
            height=height,
            objects=tuple(clipped),
        )


def _rows_by_sha256(images: Iterable[IndexedImage]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for image in images:
        rows.setdefault(image.sha256, []).append(image.image_id)
    return rows

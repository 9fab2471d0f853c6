"""A folder of pictures -> what is in each, piece by piece."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.errors import DatasetError, ImageError, StorageError
from indexer.images import SUFFIXES
from indexer.inference import PIECE
from indexer.pipeline import PictureFile, Pipeline, Size
from indexer.records import PICTURE, Notice
from indexer.reduction import Embedding
from localizer import exports
from localizer.exports import Source, TaggedPicture
from localizer.predict import Localizer
from localizer.records import Localization


@dataclass(slots=True)
class TagSummary:
    """What was done so far: pictures that were written, objects in them, files and folders that were skipped."""

    pictures: int = 0
    objects: int = 0
    skipped: list[Notice] = field(default_factory=list)


class Tagger:
    """A collection's heads with the embedder that fits them."""

    def __init__(self, collection: Collection, embedder: Embedder) -> None:
        self._localizer = Localizer.open(collection)
        self._embedder = embedder
        self._reduction = collection.reduction

    @property
    def classes(self) -> tuple[str, ...]:
        """All that may be found."""
        return self._localizer.classes

    @property
    def model(self) -> str:
        """What tells these heads from others, in a few words."""
        heads = (f"{task} {digest[:12]}" for task, digest in self._localizer.digests.items())
        return f"Lookalike ({', '.join(heads)})"

    def tag(self, paths: Sequence[Path]) -> Iterator[tuple[Localization, Size] | ImageError]:
        """What is in each picture in turn, and its size; why that is not known where it cannot be decoded."""
        files = [PictureFile(path) for path in paths]
        pieces = [files[start : start + PIECE] for start in range(0, len(files), PIECE)]
        for done in Pipeline(self._embedder, self._embed).run(pieces):
            sizes = [(one.width, one.height) for one in done.outcomes if isinstance(one, Size)]
            found = iter(self._localizer.localize(done.embedded, sizes) if done.embedded is not None else ())
            yield from ((next(found), one) if isinstance(one, Size) else one for one in done.outcomes)

    def _embed(self, pixels: Sequence[NDArray[np.uint8]]) -> Embedding:
        return self._embedder.embed(pixels, self._reduction, keep_maps=self._localizer.needs_maps)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRequest:
    """What is to be tagged, and how.

    Attributes:
        folder: of picture files, also in folders below it; what is no picture by its suffix is passed over.
        kind: a key of `exports.FORMATS`.
        out: folder for a file of each picture, else file.
        least: probability that an object must have to be told of.
        quiet: whether no progress is shown, even on a terminal.
    """

    folder: Path
    kind: str
    out: Path
    least: float
    quiet: bool = False


def tag_folder(request: TagRequest, tagger: Tagger, summary: TagSummary) -> None:
    """Tag every picture in a folder and write it; the summary is right at any moment, however this ends.

    Raises:
        DatasetError: there is no picture in the folder, or none that can be decoded; or two would share a file.
        StorageError: the output is no file, or no folder, as its format needs.
        OSError: nothing more can be written; what was done before is kept.
    """
    folder = request.folder
    names, summary.skipped = _list_pictures(folder)
    if not names:
        raise DatasetError(f"expected pictures in {folder} ({', '.join(SUFFIXES)}), found none")
    source = Source(folder=folder.resolve().name, names=names, classes=tagger.classes, model=tagger.model)
    with exports.FORMATS[request.kind](request.out, source) as export:
        outcomes = tagger.tag([folder / name for name in names])
        progress = tqdm(outcomes, total=len(names), unit=" pictures", disable=request.quiet or None)
        for name, outcome in zip(names, progress, strict=True):
            if isinstance(outcome, ImageError):
                summary.skipped.append(Notice(PICTURE, name, str(outcome)))
                continue
            localization, size = outcome
            objects = tuple(one for one in localization.told() if one.probability >= request.least)
            try:
                export.add(TaggedPicture(name=name, width=size.width, height=size.height, objects=objects))
            except StorageError as error:
                summary.skipped.append(Notice(PICTURE, name, str(error)))
                continue
            summary.pictures += 1
            summary.objects += len(objects)
        if not summary.pictures:
            raise DatasetError(f"expected pictures that can be tagged in {folder}, found none among {len(names)}")


def _list_pictures(folder: Path) -> tuple[list[str], list[Notice]]:
    """Paths of the pictures in a folder and below it, sorted, and what cannot be used; what is hidden is neither.

    Links to files count as files. Links to folders are not followed: they lead out of the folder, or in circles.
    """
    pictures, skipped = [], []

    def skip(path: str, reason: str) -> None:
        skipped.append(Notice(PICTURE, Path(path).relative_to(folder).as_posix(), reason))

    def skip_folder(error: OSError) -> None:
        skip(error.filename, f"the folder cannot be read ({error.strerror})")

    for place, inside, files in os.walk(folder, onerror=skip_folder):
        inside[:] = [name for name in inside if not name.startswith(".")]
        for name in inside:
            if os.path.islink(path := os.path.join(place, name)):  # noqa: PTH114, PTH118 - os.walk's own
                skip(path, "expected a folder, found a link to one, which is not followed")
        for name in files:
            if name.startswith(".") or Path(name).suffix.lower() not in SUFFIXES:
                continue
            path = os.path.join(place, name)  # noqa: PTH118
            if os.path.isfile(path):  # noqa: PTH113
                pictures.append(Path(path).relative_to(folder).as_posix())
            else:
                skip(path, "expected a file, found a pipe, or a link that leads nowhere")
    return sorted(pictures), skipped

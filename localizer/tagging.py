"""A folder of pictures -> what is in each, piece by piece."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer import images
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.errors import DatasetError, ImageError
from indexer.file_hashing import read_files
from indexer.inference import PIECE
from indexer.pipeline import PictureFile, Pipeline, Size
from indexer.records import PICTURE, Notice
from indexer.reduction import Embedding
from localizer import exports
from localizer.exports import TaggedPicture
from localizer.predict import Localizer
from localizer.records import Localization


@dataclass(frozen=True, slots=True)
class TagSummary:
    """How many pictures were tagged, how many objects found, and which files were skipped."""

    pictures: int
    objects: int
    skipped: tuple[Notice, ...]


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

    def tag(self, files: Sequence[PictureFile]) -> Iterator[tuple[Path, Localization, Size] | Notice]:
        """Each picture in turn, with what is in it; why not, where it cannot be decoded."""
        pieces = [files[start : start + PIECE] for start in range(0, len(files), PIECE)]
        for done in Pipeline(self._embedder, self._embed).run(pieces):
            outcomes = list(zip((file.path for file in done.files), done.outcomes, strict=True))
            yield from (
                Notice(PICTURE, str(path), str(one)) for path, one in outcomes if isinstance(one, ImageError)
            )
            if done.embedded is not None:
                sizes = [(path, one) for path, one in outcomes if isinstance(one, Size)]
                found = self._localizer.localize(done.embedded, [(one.width, one.height) for _, one in sizes])
                yield from ((path, what, one) for (path, one), what in zip(sizes, found, strict=True))

    def _embed(self, pixels: Sequence[NDArray[np.uint8]]) -> Embedding:
        return self._embedder.embed(pixels, self._reduction, keep_maps=self._localizer.needs_maps)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRequest:
    """What is to be tagged, and how.

    Attributes:
        folder: of picture files, also in folders below it; what is no picture by its suffix is passed over.
        kind: a key of `exports.FORMATS`.
        out: folder for VOC's files, else file.
        least: probability that an object must have to be told of.
        quiet: whether no progress is shown, even on a terminal.
    """

    folder: Path
    kind: str
    out: Path
    least: float
    quiet: bool = False


def tag_folder(request: TagRequest, tagger: Tagger) -> TagSummary:
    """Tag every picture in a folder, and write the result.

    Raises:
        DatasetError: there is no picture in the folder.
    """
    folder = request.folder
    files, skipped = _list_files(folder)
    exports.check_writable(request.out)
    tagged: list[TaggedPicture] = []
    progress = tqdm(tagger.tag(files), total=len(files), unit=" pictures", disable=request.quiet or None)
    for result in progress:
        if isinstance(result, Notice):
            skipped.append(Notice(PICTURE, Path(result.name).relative_to(folder).as_posix(), result.reason))
        else:
            path, localization, size = result
            objects = tuple(one for one in localization.told() if one.probability >= request.least)
            name = path.relative_to(folder).as_posix()
            tagged.append(TaggedPicture(name=name, width=size.width, height=size.height, objects=objects))
    exports.write(exports.FORMATS[request.kind](tagged, tagger.classes), request.out)
    return TagSummary(len(tagged), sum(len(one.objects) for one in tagged), tuple(skipped))


def _list_files(folder: Path) -> tuple[list[PictureFile], list[Notice]]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.SUFFIXES and path.is_file())
    if not paths:
        raise DatasetError(f"expected pictures in {folder} ({', '.join(images.SUFFIXES)}), found none")
    files, skipped = [], []
    for path, read in zip(paths, read_files(paths), strict=True):
        if isinstance(read, OSError):
            reason = f"the file cannot be read ({read.strerror})"
            skipped.append(Notice(PICTURE, path.relative_to(folder).as_posix(), reason))
        else:
            files.append(PictureFile(path, read.sha256))
    return files, skipped

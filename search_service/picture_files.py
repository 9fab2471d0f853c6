"""The picture files of a devkit, as a service needs them."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from indexer import voc
from indexer.errors import DatasetError
from indexer.records import IndexedImage
from search_service.decoders import Decoders
from search_service.errors import RequestError

THUMBNAIL_SIDE = 320  # pixels

logger = logging.getLogger(__name__)


class PictureFiles:
    """The files of a collection's images, where they lie now, and what decodes them."""

    def __init__(self, voc_root: Path, decoders: Decoders) -> None:
        self._voc_root = voc_root
        self.decoders = decoders

    def path(self, image: IndexedImage) -> Path:
        """The file of an image.

        Raises:
            RequestError: it is not where it was when the collection was built, or the devkit cannot be reached.
        """
        path = voc.picture_path(self._voc_root, image.filename)
        with _reached(image):
            is_there = path.is_file()
        if not is_there:
            message = (
                f"the file of image {image.image_id}, {image.filename}, is gone; re-index, or name the devkit"
            )
            raise RequestError(404, "file_gone", message)
        return path

    def read(self, image: IndexedImage) -> bytes:
        """The file of an image, as it was indexed.

        Raises:
            RequestError: as `path`; or another file lies there now, as where a link to the devkit was switched.
        """
        path = self.path(image)
        with _reached(image):
            content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != image.sha256:
            message = f"the file of image {image.image_id}, {image.filename}, was changed; re-index"
            raise RequestError(404, "file_gone", message)
        return content

    def thumbnail(self, image: IndexedImage) -> bytes:
        """A JPEG of at most `THUMBNAIL_SIDE` pixels a side.

        Raises:
            ImageError: the file cannot be decoded any more.
            RequestError: the file is gone or was changed, or no decoder is there.
        """
        return self.decoders.thumbnail(self.read(image), THUMBNAIL_SIDE)

    def credits(self) -> str | None:
        """Whom the pictures are owed to, where their devkit says so, and can be read."""
        try:
            return self._credits
        except DatasetError:
            return None

    @cached_property
    def _credits(self) -> str | None:
        """Read once: every page tells it."""
        path = self._voc_root / voc.CREDITS_FILE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None


@contextmanager
def _reached(image: IndexedImage) -> Iterator[None]:
    """Tell who asks that the devkit is away, and who serves why: it is not for everybody where it lies."""
    try:
        yield
    except DatasetError as error:
        logger.warning("The devkit cannot be reached: %s", error)
        message = f"the file of image {image.image_id} cannot be reached at this moment; try again later"
        raise RequestError(503, "files_unreachable", message) from error

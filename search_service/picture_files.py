"""The picture files of a devkit, as a service needs them."""

from pathlib import Path

from indexer import voc
from indexer.records import IndexedImage
from search_service.decoders import Decoders
from search_service.errors import RequestError

THUMBNAIL_SIDE = 320  # pixels


class PictureFiles:
    """The files of a collection's images, where they lie now, and what decodes them."""

    def __init__(self, voc_root: Path, decoders: Decoders) -> None:
        self._voc_root = voc_root
        self.decoders = decoders

    def path(self, image: IndexedImage) -> Path:
        """The file of an image.

        Raises:
            RequestError: it is not where it was when the collection was built.
        """
        path = voc.picture_path(self._voc_root, image.filename)
        if not path.is_file():
            message = (
                f"the file of image {image.image_id}, {image.filename}, is gone; re-index, or name the devkit"
            )
            raise RequestError(404, "file_gone", message)
        return path

    def thumbnail(self, image: IndexedImage) -> bytes:
        """A JPEG of at most `THUMBNAIL_SIDE` pixels a side.

        Raises:
            ImageError: the file was replaced by something that is not a picture.
            RequestError: the file is gone, or no decoder is there.
        """
        return self.decoders.thumbnail(self.path(image).read_bytes(), THUMBNAIL_SIDE)

    def credits(self) -> str | None:
        """Whom the pictures are owed to, where their devkit says so."""
        path = self._voc_root / voc.CREDITS_FILE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None

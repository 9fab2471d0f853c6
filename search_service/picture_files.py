"""The picture files of a devkit, as a service needs them."""

from pathlib import Path
from threading import BoundedSemaphore

from indexer import images, voc
from indexer.records import IndexedImage
from search_service.errors import RequestError

THUMBNAIL_SIDE = 320  # pixels
_DECODED_AT_ONCE = 4  # pictures, by whatever number of threads; one may take 100 MB


class PictureFiles:
    """The files of a collection's images, where they lie now."""

    def __init__(self, voc_root: Path) -> None:
        self._voc_root = voc_root
        self._decoders = BoundedSemaphore(_DECODED_AT_ONCE)

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
            RequestError: the file is gone.
        """
        path = self.path(image)
        with self._decoders:
            return images.thumbnail(images.load(path, THUMBNAIL_SIDE), THUMBNAIL_SIDE)

    def credits(self) -> str | None:
        """Whom the pictures are owed to, where their devkit says so."""
        path = self._voc_root / voc.CREDITS_FILE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None

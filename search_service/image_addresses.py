"""Addresses of images outlive generations: pages and answers of a former one are still on screens."""

from indexer.records import IndexedImage
from search_service.engine import SearchEngine
from search_service.errors import RequestError


def find_image(engine: SearchEngine, image_id: int, sha256: str) -> IndexedImage:
    """The image that an address means.

    Args:
        engine: of any generation.
        image_id: as that generation had it that made the address.
        sha256: how that of the image's file began; empty where the address does not tell.

    Raises:
        RequestError: there is none of that id, or none of that content.
    """
    collection = engine.collection
    if not sha256 or image_id < len(collection):
        image = engine.catalogue.image(image_id)
        if image.sha256.startswith(sha256):
            return image
    for image in collection.images_of_content(sha256):
        return image
    message = (
        f"expected an image whose file's sha256 begins with {sha256!r:.50}, found none; it was changed or removed"
    )
    raise RequestError(404, "unknown_image", message)

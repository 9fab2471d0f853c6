"""The images of a collection, one by one or page by page."""

from indexer.collection import Collection
from indexer.filters import Filters
from indexer.records import IndexedImage
from search_service.errors import RequestError
from search_service.records import Listing
from search_service.wish_checks import check_filters, check_page


class Catalogue:
    """What can be looked up in a collection without a search.

    Attributes:
        poses: every pose that is annotated; read at once, for a page that tells of a silent server has them, too.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.poses = collection.poses

    def image(self, image_id: int) -> IndexedImage:
        """What is known of one image.

        Raises:
            RequestError: no such image.
        """
        if not 0 <= image_id < len(self._collection):
            last = len(self._collection) - 1
            raise RequestError(
                404, "unknown_image", f"expected an image id from 0 to {last}, found {image_id!s:.20}"
            )
        return self._collection.images([image_id])[0]

    def list_images(self, filters: Filters, offset: int, k: int) -> Listing:
        """The k images from `offset` on of those that fulfil filters, by image id.

        Raises:
            RequestError: k or offset out of range, or a filter names a class or split that is not there.
        """
        check_page(offset, k)
        check_filters(filters, self._collection.manifest, self._collection.poses)
        subset = self._collection.subset_of_images(filters)
        count = len(self._collection) if subset is None else subset.count()
        ids = self._collection.first_images(filters, offset + k)[offset:]
        return Listing(tuple(self._collection.images(ids.tolist())), count, offset)

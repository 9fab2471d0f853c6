"""The errors a user can meet: each message is one line saying what was expected, what was found, what to do."""

from pathlib import Path


class LookalikeError(Exception):
    """The family; a door (command line, HTTP) catches this one and translates it once."""


class DatasetError(LookalikeError):
    """A VOC devkit, or one annotation in it, is not what its layout promises."""


class ImageError(LookalikeError):
    """Bytes that cannot be taken as a picture: no known format, damaged, too large or too small."""


class TooLargeError(ImageError):
    """A picture has more pixels than are decoded."""


class BoxError(ImageError):
    """A part of a picture is asked for that is not inside it."""


class WeightsError(LookalikeError):
    """A backbone's weights cannot be had, or do not fit its network."""


class InferenceError(LookalikeError):
    """This machine cannot run a backbone as it was asked to."""


class CollectionError(LookalikeError):
    """A collection is missing, damaged, busy, or does not fit what is asked of it."""


class EmptyCollectionError(CollectionError):
    """A collection's folder is there, but nothing was published in it yet.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


class CollectionBusyError(CollectionError):
    """Another process is building on the collection at this moment; trying again later may succeed."""


class StoreBusyError(CollectionError):
    """A server that holds vectors takes no more at this moment; trying again later may succeed."""


class StoreUnreachableError(LookalikeError):
    """A server that holds vectors or metadata cannot be reached, or did not answer in time.

    Attributes:
        store: "Milvus" or "PostgreSQL".
    """

    def __init__(self, store: str, message: str) -> None:
        super().__init__(message)
        self.store = store


class StorageError(LookalikeError):
    """What is to be stored cannot be written: mostly, the disk is full."""


class DownloadError(LookalikeError):
    """A host cannot be reached, or what it sent is not what its checksum promises."""

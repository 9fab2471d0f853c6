"""What a build carries over from a generation, be it whole or what was salvaged of a damaged one."""

from collections.abc import Sequence
from typing import Protocol

from indexer.manifest import Manifest
from indexer.maps_file import MapsFile
from indexer.records import IndexedImage, Notice
from indexer.reduction import Floats, Reduction


class Held(Protocol):
    """A generation that a build starts from.

    Attributes:
        manifest: what it says of itself.
        reduction: what its vectors and maps went through.
        has_maps: whether its maps are here.
        pictures: all images, by id, also those that cannot be carried over.
    """

    @property
    def manifest(self) -> Manifest: ...  # noqa: D102 - above

    @property
    def reduction(self) -> Reduction: ...  # noqa: D102 - above

    @property
    def has_maps(self) -> bool: ...  # noqa: D102 - above

    @property
    def pictures(self) -> Sequence[IndexedImage]: ...  # noqa: D102 - above

    def all_images(self) -> list[IndexedImage]:
        """The images whose vector and maps can be carried over, each with its row's number."""
        ...

    def notices(self) -> list[Notice]:
        """What the build did not use of the devkit, or not as it stands, in order."""
        ...

    def vectors(self) -> Floats:
        """(N, d) float32, by the rows' numbers."""
        ...

    def open_maps(self, stage: str) -> MapsFile:
        """The maps of a stage, by the rows' numbers."""
        ...

    def object_vectors(self) -> dict[str, Floats]:
        """`object_key` -> vector (d,) float32, of those objects that can be carried over."""
        ...

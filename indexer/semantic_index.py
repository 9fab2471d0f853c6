"""The semantic index: a second index of a generation, whose rows tell also what is in the pictures.

The rows come from whoever knows that (a trained head); here they are kept, searched and judged.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer import derived
from indexer.collection import Collection
from indexer.errors import CollectionError
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.vector_index import VectorIndex

_NAME = "semantic"


class SemanticIndex:
    """Rows in step with a generation's images.

    Attributes:
        source: digest of what the rows were made with.
        vectors: (N, d) float32 unit rows; row = image id.
    """

    def __init__(self, vectors: Floats, source: str) -> None:
        self.source = source
        self.vectors = vectors
        self._index = VectorIndex.build(vectors)

    @classmethod
    def load(cls, collection: Collection) -> "SemanticIndex | None":
        """The one that was saved for this generation; None where none was.

        Raises:
            CollectionError: it is damaged, or not of this generation.
        """
        arrays = derived.load(collection, _NAME)
        if arrays is None:
            return None
        rows = len(arrays.get("vectors", ()))
        if rows != len(collection) or "source" not in arrays:
            raise CollectionError(
                f"expected a semantic index of {len(collection)} rows, found {rows}; align it: "
                f"python -m localizer align --collection {collection.path}"
            )
        return cls(arrays["vectors"], str(arrays["source"]))

    def save(self, collection: Collection) -> None:
        """Keep it beside its generation."""
        derived.save(collection, _NAME, {"vectors": self.vectors, "source": np.array(self.source)})

    def nearest(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: NDArray[np.int64] | None = None
    ) -> list[Hit]:
        """The k images closest to a semantic vector (d,), best first; see `VectorIndex`."""
        return self._index.nearest(vector, k, exclude, among)

    def vector(self, image_id: int) -> Floats:
        """One row, (d,) float32 of unit length."""
        row: Floats = self.vectors[image_id]
        return row

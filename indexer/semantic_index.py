"""The semantic index: a second index of a generation, whose rows tell also what is in the pictures.

The rows come from whoever knows that (a trained head); here they are kept, searched and judged.
"""

from collections.abc import Sequence

import numpy as np

from indexer import derived
from indexer.collection import Collection
from indexer.errors import CollectionError
from indexer.index_building import build_index
from indexer.index_settings import DEFAULT_SETTINGS, IndexNote, IndexSettings
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.subset import Subset
from indexer.vector_index import VectorIndex

_NAME = "semantic"


class SemanticIndex:
    """Rows in step with a generation's images.

    Attributes:
        source: digest of what the rows were made with.
    """

    def __init__(self, index: VectorIndex, source: str) -> None:
        self.source = source
        self._index = index

    @classmethod
    def build(cls, vectors: Floats, source: str, settings: IndexSettings = DEFAULT_SETTINGS) -> "SemanticIndex":
        """Of (N, d) float32 unit rows, indexed as asked for."""
        return cls(build_index(vectors, settings), source)

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
        if rows != len(collection) or not arrays.keys() >= {"source", "note", "approximate"}:
            raise CollectionError(
                f"expected a semantic index of {len(collection)} rows, found {rows}; align it: "
                f"python -m localizer align --collection {collection.path}"
            )
        return cls(VectorIndex.from_arrays(arrays), str(arrays["source"]))

    def save(self, collection: Collection) -> None:
        """Keep it beside its generation."""
        derived.save(collection, _NAME, {**self._index.to_arrays(), "source": np.array(self.source)})

    @property
    def note(self) -> IndexNote:
        """What is told of the index."""
        return self._index.note

    @property
    def vectors(self) -> Floats:
        """(N, d) float32 unit rows; row = image id."""
        return self._index.vectors()

    def nearest(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: Subset | None = None
    ) -> list[Hit]:
        """The k images closest to a semantic vector (d,), best first; see `VectorIndex`."""
        return self._index.nearest(vector, k, exclude, among)

    def vector(self, image_id: int) -> Floats:
        """One row, (d,) float32 of unit length."""
        return self._index.vector(image_id)

"""The semantic index: a second index of a generation, whose rows tell also what is in the pictures.

The rows come from whoever knows that (a trained head); here they are kept, searched and judged.
"""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from indexer import derived
from indexer.collection import Collection
from indexer.derived_files import Record
from indexer.errors import CollectionError
from indexer.index_building import build_index
from indexer.index_settings import DEFAULT_SETTINGS, IndexNote, IndexSettings
from indexer.likeness import DEFAULT_LIKENESS, Likeness
from indexer.records import Hit
from indexer.reduction import Floats
from indexer.search_index import SearchIndex
from indexer.store import Target
from indexer.subset import Subset
from indexer.vector_index import VectorIndex

NAME = "semantic"


class SemanticIndex:
    """Rows in step with a generation's images.

    Attributes:
        source: digest of what the rows were made with.
        likeness: what is scored by, beside the cosine of the rows, in `SemanticSearch`.
    """

    def __init__(self, index: SearchIndex, source: str, likeness: Likeness = DEFAULT_LIKENESS) -> None:
        self.source = source
        self.likeness = likeness
        self._index = index

    @classmethod
    def build(
        cls,
        vectors: Floats,
        source: str,
        settings: IndexSettings = DEFAULT_SETTINGS,
        likeness: Likeness = DEFAULT_LIKENESS,
    ) -> "SemanticIndex":
        """Of (N, d) float32 unit rows, indexed as asked for."""
        return cls(build_index(vectors, settings), source, likeness)

    @classmethod
    def load(cls, collection: Collection) -> "SemanticIndex | None":
        """The one that was saved for this generation; None where none was.

        Raises:
            CollectionError: it is damaged, or not of this generation.
        """
        if not collection.store.keeps_files:
            return derived.load_made(
                collection, NAME, partial(cls._open, collection), command="python -m localizer align"
            )
        arrays = derived.load(collection, NAME)
        if arrays is None:
            return None
        rows = len(arrays.get("vectors", ()))
        if rows != len(collection) or not arrays.keys() >= {"source", "note", "approximate"}:
            raise CollectionError(
                f"expected a semantic index of {len(collection)} rows, found {rows}; align it: "
                f"python -m localizer align --collection {collection.path}"
            )
        likeness = Likeness(*arrays["likeness"].tolist()) if "likeness" in arrays else DEFAULT_LIKENESS
        return cls(VectorIndex.from_arrays(arrays), str(arrays["source"]), likeness)

    def save(self, collection: Collection) -> None:
        """Keep it beside its generation, or where the vectors of that are."""
        if isinstance(self._index, VectorIndex) and collection.store.keeps_files:
            likeness = np.array([self.likeness.reward, self.likeness.threshold])
            own = {"source": np.array(self.source), "likeness": likeness}
            derived.save(collection, NAME, {**self._index.to_arrays(), **own})
            return
        target = Target(collection.folder, collection.manifest.generation)
        name, settings = _name(self.source), collection.manifest.index
        note = collection.store.write_index(target, name, self.vectors, collection.all_images(), settings)
        record = {"source": self.source, "likeness": asdict(self.likeness), "index": name, "note": note.to_text()}
        derived.save_record(collection, NAME, record)

    @classmethod
    def _open(cls, collection: Collection, record: Record) -> "SemanticIndex":
        """The one that a record tells of."""
        note = IndexNote.from_text(str(record["note"]))
        index = collection.store.open_index(collection.folder, str(record["index"]), note)
        likeness = Likeness(**record["likeness"]) if "likeness" in record else DEFAULT_LIKENESS
        return cls(index, str(record["source"]), likeness)

    @property
    def note(self) -> IndexNote:
        """What is told of the index."""
        return self._index.note

    @property
    def vectors(self) -> Floats:
        """(N, d) float32 unit rows; row = image id."""
        return self._index.vectors()

    @property
    def dim(self) -> int:
        """Length of a row."""
        return self._index.dim

    def rows(self, image_ids: Sequence[int]) -> Floats:
        """The rows of these images, (n, d) float32."""
        return self._index.rows(image_ids)

    def nearest(
        self, vector: Floats, k: int, exclude: Sequence[int] = (), among: Subset | None = None
    ) -> list[Hit]:
        """The k images whose rows are closest to a semantic row (d,), best first; see `VectorIndex`."""
        return self._index.nearest(vector, k, exclude, among)

    def vector(self, image_id: int) -> Floats:
        """One row, (d,) float32 of unit length."""
        return self._index.vector(image_id)


def _name(source: str) -> str:
    """What an index is called beside others, which former heads made."""
    return f"{NAME}_{source[:12]}"

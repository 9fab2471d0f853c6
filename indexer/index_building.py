"""Choosing an index and building it: exact while that is quick, and above that what finds as much as asked for."""

import logging

from indexer.approximate_index import ApproximateIndex, InvertedLists, NeighbourGraph
from indexer.exact_index import EXACT_BYTES, ExactIndex, is_quick
from indexer.index_settings import AUTO, DEFAULT_SETTINGS, FLAT, HNSW, IVF, IndexNote, IndexSettings
from indexer.index_tuning import Sample, choose_centroids, draw, measured, timed, tune
from indexer.reduction import Floats
from indexer.thread_pools import all_cores
from indexer.vector_index import VectorIndex

_TRAINING = 10_000  # rows, of which the range of each number is learned

logger = logging.getLogger(__name__)


def build_index(
    vectors: Floats, settings: IndexSettings = DEFAULT_SETTINGS, *, exact_bytes: int = EXACT_BYTES
) -> VectorIndex:
    """An index of (N, d) float32 unit rows, as asked for, tuned and measured; row numbers become image ids.

    The same rows and settings give the same bytes and the same efforts, but for the graph of "hnsw". Where the
    recall asked for cannot be had in less time than exact search takes, a warning says so, and the index is exact.

    Args:
        vectors: to search in.
        settings: what is asked for.
        exact_bytes: up to how many bytes of vectors search is exact: of all with "auto", of those that a filter
            leaves with any kind.
    """
    return _Building(vectors, settings, exact_bytes).run()


class _Building:
    """One index in the making."""

    def __init__(self, vectors: Floats, settings: IndexSettings, exact_bytes: int) -> None:
        self._vectors = vectors
        self._settings = settings
        self._exact_bytes = exact_bytes
        self._exact = ExactIndex.build(vectors)

    def run(self) -> VectorIndex:
        exact = self._index(IndexNote())
        if len(exact) == 0:
            return exact
        with all_cores():
            kind = self._kind()
            tuned = None if kind == FLAT else self._tuned(kind)
            return timed(exact) if tuned is None else tuned

    def _kind(self) -> str:
        if len(self._vectors) == 1:
            return FLAT  # there is no second one to find
        if self._settings.kind != AUTO:
            return self._settings.kind
        return FLAT if is_quick(len(self._vectors), self._exact.dim, self._exact_bytes) else IVF

    def _tuned(self, kind: str) -> VectorIndex | None:
        """Tuned and measured on a sample, which is taken in only then; None where exact search is better."""
        sample = Sample.draw(self._exact)
        approximate = self._empty(kind, sample)
        approximate.add(self._vectors[sample.others], sample.others)
        note = IndexNote(kind=kind, storage=self._settings.storage, parameters=approximate.parameters)
        index = tune(self._index(note, approximate), list(approximate.efforts()), sample, self._settings.recall)
        if index is None:
            logger.warning(
                "Searching exactly: in %d vectors, %s finds less than %g of the first results, or takes as long",
                len(self._vectors), kind, self._settings.recall,
            )  # fmt: skip
            return None
        index = measured(index, sample)
        approximate.add(sample.queries, sample.rows)
        return index

    def _empty(self, kind: str, sample: Sample) -> ApproximateIndex:
        training = draw(self._vectors, _TRAINING)
        if kind == HNSW:
            return NeighbourGraph.empty(self._settings, training)
        centroids = choose_centroids(self._vectors, sample, self._settings)
        return InvertedLists.empty(centroids, self._settings.storage, training)

    def _index(self, note: IndexNote, approximate: ApproximateIndex | None = None) -> VectorIndex:
        return VectorIndex(self._exact, note, approximate, exact_bytes=self._exact_bytes)

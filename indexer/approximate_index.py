"""Vectors -> rows that are likely the nearest, without a look at most others: inverted lists, or a graph."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import faiss as typed_faiss
import numpy as np
from numpy.typing import NDArray

from indexer.errors import StorageError
from indexer.exact_index import Rows, keep_to_one_core, read_mapped
from indexer.index_settings import FLOAT32, INT8, IndexSettings
from indexer.reduction import Floats

faiss: Any = typed_faiss  # its types know only a part of it

_EFFORT_STEP = 1.25
_LEAST_CANDIDATES, _MOST_CANDIDATES = 16, 4_096  # that a search of the graph keeps

_DEPLETED = 0.5  # times as many as elsewhere: below, a filter leaves too few around a query

Bytes = NDArray[np.uint8]


class ApproximateIndex(Protocol):
    """What proposes rows. A greater effort finds more of the nearest, and takes longer."""

    @property
    def parameters(self) -> dict[str, int]:
        """What it was built with."""

    def __len__(self) -> int: ...

    def add(self, vectors: Floats, numbers: Rows) -> None:
        """Take in (n, d) float32 unit rows under these numbers."""

    def efforts(self) -> Iterator[int]:
        """Efforts worth trying, least first, up to where exact search is as quick."""

    def propose(self, vector: Floats, count: int, effort: int, among: Rows | None = None) -> Rows:
        """Numbers of at most `count` rows near a unit vector (d,), each once; none if it cannot tell.

        Args:
            vector: what to search with.
            count: how many.
            effort: one that would do in all rows; with `among` so much more is made as these are fewer.
            among: the only rows to propose; None for all.
        """

    def to_bytes(self) -> Bytes:
        """All of it."""

    def save(self, path: Path) -> None:
        """Write to a file."""


class _FaissIndex:
    """What both kinds share."""

    def __init__(self, index: typed_faiss.Index) -> None:
        self._index: Any = index

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: Floats, numbers: Rows) -> None:
        """Take in (n, d) float32 unit rows under these numbers."""
        self._index.add_with_ids(vectors, numbers)

    def to_bytes(self) -> Bytes:
        """All of it."""
        return np.asarray(faiss.serialize_index(self._index))

    def save(self, path: Path) -> None:
        """Write to a file."""
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise StorageError(f"{path} cannot be written; make room; what is stored is kept") from error

    def _search(self, vector: Floats, count: int, parameters: typed_faiss.SearchParameters) -> Rows:
        keep_to_one_core()
        rows: Rows = self._index.search(vector[np.newaxis], min(count, len(self)), params=parameters)[1][0]
        return rows[rows >= 0]


class InvertedLists(_FaissIndex):
    """IVF: each row lies in the list of the centroid closest to it; lists of close centroids are probed."""

    @classmethod
    def empty(cls, centroids: Floats, storage: str, training: Floats) -> "InvertedLists":
        """With lists around (lists, d) unit centroids, for rows whose numbers are like those of `training`."""
        lists, dim = centroids.shape
        quantiser = faiss.IndexFlatIP(dim)
        quantiser.add(centroids)
        inner = faiss.METRIC_INNER_PRODUCT
        if storage == FLOAT32:
            index = faiss.IndexIVFFlat(quantiser, dim, lists, inner)
        else:
            index = faiss.IndexIVFScalarQuantizer(quantiser, dim, lists, _scalar(storage), inner, False)  # noqa: FBT003
        index.train(training)
        return cls(index)

    @property
    def parameters(self) -> dict[str, int]:
        """What it was built with."""
        return {"lists": int(self._index.nlist)}

    def efforts(self) -> Iterator[int]:
        """Numbers of lists to probe, up to half of them."""
        return _rising(1, self._index.nlist // 2)

    def propose(self, vector: Floats, count: int, effort: int, among: Rows | None = None) -> Rows:
        """See `ApproximateIndex`; the effort is the number of lists to probe."""
        if among is None:
            return self._search(vector, count, faiss.SearchParametersIVF(nprobe=effort))
        lists = self._lists_to_probe(vector, effort, among)
        if lists is None:
            return np.empty(0, dtype=np.int64)
        allowed = _selector(among, len(self))
        return self._search(vector, count, faiss.SearchParametersIVF(nprobe=lists, sel=allowed))

    def _lists_to_probe(self, vector: Floats, effort: int, among: Rows) -> int | None:
        """So many that as many of the rows to propose are looked at as otherwise would be of all.

        None where a filter leaves less than half as many around the query as elsewhere (no dogs, near a dog): its
        results then lie scattered, and how many lists would find them was never measured.
        """
        list_of_row, lists = self._list_of_row, int(self._index.nlist)
        closest = self._index.quantizer.search(vector[np.newaxis], lists)[1][0]
        left = np.cumsum(np.bincount(list_of_row[among], minlength=lists)[closest])
        around = left[effort - 1] / max(self._sizes[closest[:effort]].sum(), 1)
        if around < _DEPLETED * len(among) / len(self):
            return None
        return min(int(np.searchsorted(left, effort * len(self) / lists)) + 1, lists)

    @cached_property
    def _sizes(self) -> Rows:
        """(lists,): rows in each."""
        return np.bincount(self._list_of_row, minlength=self._index.nlist)

    @cached_property
    def _list_of_row(self) -> NDArray[np.int32]:
        """(N,): the list each row lies in; worked out when a filter first leaves many rows."""
        lists, inverted = np.empty(len(self), dtype=np.int32), self._index.invlists
        for number in range(self._index.nlist):
            size = inverted.list_size(number)
            if size:
                lists[faiss.rev_swig_ptr(inverted.get_ids(number), size)] = number
        return lists


class NeighbourGraph(_FaissIndex):
    """HNSW: each row knows some of its neighbours; a search walks from one to closer ones."""

    @classmethod
    def empty(cls, settings: IndexSettings, training: Floats) -> "NeighbourGraph":
        """For rows whose numbers are like those of `training` (n, d).

        All cores will add to it at once, so that its links differ a little each time.
        """
        dim, inner = training.shape[1], faiss.METRIC_INNER_PRODUCT
        if settings.storage == FLOAT32:
            index = faiss.IndexHNSWFlat(dim, settings.links, inner)
        else:
            index = faiss.IndexHNSWSQ(dim, _scalar(settings.storage), settings.links, inner)
        index.hnsw.efConstruction = settings.candidates
        index.train(training)
        return cls(faiss.IndexIDMap2(index))

    @property
    def parameters(self) -> dict[str, int]:
        """What it was built with."""
        graph = faiss.downcast_index(self._index.index).hnsw
        return {"links": graph.nb_neighbors(1), "candidates": graph.efConstruction}

    def efforts(self) -> Iterator[int]:
        """Numbers of candidates to keep."""
        return _rising(_LEAST_CANDIDATES, _MOST_CANDIDATES)

    def propose(self, vector: Floats, count: int, effort: int, among: Rows | None = None) -> Rows:
        """See `ApproximateIndex`; the effort is the number of candidates to keep."""
        parameters = faiss.SearchParametersHNSW(efSearch=effort)
        if among is not None:
            allowed = _selector(among, len(self))
            candidates = min(effort * len(self) // max(len(among), 1), len(self))
            parameters = faiss.SearchParametersHNSW(efSearch=candidates, sel=allowed)
        return self._search(vector, count, parameters)


def load(path: Path) -> ApproximateIndex:
    """Open what `save` wrote.

    Raises:
        CollectionError: the file is not an index that faiss can read.
    """
    return _wrapped(read_mapped(path))


def from_bytes(content: Bytes) -> ApproximateIndex:
    """What `to_bytes` gave."""
    return _wrapped(faiss.deserialize_index(content))


def learn_centroids(vectors: Floats, lists: int, seed: int) -> Floats:
    """(lists, d) unit centroids of (n, d) float32 unit rows, by k-means on the sphere.

    Six rounds: more found nothing at 1,000,000 x 256.
    """
    clustering = faiss.Kmeans(
        vectors.shape[1], lists, niter=6, seed=seed, spherical=True,
        min_points_per_centroid=1, max_points_per_centroid=len(vectors),
    )  # fmt: skip
    clustering.train(vectors)
    return np.asarray(clustering.centroids)


def _wrapped(index: typed_faiss.Index) -> ApproximateIndex:
    return InvertedLists(index) if isinstance(index, faiss.IndexIVF) else NeighbourGraph(index)


def _scalar(storage: str) -> int:
    kinds = faiss.ScalarQuantizer
    return int(kinds.QT_8bit if storage == INT8 else kinds.QT_fp16)


def _selector(among: Rows, count: int) -> faiss.IDSelector:
    allowed = np.zeros(count, dtype=np.bool_)
    allowed[among] = True
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def _rising(first: int, last: int) -> Iterator[int]:
    effort = first
    while effort <= last:
        yield effort
        effort = max(effort + 1, round(_EFFORT_STEP * effort))

"""Which pictures are near-duplicates of each other: copies made smaller, grey, mirrored, or cut a little.

By the score of their vectors alone, a picture's copies and its true neighbours overlap. So where maps are kept,
vectors only propose pairs, and the finer maps decide: whether what is in each part of one picture is somewhere in
the other, too. The thresholds were chosen on copies of Pascal VOC's pictures; `indexer evaluate` measures, on any
collection, which share of copies they find, and how many other pictures they take for copies.
"""

import numpy as np
from numpy.typing import NDArray

NEAR_DUPLICATE = 0.75
"""Score of two vectors from which their images count as near-duplicates, where no maps are kept."""
CANDIDATE = 0.55
"""Score of two vectors from which the maps of their images are compared, where they are kept."""
SAME_PARTS = 0.74
"""What `shared_parts` has to be, in [-1, 1], for two images to be near-duplicates."""
DECIDING_STAGE = "fine"
"""Stage of the maps that are compared."""
_NEIGHBOURS = 5  # of an image, with which its maps are compared
_ROWS_AT_ONCE = 1_024

Maps = NDArray[np.float16] | NDArray[np.float32]


def near_duplicate_groups(vectors: NDArray[np.float32], maps: Maps | None = None) -> NDArray[np.int64]:
    """(N, d) unit rows, and maps (N, c, h, w) where they are kept -> (N,) number of each one's group, from 0.

    A group is a chain of near-duplicates.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415 - a service, which folds without groups, need not wait for it
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    pairs = near_duplicate_pairs(vectors, maps)
    links = coo_array((np.ones(len(pairs), dtype=np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(len(vectors),) * 2)
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def near_duplicate_pairs(vectors: NDArray[np.float32], maps: Maps | None = None) -> NDArray[np.int64]:
    """(N, d) unit rows, and maps (N, c, h, w) where they are kept -> (P, 2) numbers, the lower first.

    Where maps are compared, each image is with its `_NEIGHBOURS` nearest by their vectors.
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        scores = vectors[start : start + _ROWS_AT_ONCE] @ vectors.T
        rows = np.arange(len(scores))
        scores[rows, start + rows] = -1
        if maps is not None:
            others = np.argsort(-scores, axis=1, kind="stable")[:, _NEIGHBOURS:]
            np.put_along_axis(scores, others, -1, axis=1)
        close = np.argwhere(scores >= (NEAR_DUPLICATE if maps is None else CANDIDATE))
        found.append(np.sort(close + np.array([start, 0]), axis=1))
    pairs = np.unique(np.concatenate(found), axis=0)
    if maps is None:
        return pairs
    same = [shared_parts(maps[one], maps[other]) >= SAME_PARTS for one, other in pairs]
    return pairs[np.array(same, dtype=np.bool_)]


def is_near_duplicate(score: float, one: Maps | None = None, other: Maps | None = None) -> bool:
    """Whether two images are, by the score of their vectors, and by both maps (c, h, w) where they are kept."""
    if one is None or other is None:
        return score >= NEAR_DUPLICATE
    return score >= CANDIDATE and shared_parts(one, other) >= SAME_PARTS


def shared_parts(one: Maps, other: Maps) -> float:
    """How much of each map (c, h, w) is somewhere in the other, too, in [-1, 1]; 1 for a mirror image.

    The mean over the cells of both of the best cosine similarity with a cell of the other: the Chamfer similarity
    of two sets of local descriptors. Where in the picture a cell lies is of no matter.
    """
    scores = _unit_cells(one) @ _unit_cells(other).T
    return float(scores.max(axis=1).mean() + scores.max(axis=0).mean()) / 2


def _unit_cells(one: Maps) -> NDArray[np.float32]:
    """(c, h, w) -> (h w, c) float32 of unit length; cells of zeros stay zeros."""
    cells = one.reshape(len(one), -1).T.astype(np.float32)
    unit: NDArray[np.float32] = cells / np.maximum(np.linalg.norm(cells, axis=1, keepdims=True), 1e-9)
    return unit

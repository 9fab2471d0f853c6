"""Which pictures are near-duplicates of each other, by the scores of their vectors."""

import numpy as np
from numpy.typing import NDArray

NEAR_DUPLICATE = 0.9
"""Score of two vectors from which their images count as near-duplicates."""
_ROWS_AT_ONCE = 1_024


def near_duplicate_groups(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N, d) unit rows -> (N,) number of each one's group: chains of scores >= `NEAR_DUPLICATE`."""
    from scipy.sparse import coo_array  # noqa: PLC0415 - a service, which folds without groups, need not wait for it
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    close = np.concatenate(
        [
            np.argwhere(vectors[start : start + _ROWS_AT_ONCE] @ vectors.T >= NEAR_DUPLICATE)
            + np.array([start, 0])
            for start in range(0, len(vectors), _ROWS_AT_ONCE)
        ]
    )
    links = coo_array((np.ones(len(close), dtype=np.bool_), (close[:, 0], close[:, 1])), shape=(len(vectors),) * 2)
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)

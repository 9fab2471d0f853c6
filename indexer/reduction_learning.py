"""Learning a collection's reduction from its first pictures; the only caller of scikit-learn in this package.

Whitening is left out on purpose: it lifts noise to the rank of signal (measured: mAP 0.50 falls to 0.39).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sklearn.decomposition import PCA

from indexer.errors import DatasetError
from indexer.reduction import MAP_CHANNELS, VECTOR_DIM, Floats, Halves, Projection, Reduction
from indexer.staging import StagedPiece

_CELLS_PER_PICTURE = 16  # of its map; neighbouring cells say much the same


def learn_from_pieces(pieces: Iterable[StagedPiece], keys: Sequence[str]) -> Reduction:
    """Learn a reduction from those of these pictures that are in the raw pieces, in the order of `keys`.

    Raises:
        DatasetError: none of them could be embedded.
    """
    pooled: dict[str, Floats] = {}
    cells: defaultdict[str, dict[str, Floats]] = defaultdict(dict)
    for piece in pieces:
        pooled |= dict(zip(piece.keys, piece.rows, strict=True))
        for stage, maps in piece.maps.items():
            cells[stage] |= {key: sample_cells(one[np.newaxis]) for key, one in zip(piece.keys, maps, strict=True)}
    learned_from = [key for key in keys if key in pooled]
    if not learned_from:
        raise DatasetError(f"expected pictures that can be decoded, found none among {len(keys)}; check the files")
    rows = np.stack([pooled[key] for key in learned_from])
    return learn(
        rows, {stage: np.concatenate([by_key[key] for key in learned_from]) for stage, by_key in cells.items()}
    )


def learn(pooled: Floats, cells: Mapping[str, Floats]) -> Reduction:
    """Learn the axes of greatest variance.

    Args:
        pooled: (N, C), one row a picture; N - 1 axes are kept where N is not above `VECTOR_DIM`.
        cells: stage -> (M, C), rows of `sample_cells`; empty where maps are not kept.

    Returns:
        A reduction to at most `VECTOR_DIM` and `MAP_CHANNELS`; one that changes nothing where N is 1.
    """
    if len(pooled) == 1:
        return Reduction(pictures=1)
    channels = {stage: _principal_axes(rows, MAP_CHANNELS[stage]) for stage, rows in cells.items()}
    return Reduction(_principal_axes(pooled, VECTOR_DIM), channels, len(pooled))


def sample_cells(maps: Floats | Halves) -> Floats:
    """(N, C, h, w) -> (N * n, C) float32: n = at most 16 cells of each map, evenly spread over it."""
    flat = maps.reshape(*maps.shape[:2], -1)
    places = np.unique(np.linspace(0, flat.shape[2] - 1, _CELLS_PER_PICTURE).round().astype(int))
    return np.moveaxis(flat[:, :, places], 1, -1).reshape(-1, maps.shape[1]).astype(np.float32)


def _principal_axes(rows: Floats, most: int) -> Projection:
    count = min(most, len(rows) - 1, rows.shape[1])
    # Both are exact; which is faster depends on the shape.
    pca = PCA(count, svd_solver="covariance_eigh" if len(rows) > rows.shape[1] else "full").fit(rows)
    return Projection(pca.mean_.astype(np.float32), np.ascontiguousarray(pca.components_, dtype=np.float32))

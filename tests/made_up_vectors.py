"""Vectors that lie to each other as those of pictures do, as many as one likes, to measure search in.

They are unit rows of 256 numbers around 2,000 Gaussian centres. The i-th number spreads like i^-1/2, around its
centre 0.7 times as much as the centres do: with that, 1,400 of them find their nearest at a median score of 0.59
and their tenth at 0.39, where 1,400 real pictures (EfficientNet-Lite2, reduced) find theirs at 0.59 and 0.44.
Queries are further draws around the same centres.
"""

import numpy as np

from indexer.reduction import Floats

DIM, QUERIES = 256, 500
_CLUSTERS, _NOISE, _DECAY = 2_000, 0.7, 0.5


def make_vectors(rows: int, seed: int = 0) -> tuple[Floats, Floats]:
    """(rows, 256) and the queries (500, 256), float32 unit rows."""
    generator = np.random.default_rng(seed)
    spread = (np.arange(1, DIM + 1) ** -_DECAY).astype(np.float32)
    centres = generator.standard_normal((_CLUSTERS, DIM), dtype=np.float32)
    vectors = generator.standard_normal((rows + QUERIES, DIM), dtype=np.float32)
    vectors *= _NOISE
    vectors += centres[generator.integers(0, _CLUSTERS, len(vectors))]
    vectors *= spread
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[:rows], vectors[rows:]

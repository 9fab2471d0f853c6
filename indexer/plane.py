"""Places of a collection's images on a plane, so that what looks alike lies together: t-SNE of its vectors."""

import numpy as np
from numpy.typing import NDArray

from indexer import derived
from indexer.collection import Collection
from indexer.errors import CollectionError
from indexer.reduction import Floats

NAME = "plane"
_PLACES = "places"
_PERPLEXITY = 30.0  # neighbours that a place depends on; scikit-learn's own
_FEW = 10  # images below which neighbourhoods say nothing


def lay_out(vectors: Floats, seed: int = 0) -> NDArray[np.float32]:
    """Places (N, 2) float32 for vectors (N, d); the same seed on the same machine gives the same places.

    Each place depends on at most a third of the others. Fewer than 10 vectors, or vectors that are all equal, are
    shown by their two principal components instead.
    """
    if len(vectors) < _FEW or not np.ptp(vectors, axis=0).any():
        return _principal_components(vectors)
    from sklearn.manifold import TSNE  # noqa: PLC0415 - its import takes a second, and who reads places needs none

    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=-1).fit_transform(vectors)
    return np.asarray(places, dtype=np.float32)


def store(collection: Collection) -> NDArray[np.float32]:
    """Work out the places (N, 2) of a generation's images, row = image id, and keep them beside it."""
    places = lay_out(collection.vectors())
    derived.save(collection, NAME, {_PLACES: places})
    return places


def load(collection: Collection) -> NDArray[np.float32] | None:
    """The places (N, 2) that `store` kept for this very generation; None where it did not.

    Raises:
        CollectionError: they are damaged, or not of this generation.
    """
    arrays = derived.load(collection, NAME)
    if arrays is None:
        return None
    places = arrays.get(_PLACES)
    if places is None or places.shape != (len(collection), 2):
        raise CollectionError(
            f"expected the places of {len(collection)} images, found those of another collection; work them out "
            f"anew: python -m indexer map --collection {collection.path}"
        )
    return np.asarray(places, dtype=np.float32)


def _principal_components(vectors: Floats) -> NDArray[np.float32]:
    """(N, 2), the second column 0 where there is only one component."""
    left, lengths, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    places = np.zeros((len(vectors), 2), dtype=np.float32)
    places[:, : len(lengths)] = (left * lengths)[:, :2]
    return places

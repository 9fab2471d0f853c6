"""What makes vectors comparable: hashes over all that they depend on."""

import hashlib
import json
from dataclasses import asdict, dataclass

from indexer.reduction import Reduction

_POOLING = "mean of the map, signed square root, unit norm"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes a network's input: squashed to a square, scaled to [0, 1], normalised by channel.

    Attributes:
        side: of the square, in pixels.
        resampling: a key of `images.FILTERS`, the one the network was trained with.
        mean: of each channel, in [0, 1].
        std: of each channel, in [0, 1].
    """

    side: int
    resampling: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def embedding_key(weights_sha256: str, preprocessing: Preprocessing) -> str:
    """SHA-256 of all that an embedding depends on before its reduction: weights, preprocessing, pooling."""
    parts = [weights_sha256, asdict(preprocessing), _POOLING]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def fingerprint(key: str, reduction: Reduction) -> str:
    """SHA-256 of `embedding_key` and reduction: two vectors compare only if it is equal."""
    return hashlib.sha256(f"{key} {reduction.digest()}".encode()).hexdigest()

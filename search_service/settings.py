"""The service's settings; the only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import CollectionError

MAX_BATCH = 16
"""Of pictures: all of a batch wait for its last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the service finds what it serves.

    Attributes:
        collection: folder of the collection.
        weights: name or file of the backbone's weights, where they lie elsewhere than at the build.
        voc_root: the devkit with the picture files, where it lies elsewhere than at the build.
        max_batch: how many pictures of concurrent requests are embedded at once, at most.
    """

    collection: Path
    weights: str | None = None
    voc_root: Path | None = None
    max_batch: int = MAX_BATCH

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Settings from LOOKALIKE_COLLECTION, LOOKALIKE_WEIGHTS and LOOKALIKE_VOC_ROOT.

        Raises:
            CollectionError: no collection is named.
        """
        collection = environment.get("LOOKALIKE_COLLECTION")
        if not collection:
            raise CollectionError("expected a collection's folder in LOOKALIKE_COLLECTION, found none; set it")
        voc_root = environment.get("LOOKALIKE_VOC_ROOT")
        return cls(
            collection=Path(collection),
            weights=environment.get("LOOKALIKE_WEIGHTS") or None,
            voc_root=Path(voc_root) if voc_root else None,
        )

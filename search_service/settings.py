"""The service's settings; the only reader of the environment."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.errors import CollectionError, InferenceError
from indexer.inference import AUTO, DEVICES, PRECISIONS, RUNTIMES, Inference

MAX_BATCH = 16
"""Of pictures: all of a batch wait for its last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the service finds what it serves.

    Attributes:
        collection: folder of the collection.
        weights: name or file of the backbone's weights, where they lie elsewhere than at the build.
        voc_root: the devkit with the picture files, where it lies elsewhere than at the build.
        inference: how the backbone is run.
        max_batch: how many pictures of concurrent requests are embedded at once, at most.
        metrics_folder: where several processes count together for Prometheus; None where one counts alone.
    """

    collection: Path
    weights: str | None = None
    voc_root: Path | None = None
    inference: Inference = field(default_factory=Inference)
    max_batch: int = MAX_BATCH
    metrics_folder: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """LOOKALIKE_COLLECTION, and where set LOOKALIKE_WEIGHTS, _VOC_ROOT, _DEVICE, _RUNTIME and _PRECISION.

        PROMETHEUS_MULTIPROC_DIR is prometheus-client's own, for servers of several processes.

        Raises:
            CollectionError: no collection is named.
            InferenceError: a device, runtime or precision is named that there is not.
        """
        collection = environment.get("LOOKALIKE_COLLECTION")
        if not collection:
            raise CollectionError("expected a collection's folder in LOOKALIKE_COLLECTION, found none; set it")
        voc_root = environment.get("LOOKALIKE_VOC_ROOT")
        metrics_folder = environment.get("PROMETHEUS_MULTIPROC_DIR")
        return cls(
            collection=Path(collection),
            weights=environment.get("LOOKALIKE_WEIGHTS") or None,
            voc_root=Path(voc_root) if voc_root else None,
            inference=Inference(
                device=_choice(environment, "LOOKALIKE_DEVICE", DEVICES),
                runtime=_choice(environment, "LOOKALIKE_RUNTIME", RUNTIMES),
                precision=_choice(environment, "LOOKALIKE_PRECISION", PRECISIONS),
            ),
            metrics_folder=Path(metrics_folder) if metrics_folder else None,
        )


def _choice(environment: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    chosen = environment.get(name) or AUTO
    if chosen not in choices:
        raise InferenceError(f"expected {', '.join(choices)} in {name}, found {chosen!r:.50}; mend it")
    return chosen

"""The service's settings; the only reader of the environment."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer import places, store_addresses
from indexer.errors import CollectionError, InferenceError
from indexer.inference import AUTO, DEVICES, PRECISIONS, RUNTIMES, Inference
from search_service.access import Access
from search_service.api_keys import read_keys

MAX_BATCH = 16
"""Of pictures: all of a batch wait for its last."""
LIGHT_THREADS = 16
"""For requests that are answered whatever else goes on, and for turning others away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the service finds what it serves.

    Attributes:
        collection: folder of the collection.
        weights: name or file of the backbone's weights, where they lie elsewhere than at the build.
        voc_root: the devkit with the picture files, where it lies elsewhere than at the build.
        inference: how the backbone is run.
        max_batch: how many pictures of concurrent requests are embedded at once, at most.
        access: who may ask.
        metrics_folder: where several processes count together for Prometheus; None where one counts alone.
        vectors, metadata: addresses of the collection's servers; None for those that its folder tells.
    """

    collection: Path
    weights: str | None = None
    voc_root: Path | None = None
    inference: Inference = field(default_factory=Inference)
    max_batch: int = MAX_BATCH
    access: Access = field(default_factory=Access)
    metrics_folder: Path | None = None
    vectors: str | None = None
    metadata: str | None = None

    def keep_addresses(self) -> None:
        """Have the collection's folder tell the addresses that are given here, for all that opens it.

        Raises:
            CollectionError: as `settle_addresses`.
        """
        known = store_addresses.load(self.collection)
        addresses = store_addresses.settle_addresses(known, self.vectors, self.metadata)
        if addresses and addresses != known:
            store_addresses.save(self.collection, addresses)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """LOOKALIKE_COLLECTION; where set, _WEIGHTS, _VOC_ROOT, _DEVICE, _RUNTIME, _PRECISION, _API_KEY_FILE.

        LOOKALIKE_VECTORS and _METADATA, where set, are addresses of servers, and may hold passwords.

        PROMETHEUS_MULTIPROC_DIR is prometheus-client's own, for servers of several processes.

        Raises:
            CollectionError: no collection is named.
            InferenceError: a device, runtime or precision is named that there is not.
            KeyFileError: as `read_keys`.
            OSError: there is no such file of keys.
        """
        collection = environment.get("LOOKALIKE_COLLECTION")
        if not collection:
            raise CollectionError("expected a collection's folder in LOOKALIKE_COLLECTION, found none; set it")
        voc_root = environment.get("LOOKALIKE_VOC_ROOT")
        key_file = environment.get("LOOKALIKE_API_KEY_FILE")
        metrics_folder = environment.get("PROMETHEUS_MULTIPROC_DIR")
        return cls(
            collection=Path(collection),
            weights=environment.get("LOOKALIKE_WEIGHTS") or None,
            voc_root=places.place(voc_root) if voc_root else None,
            inference=Inference(
                device=_choice(environment, "LOOKALIKE_DEVICE", DEVICES),
                runtime=_choice(environment, "LOOKALIKE_RUNTIME", RUNTIMES),
                precision=_choice(environment, "LOOKALIKE_PRECISION", PRECISIONS),
            ),
            access=Access(keys=read_keys(Path(key_file)) if key_file else None),
            metrics_folder=Path(metrics_folder) if metrics_folder else None,
            vectors=environment.get("LOOKALIKE_VECTORS") or None,
            metadata=environment.get("LOOKALIKE_METADATA") or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How the service answers.

    Attributes:
        host: address that it listens at.
        port: of that address.
        workers: processes.
        threads: requests of each process that are at work at once, at most.
        queue: requests of each process that wait for that, at most.
        deadline: seconds in which a request has to be answered.
        grace: seconds that a service that is told to stop takes to finish what was begun, at most.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int = 16
    queue: int = 64
    deadline: float = 30.0
    grace: float = 30.0

    @property
    def pool(self) -> int:
        """Threads of each process: for requests at work, for those that wait, and for what need not wait."""
        return self.threads + self.queue + LIGHT_THREADS


def _choice(environment: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    chosen = environment.get(name) or AUTO
    if chosen not in choices:
        raise InferenceError(f"expected {', '.join(choices)} in {name}, found {chosen!r:.50}; mend it")
    return chosen

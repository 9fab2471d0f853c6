"""Which store a collection has, as its folder tells."""

import importlib
from pathlib import Path

from indexer import store_addresses
from indexer.embedded_store import EmbeddedStore
from indexer.generations import is_embedded
from indexer.store import Store
from indexer.store_addresses import Addresses


def store_of(path: Path) -> Store:
    """The store in which the published generation of a collection lies.

    Raises:
        CollectionError: the folder does not tell it well.
    """
    return store_at(path, store_addresses.load(path))


def store_at(path: Path, addresses: Addresses | None) -> Store:
    """The store of a collection at these addresses; None for its folder."""
    if addresses is None:
        return EmbeddedStore(path)
    # What it needs is installed, and takes its time to import, for those alone who use servers.
    shared = importlib.import_module("indexer.shared_store")
    store: Store = shared.SharedStore(path, addresses)
    return store


def store_of_generation(folder: Path) -> Store:
    """The store in which a generation lies, which may be another than that of the next."""
    path = folder.parents[1]
    return EmbeddedStore(path) if is_embedded(folder) else store_of(path)

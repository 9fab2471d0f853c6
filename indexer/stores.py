"""Which store a collection has, as its folder tells."""

from pathlib import Path

from indexer.embedded_store import EmbeddedStore
from indexer.store import Store


def store_of(path: Path) -> Store:
    """The store in which the published generation of a collection lies, and the next will."""
    return EmbeddedStore(path)

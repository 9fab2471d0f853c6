"""What is in a collection, as one flat record."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer.collection import Collection
from indexer.generation_files import INDEX_FILE
from indexer.index_settings import IndexNote


def describe(path: Path) -> dict[str, Any]:
    """Facts of the published generation, ready for JSON; sizes in bytes.

    Raises:
        CollectionError: there is none, or it is damaged.
    """
    with Collection.open(path) as collection:
        manifest, index = collection.manifest, collection.manifest.indexes[INDEX_FILE]
        return {
            "images": manifest.images,
            "objects": manifest.objects,
            "skipped": manifest.skipped,
            "used": manifest.accounts,
            "notices": [asdict(notice) for notice in collection.notices()],
            "classes": collection.class_counts(),
            "splits": manifest.splits,
            "made_split": manifest.made_split,
            "generation": manifest.generation,
            "created": manifest.created,
            "fingerprint": manifest.fingerprint,
            "backbone": manifest.backbone.name,
            "weights": manifest.backbone.weights,
            "side": manifest.backbone.side,
            "embedded_with": list(manifest.embedded_with),
            "vector_dim": manifest.vector_dim,
            "map_shape": manifest.map_shapes.get("deep"),
            "fine_map_shape": manifest.map_shapes.get("fine"),
            "reduction_pictures": manifest.reduction.pictures if manifest.reduction else None,
            "index": index.kind,
            "index_asked": manifest.index.kind,
            "index_storage": index.storage,
            "index_parameters": {**index.parameters, **_efforts(index)},
            "recall_asked": manifest.index.recall,
            "recall_at_10": index.recall,
            "query_ms": index.milliseconds,
            "object_index": manifest.object_index,
            "vectors_in": collection.store.places[0],
            "metadata_in": collection.store.places[1],
            "voc_root": manifest.voc_root,
            "bytes": sum(file["bytes"] for file in manifest.files.values()),
        }


def _efforts(index: IndexNote) -> dict[str, int]:
    """What is done for so many results."""
    return {f"to {depth}:": effort for depth, effort in index.efforts}

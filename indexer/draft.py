"""The manifest of a generation to come; its files and indexes are not written yet."""

from datetime import UTC, datetime

from indexer import places, voc
from indexer.assembly import Assembly
from indexer.build_settings import BuildSettings
from indexer.embedder import Embedder
from indexer.fingerprint import fingerprint
from indexer.manifest import Manifest, ReductionNote
from indexer.reduction import Reduction


def draft_manifest(
    number: int, settings: BuildSettings, embedder: Embedder, reduction: Reduction, assembly: Assembly
) -> Manifest:
    """Of what is to be published under this number, embedded by this embedder alone, with nothing left out."""
    images = assembly.images
    labels = [label.class_name for image in images for label in image.objects]
    splits = [image.split or "" for image in images]
    return Manifest(
        generation=number,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        voc_root=places.absolute(voc.find_root(settings.voc_root)),
        split=settings.split,
        backbone=embedder.note,
        embedding_key=embedder.key,
        fingerprint=fingerprint(embedder.key, reduction),
        embedded_with=(str(embedder.inference),),
        reduction=ReductionNote(pictures=reduction.pictures) if settings.reduce else None,
        vector_dim=assembly.vector_dim(),
        map_shapes=assembly.map_shapes() if settings.keep_maps else {},
        index=settings.index,
        indexes={},
        object_index=settings.index_objects,
        annotated_frame=settings.annotated_frame,
        images=len(images),
        objects=len(labels),
        classes=voc.order_classes(labels),
        splits={split: splits.count(split) for split in sorted(set(splits))},
        skipped=0,
        files={},
    )

"""A collection of any size with made-up vectors, to measure on: a few drawn pictures, linked many times."""

import os
from pathlib import Path

import numpy as np

from indexer import backbones, derived, sample, voc
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.fingerprint import fingerprint
from indexer.generation import GenerationWriter
from indexer.index_settings import DEFAULT_SETTINGS
from indexer.manifest import Manifest, ReductionNote
from indexer.records import Box, IndexedImage, ObjectLabel
from indexer.reduction import VECTOR_DIM, Floats, Projection, Reduction, unit_rows
from indexer.stores import store_of

_DRAWN, _CLUSTERS, _CHANNELS = 40, 100, 1280
_POSES = ("Left", "Right", "Frontal", "Rear", "Unspecified")


def make_collection(path: Path, images: int, *, seed: int = 0) -> Path:
    """A published collection of so many images with one to four objects each, laid out on a made-up plane."""
    generator = np.random.default_rng(seed)
    root = sample.draw_devkit(path.with_name("devkit") / "VOCdevkit", _DRAWN, seed)
    records = [_record(generator, number) for number in range(images)]
    for record in records[_DRAWN:]:
        drawn = voc.picture_path(root, f"{record.image_id % _DRAWN:06d}.jpg")
        os.link(drawn, voc.picture_path(root, record.filename))
    centres = generator.normal(size=(_CLUSTERS, VECTOR_DIM))
    members = generator.integers(0, _CLUSTERS, images)
    vectors = unit_rows((centres[members] + 0.7 * generator.normal(size=(images, VECTOR_DIM))).astype(np.float32))
    _publish(path, root, records, vectors)
    with Collection.open(path) as collection:
        places = 60 * generator.normal(size=(_CLUSTERS, 2))[members] + 9 * generator.normal(size=(images, 2))
        derived.save(collection, "plane", {"places": places.astype(np.float32)})
    return path


def _record(generator: np.random.Generator, number: int) -> IndexedImage:
    labels = []
    for _ in range(generator.integers(1, 5)):
        left, upper = generator.uniform(0, 300, 2)
        width, height = generator.uniform(20, 180, 2)
        name, pose = voc.CLASS_NAMES[generator.integers(20)], _POSES[generator.integers(5)]
        truncated, occluded, difficult = (bool(one) for one in generator.random(3) < (0.3, 0.3, 0.1))
        box = Box(left, upper, left + width, min(375.0, upper + height))
        labels.append(ObjectLabel(name, box, pose, truncated, occluded, difficult))
    return IndexedImage(
        filename=f"{number:06d}.jpg",
        split="val" if number % 3 == 2 else "train",
        objects=tuple(labels),
        image_id=number,
        sha256=f"{number:064x}",
        width=500,
        height=375,
    )


def _publish(path: Path, root: Path, records: list[IndexedImage], vectors: Floats) -> None:
    embedder = Embedder(backbones.load("efficientnet_lite2"))
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(_CHANNELS, VECTOR_DIM)))[0].T
    mean = np.zeros(_CHANNELS, dtype=np.float32)
    reduction = Reduction(Projection(mean, np.ascontiguousarray(axes, dtype=np.float32)), {}, len(records))
    writer = GenerationWriter(store_of(path), path / "building", 1, records)
    writer.write_vectors(vectors, reduction, DEFAULT_SETTINGS)
    writer.write_records([])
    splits = [record.split or "" for record in records]
    writer.publish(
        Manifest(
            generation=1,
            created="2000-01-01T00:00:00+00:00",
            voc_root=str(root.resolve()),
            split="all",
            backbone=embedder.note,
            embedding_key=embedder.key,
            fingerprint=fingerprint(embedder.key, reduction),
            embedded_with=(),
            reduction=ReductionNote(pictures=len(records)),
            vector_dim=VECTOR_DIM,
            map_shapes={},
            index=DEFAULT_SETTINGS,
            indexes=writer.indexes,
            object_index=False,
            images=len(records),
            objects=sum(len(record.objects) for record in records),
            classes=voc.CLASS_NAMES,
            splits={split: splits.count(split) for split in sorted(set(splits))},
            skipped=0,
            files=writer.describe_files(),
        )
    )

"""Copies of a collection's images, as people make them, to see whether a search finds the originals by them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer import derived, images, places
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.errors import ImageError, LookalikeError
from indexer.records import IndexedImage
from indexer.reduction import Embedding, Floats
from indexer.voc import picture_path

ORIGINALS = 150
NAME = "copies"
_AT_ONCE = 12  # originals

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Copies:
    """N copies, embedded.

    Attributes:
        image_ids: (N,) int64, of the originals.
        kinds: (N,) names, see `images.COPIES`.
        embedding: vectors, and maps where they were wanted.
    """

    image_ids: NDArray[np.int64]
    kinds: NDArray[np.str_]
    embedding: Embedding


def originals(collection: Collection, seed: int = 0) -> list[IndexedImage]:
    """`ORIGINALS` images of a collection, or all where there are fewer, drawn by seed."""
    drawn = np.random.default_rng(seed).permutation(len(collection))[:ORIGINALS]
    return collection.images(sorted(drawn.tolist()))


def embed_copies(collection: Collection, chosen: Sequence[IndexedImage], *, keep_maps: bool) -> Copies | None:
    """Decode the files of images, copy them in each way, and embed the copies as the collection was embedded.

    What cannot be read is left out; None, with a warning, where the backbone cannot be had, or nothing be read.
    """
    try:
        embedder = Embedder.for_collection(collection.manifest, bulk=True)
        parts = [
            part
            for start in range(0, len(chosen), _AT_ONCE)
            if (part := _embed(collection, embedder, chosen[start : start + _AT_ONCE], keep_maps=keep_maps))
        ]
    except LookalikeError as error:
        logger.warning("No copies are made to search with: %s", error)
        return None
    if not parts:
        logger.warning("No copies are made to search with: no file of a picture can be read")
        return None
    maps = [part.embedding.maps for part in parts]
    return Copies(
        image_ids=np.concatenate([part.image_ids for part in parts]),
        kinds=np.concatenate([part.kinds for part in parts]),
        embedding=Embedding(
            np.concatenate([part.embedding.vectors for part in parts]),
            {stage: np.concatenate([one[stage] for one in maps]) for stage in maps[0]},
        ),
    )


def keep_rows(collection: Collection, copies: Copies, rows: Floats, source: str) -> None:
    """Keep the semantic rows (N, d) of copies beside the generation; `source` as that of the semantic index."""
    arrays = {"image_ids": copies.image_ids, "kinds": copies.kinds, "rows": rows, "source": np.array(source)}
    derived.save(collection, NAME, arrays)


def kept_rows(collection: Collection, source: str) -> dict[tuple[int, str], Floats] | None:
    """(image id of the original, kind) -> semantic row (d,); None where none of that source were kept.

    Raises:
        CollectionError: what was kept is damaged.
    """
    arrays = derived.load(collection, NAME)
    if arrays is None or str(arrays["source"]) != source:
        return None
    keys = zip(arrays["image_ids"].tolist(), arrays["kinds"].tolist(), strict=True)
    return dict(zip(keys, arrays["rows"], strict=True))


def _embed(
    collection: Collection, embedder: Embedder, chosen: Sequence[IndexedImage], *, keep_maps: bool
) -> Copies | None:
    root = places.place(collection.manifest.voc_root)
    image_ids, kinds, pixels = [], [], []
    for image in chosen:
        try:
            picture = images.decode(picture_path(root, image.filename).read_bytes())
        except (ImageError, OSError):
            continue
        for kind, copy in images.copies(picture).items():
            image_ids.append(image.image_id)
            kinds.append(kind)
            pixels.append(embedder.pixels(copy))
    if not pixels:
        return None
    embedding = embedder.embed(pixels, collection.reduction, keep_maps=keep_maps)
    return Copies(image_ids=np.array(image_ids), kinds=np.array(kinds), embedding=embedding)

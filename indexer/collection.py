"""A collection on disk: its published generation opened as one whole, index, database, maps and manifest in step.

Layout: `generations/000001/` and so on, each complete and never changed again. The one with the highest number
is published: a new one is built elsewhere in the folder and moved in by one rename (`generation.py`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from indexer.database import Database
from indexer.errors import CollectionError
from indexer.fingerprint import fingerprint
from indexer.manifest import Manifest, check_files
from indexer.records import Hit, IndexedImage, SkippedImage
from indexer.reduction import Embedding, Floats, Reduction, StageMaps
from indexer.vector_index import VectorIndex

INDEX_FILE, DATABASE_FILE, REDUCTION_FILE = "index.faiss", "metadata.sqlite", "reduction.npz"


def maps_file(stage: str) -> str:
    """Name of the file of a stage's maps."""
    return f"maps-{stage}.npy"


def generations(path: Path) -> list[Path]:
    """The folders of the generations of a collection, oldest first; the last is the published one."""
    return sorted(
        folder for folder in (path / "generations").glob("*") if folder.name.isdecimal() and folder.is_dir()
    )


class Collection:
    """One published generation, open for reading from any number of threads.

    Attributes:
        folder: of the generation.
        manifest: what it says of itself.
        reduction: what its vectors and maps went through.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = Manifest.load(folder)
        check_files(folder, self.manifest.files)
        self.reduction = Reduction.load(folder / REDUCTION_FILE)
        self._index = VectorIndex.load(folder / INDEX_FILE)
        self._database = Database(folder / DATABASE_FILE)
        self._maps = {
            stage: np.load(folder / maps_file(stage), mmap_mode="r") for stage in self.manifest.map_shapes
        }
        self._check_agreement()

    @classmethod
    def open(cls, path: Path) -> "Collection":
        """Open what is published in a collection's folder.

        Raises:
            CollectionError: nothing is published there, or its parts are damaged or do not agree.
        """
        published = generations(path)
        if not published:
            raise CollectionError(
                f"expected a collection in {path}, found none; build one: "
                f"python -m indexer build --voc-root DIR --collection {path}"
            )
        return cls(published[-1])

    @property
    def path(self) -> Path:
        """The collection's folder, in which the generation's lies."""
        return self.folder.parents[1]

    def close(self) -> None:
        """Give its files back."""
        self._database.close()

    def __len__(self) -> int:
        return len(self._index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def images(self, image_ids: Sequence[int]) -> list[IndexedImage]:
        """The images of these ids, in the order asked for; ids that are not there are left out."""
        return self._database.images(image_ids)

    def all_images(self) -> list[IndexedImage]:
        """Every image, by id."""
        return self._database.all_images()

    def class_counts(self) -> dict[str, int]:
        """Class -> number of objects, in the collection's order of classes."""
        counts = self._database.class_counts()
        return {name: counts[name] for name in self.manifest.classes}

    def skipped(self) -> list[SkippedImage]:
        """The pictures that could not be indexed."""
        return self._database.skipped()

    def vectors(self) -> Floats:
        """All vectors, (N, d) float32 unit rows; row = image id."""
        return self._index.vectors()

    def vector(self, image_id: int) -> Floats:
        """One vector, (d,) float32 of unit length."""
        return self._index.vector(image_id)

    def embedding(self, image_id: int) -> Embedding:
        """Vector and maps of one image, as N = 1 of them."""
        maps = {stage: np.asarray(maps[image_id : image_id + 1]) for stage, maps in self._maps.items()}
        return Embedding(self.vector(image_id)[np.newaxis], maps)

    @property
    def maps(self) -> StageMaps:
        """All maps, read from disk as they are touched; empty where they are not kept."""
        return self._maps

    def nearest(self, vector: Floats, k: int, exclude: Sequence[int] = ()) -> list[Hit]:
        """The k images closest to a vector (d,) of this collection's fingerprint, best first."""
        return self._index.nearest(vector, k, exclude)

    def _check_agreement(self) -> None:
        """Hold the parts against the manifest: each may be whole, and of another generation than the others."""
        manifest = self.manifest
        expected = (
            manifest.images,
            manifest.images,
            manifest.vector_dim,
            {stage: (manifest.images, *shape) for stage, shape in manifest.map_shapes.items()},
            manifest.fingerprint,
        )
        found = (
            self._database.count(),
            len(self._index),
            self._index.dim,
            {stage: maps.shape for stage, maps in self._maps.items()},
            fingerprint(manifest.embedding_key, self.reduction),
        )
        if found != expected:
            raise CollectionError(
                f"the parts of {self.folder} do not agree: expected (images, rows, vector length, map shapes, "
                f"fingerprint) = {expected}, found {found}; build with --from-scratch"
            )

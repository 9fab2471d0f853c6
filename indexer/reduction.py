"""The reduction: centring and principal axes, for vectors and for map channels; stored with a collection."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STAGES = ("deep", "fine")
"""The stages of a backbone that maps are taken from: deep ones tell what it is, fine ones where it ends."""

VECTOR_DIM = 256
MAP_CHANNELS: Mapping[str, int] = {"deep": 128, "fine": 32}
MAX_PICTURES = 2_000  # that a reduction is learned from

_LEAST_NORM = 1e-12  # below it a row counts as zero
_HALF_MAX = float(np.finfo(np.float16).max)

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
StageMaps = Mapping[str, Halves]
"""Stage -> (N, c, h, w) float16, in memory mostly channels last; empty where maps are not kept."""


@dataclass(frozen=True, slots=True, eq=False)
class RawEmbedding:
    """N pictures before the reduction: `pooled` (N, C) float32 unit rows, `maps` of each stage (N, C, h, w)."""

    pooled: Floats
    maps: Mapping[str, Floats | Halves]


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """N pictures: `vectors` (N, d) float32 unit rows, `maps` reduced."""

    vectors: Floats
    maps: StageMaps


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Rows minus `mean` (C,) float32, on the axes (k, C) float32, which are orthonormal rows."""

    mean: Floats
    axes: Floats

    def apply(self, rows: Floats) -> Floats:
        """(N, C) float32 -> (N, k) float32."""
        return np.asarray(rows @ self.axes.T - self.mean @ self.axes.T, dtype=np.float32)

    def one_by_one(self, parts: Floats) -> Floats:
        """(N, n, C) float32 -> (N, n, k) float32, each part by itself.

        Linear algebra rounds by the shape it is given: together, a picture would come out a bit otherwise in
        another batch, and one that is embedded again would not be what it was.
        """
        return np.stack([self.apply(part) for part in parts])

    def digest(self) -> str:
        """SHA-256 over shape and bytes."""
        header = json.dumps(self.axes.shape).encode()
        return hashlib.sha256(header + self.mean.tobytes() + self.axes.tobytes()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """What vectors and map channels are projected with; what has no projection is left as it is.

    Attributes:
        vector: of pooled maps.
        channels: stage -> projection of its map's channels.
        pictures: number of pictures it was learned from.
    """

    vector: Projection | None = None
    channels: Mapping[str, Projection] = field(default_factory=dict)
    pictures: int = 0

    def reduce(self, raw: RawEmbedding) -> Embedding:
        """Both vectors and maps."""
        return Embedding(self.reduce_vectors(raw.pooled), self.reduce_maps(raw.maps))

    def reduce_vectors(self, pooled: Floats) -> Floats:
        """(N, C) float32 -> (N, k) float32, unit rows."""
        return unit_rows(self.vector.one_by_one(pooled[:, np.newaxis])[:, 0] if self.vector else pooled)

    def reduce_maps(self, maps: Mapping[str, Floats | Halves]) -> StageMaps:
        """Stage -> (N, C, h, w) becomes stage -> (N, k, h, w) float16."""
        return {stage: _project_cells(one, self.channels.get(stage)) for stage, one in maps.items()}

    def digest(self) -> str:
        """SHA-256 over all projections."""
        parts = {name: part.digest() for name, part in self._parts().items()}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write an `.npz` that `load` reads."""
        arrays: dict[str, NDArray[Any]] = {"pictures": np.array(self.pictures)}
        for name, part in self._parts().items():
            arrays |= {f"{name}_mean": part.mean, f"{name}_axes": part.axes}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Reduction":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            parts = {
                name: Projection(file[f"{name}_mean"], file[f"{name}_axes"])
                for name in ("vector", *STAGES)
                if f"{name}_mean" in file
            }
            return cls(parts.pop("vector", None), parts, int(file["pictures"]))

    def _parts(self) -> dict[str, Projection]:
        return {**({"vector": self.vector} if self.vector else {}), **self.channels}


def _project_cells(maps: Floats | Halves, projection: Projection | None) -> Halves:
    """(N, C, h, w) -> (N, k, h, w) float16, cell by cell."""
    if projection is None:
        return to_half(maps)
    count, channels, height, width = maps.shape
    cells = np.moveaxis(maps, 1, -1).reshape(count, -1, channels).astype(np.float32, copy=False)
    reduced = projection.one_by_one(cells).reshape(count, height, width, -1)
    return np.moveaxis(to_half(reduced), -1, 1)


def unit_rows(rows: Floats) -> Floats:
    """Rows divided by their Euclidean norm; a row of zeros stays one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = rows / np.maximum(norms, _LEAST_NORM)
    return scaled


def to_half(values: Floats | Halves) -> Halves:
    """float16, with what lies beyond its range put on its ends."""
    return np.clip(values, -_HALF_MAX, _HALF_MAX).astype(np.float16)

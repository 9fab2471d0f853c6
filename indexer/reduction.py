"""The reduction: centring and principal axes, for vectors and for map channels; stored with a collection."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VECTOR_DIM = 256
MAP_CHANNELS = 128
MAX_PICTURES = 2_000  # that a reduction is learned from

_LEAST_NORM = 1e-12  # below it a row counts as zero
_HALF_MAX = float(np.finfo(np.float16).max)

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Rows minus `mean` (C,) float32, on the axes (k, C) float32, which are orthonormal rows."""

    mean: Floats
    axes: Floats

    def apply(self, rows: Floats) -> Floats:
        """(N, C) float32 -> (N, k) float32."""
        return np.asarray((rows - self.mean) @ self.axes.T, dtype=np.float32)

    def digest(self) -> str:
        """SHA-256 over shape and bytes."""
        header = json.dumps(self.axes.shape).encode()
        return hashlib.sha256(header + self.mean.tobytes() + self.axes.tobytes()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """What vectors and map channels are projected with; None leaves them as they are.

    Attributes:
        pictures: number of pictures it was learned from.
    """

    vector: Projection | None = None
    channel: Projection | None = None
    pictures: int = 0

    def reduce_vectors(self, pooled: Floats) -> Floats:
        """(N, C) float32 -> (N, k) float32, unit rows."""
        return unit_rows(self.vector.apply(pooled) if self.vector else pooled)

    def reduce_maps(self, maps: Floats | Halves) -> Halves:
        """(N, C, h, w) -> (N, k, h, w) float16."""
        if self.channel is None:
            return to_half(maps)
        count, channels, height, width = maps.shape
        cells = np.moveaxis(maps, 1, -1).reshape(-1, channels).astype(np.float32)
        reduced = self.channel.apply(cells).reshape(count, height, width, -1)
        return to_half(np.ascontiguousarray(np.moveaxis(reduced, -1, 1)))

    def digest(self) -> str:
        """SHA-256 over both projections."""
        parts = [part.digest() if part else None for part in (self.vector, self.channel)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write an `.npz` that `load` reads."""
        arrays: dict[str, NDArray[Any]] = {"pictures": np.array(self.pictures)}
        for name, part in (("vector", self.vector), ("channel", self.channel)):
            if part:
                arrays |= {f"{name}_mean": part.mean, f"{name}_axes": part.axes}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Reduction":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            vector, channel = (
                Projection(file[f"{name}_mean"], file[f"{name}_axes"]) if f"{name}_mean" in file else None
                for name in ("vector", "channel")
            )
            return cls(vector, channel, int(file["pictures"]))


def unit_rows(rows: Floats) -> Floats:
    """Rows divided by their Euclidean norm; a row of zeros stays one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = rows / np.maximum(norms, _LEAST_NORM)
    return scaled


def to_half(values: Floats | Halves) -> Halves:
    """float16, with what lies beyond its range put on its ends."""
    return np.clip(values, -_HALF_MAX, _HALF_MAX).astype(np.float16)

"""What a build has embedded so far, piece by piece on disk, so that a killed build loses one batch at most."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.durable import make_folder, settle
from indexer.reduction import STAGES, Embedding, Floats, Halves, RawEmbedding, Reduction

_RAW, _REDUCED = ".raw.npz", ".npz"
_REDUCTION = "reduction"
# numpy reads headers by the module ast, which now and then fails in several threads before CPython 3.11.8 (issue
# 106905 of CPython).
_READING = Lock()
_FORGOTTEN = "staging-forgotten"  # the next build throws it away as it does other kinds


@dataclass(frozen=True, slots=True, eq=False)
class StagedPiece:
    """N embedded pictures.

    Attributes:
        keys: of the files, or parts of them: a whole file goes by its sha256.
        sizes: (N, 2) int32, width and height in pixels.
        rows: (N, d) float32 unit rows, before or after the reduction.
        maps: of each stage, float32 before and float16 after the reduction.
    """

    keys: tuple[str, ...]
    sizes: NDArray[np.int32]
    rows: Floats
    maps: Mapping[str, Floats | Halves]

    @classmethod
    def of(
        cls, keys: Sequence[str], sizes: NDArray[np.int32], embedded: RawEmbedding | Embedding
    ) -> "StagedPiece":
        """The piece of an embedding."""
        rows = embedded.pooled if isinstance(embedded, RawEmbedding) else embedded.vectors
        return cls(tuple(keys), sizes, rows, embedded.maps)


class Staging:
    """The folder of one kind of embedding; folders of other kinds beside it are thrown away."""

    def __init__(self, building: Path, kind: str) -> None:
        self._folder = building / f"staging-{hashlib.sha256(kind.encode()).hexdigest()[:16]}"
        for other in building.glob("staging-*"):
            if other != self._folder:
                shutil.rmtree(other)
        make_folder(self._folder)
        for torn in self._folder.glob("*.part"):
            torn.unlink()

    def put(self, piece: StagedPiece) -> None:
        """Keep a reduced piece."""
        self._write(piece, _REDUCED)

    def put_raw(self, piece: StagedPiece) -> None:
        """Keep a piece until a reduction is learned."""
        self._write(piece, _RAW)

    def pieces(self, *, with_maps: bool = True) -> Iterator[StagedPiece]:
        """The reduced pieces; without their maps where those are not asked for."""
        return (_read(path, with_maps=with_maps) for path in self._files(_REDUCED))

    def raw_pieces(self) -> Iterator[StagedPiece]:
        """The pieces that wait for a reduction."""
        return (_read(path, with_maps=True) for path in self._files(_RAW))

    def reduce_raw(self, reduction: Reduction) -> None:
        """Reduce the pieces that waited for it, as many at once as there are cores."""
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for done in [threads.submit(self._reduce, path, reduction) for path in self._files(_RAW)]:
                done.result()

    def _reduce(self, path: Path, reduction: Reduction) -> None:
        raw = _read(path, with_maps=True)
        self.put(StagedPiece.of(raw.keys, raw.sizes, reduction.reduce(RawEmbedding(raw.rows, raw.maps))))
        path.unlink()

    def known(self) -> set[str]:
        """The keys of all that is staged."""
        files = self._files(_RAW) + self._files(_REDUCED)
        return {key for path in files for key in _keys(path)}

    def save_reduction(self, reduction: Reduction) -> None:
        """Keep the reduction that the reduced pieces went through."""
        path = self._folder / f"{_REDUCTION}.npz"
        part = path.with_suffix(".part")
        reduction.save(part)
        settle(part, path)

    def load_reduction(self) -> Reduction | None:
        """What `save_reduction` kept."""
        path = self._folder / f"{_REDUCTION}.npz"
        return Reduction.load(path) if path.exists() else None

    def clear(self) -> None:
        """Forget all of it at once: pieces without the reduction that they went through would mislead."""
        forgotten = self._folder.with_name(_FORGOTTEN)
        self._folder.rename(forgotten)
        shutil.rmtree(forgotten)

    def _files(self, ending: str) -> list[Path]:
        files = sorted(self._folder.glob("piece-*"))
        return [path for path in files if path.name.endswith(_RAW) == (ending == _RAW) and path.suffix == ".npz"]

    def _path(self, piece: StagedPiece, ending: str) -> Path:
        name = hashlib.sha256(" ".join(piece.keys).encode()).hexdigest()[:16]
        return self._folder / f"piece-{name}{ending}"

    def _write(self, piece: StagedPiece, ending: str) -> None:
        path = self._path(piece, ending)
        part = path.with_suffix(".part")
        arrays: dict[str, NDArray[Any]] = {
            "keys": np.array(piece.keys),
            "sizes": piece.sizes,
            "rows": piece.rows,
        }
        arrays |= {f"maps_{stage}": np.moveaxis(maps, 1, -1) for stage, maps in piece.maps.items()}
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        settle(part, path)


def _read(path: Path, *, with_maps: bool) -> StagedPiece:
    with _READING, np.load(path, allow_pickle=False) as file:
        kept = [stage for stage in STAGES if with_maps and f"maps_{stage}" in file]
        maps = {stage: np.moveaxis(file[f"maps_{stage}"], -1, 1) for stage in kept}
        return StagedPiece(tuple(map(str, file["keys"])), file["sizes"], file["rows"], maps)


def _keys(path: Path) -> list[str]:
    with np.load(path, allow_pickle=False) as file:
        return list(map(str, file["keys"]))

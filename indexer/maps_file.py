"""A stage's maps on disk, an `.npy` file that is written and copied piece by piece.

A mapped file would be simpler, but what is touched of it counts as memory: the maps of a whole collection would.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from indexer.reduction import Halves
from indexer.row_checksums import checksum

_TYPE = np.dtype(np.float16)


class MapsFile:
    """(count, *shape) float16, open for reading and writing of rows; close it to be sure that all is written.

    Attributes:
        checksums: of the rows that were put, (count,).
    """

    def __init__(self, path: Path, mode: str, known: tuple[int, tuple[int, ...]] | None = None) -> None:
        """Open; `known` are start and shape of the rows where the header is not to be trusted."""
        self._file = path.open(mode)
        self._start, (self.count, *shape) = known or self._read_header()
        self.shape = tuple(shape)
        self.checksums = np.zeros(self.count, dtype=np.uint32)
        self._stride = int(np.prod(shape)) * _TYPE.itemsize

    @classmethod
    def create(cls, path: Path, count: int, shape: Sequence[int]) -> "MapsFile":
        """Make a file of zeros, to be filled."""
        header = {"descr": np.lib.format.dtype_to_descr(_TYPE), "fortran_order": False, "shape": (count, *shape)}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + count * int(np.prod(shape)) * _TYPE.itemsize)
        return cls(path, "r+b")

    def put(self, row: int, one: Halves) -> None:
        """Write the maps (*shape) float16 of one row."""
        content = np.ascontiguousarray(one, dtype=_TYPE)
        self.checksums[row] = checksum(content)
        self._file.seek(self._start + row * self._stride)
        self._file.write(content)

    def get(self, row: int) -> Halves:
        """The maps of one row, (*shape) float16."""
        self._file.seek(self._start + row * self._stride)
        return np.frombuffer(self._file.read(self._stride), dtype=_TYPE).reshape(self.shape)

    def _read_header(self) -> tuple[int, tuple[int, ...]]:
        if np.lib.format.read_magic(self._file) != (1, 0):
            raise ValueError(f"expected version 1.0 of npy in {self._file.name}")
        shape, _, _ = np.lib.format.read_array_header_1_0(self._file)
        return self._file.tell(), shape

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

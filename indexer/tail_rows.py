"""Rows at the end of a file of known size, behind a header of any kind: read though the rest be damaged."""

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.row_checksums import Checksums


class TailRows:
    """Rows of `stride` bytes each; the last ends where the file ended, at `size` bytes, when it was whole."""

    def __init__(self, path: Path, size: int, count: int, stride: int) -> None:
        self._path = path
        self.count = count
        self._stride = stride
        self.start = size - count * stride

    def intact(self, checksums: Checksums) -> NDArray[np.bool_]:
        """(rows,): which of them have their checksum still; none where the file is gone."""
        found = np.zeros(self.count, dtype=np.bool_)
        if self._path.is_file():
            with self._path.open("rb") as file:
                file.seek(self.start)
                for row, expected in enumerate(checksums.tolist()):
                    found[row] = zlib.crc32(file.read(self._stride)) == expected
        return found

    def vectors(self) -> NDArray[np.float32]:
        """All of them, (rows, stride / 4); zeros for what is gone."""
        content = bytearray(self.count * self._stride)
        if self._path.is_file():
            with self._path.open("rb") as file:
                file.seek(self.start)
                file.readinto(content)
        return np.frombuffer(content, dtype=np.float32).reshape(self.count, self._stride // 4)

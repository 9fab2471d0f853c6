"""A checksum of every row of a generation: damage is told to one picture, and only that one embedded again.

The manifest's SHA-256 says that a file is damaged; these say where. They also tell which picture a row is of, so
that the database can be made anew without embedding. A CRC-32 finds every error that is not longer than 32 bits,
and all but one in 4,000 million of the others; a picture's 25 kB of maps take it 0.005 ms, and BLAKE2b 0.023 ms.
"""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionError
from indexer.records import Box, IndexedImage

ROWS_FILE = "rows.npz"

Checksums = NDArray[np.uint32]
"""(rows,): the CRC-32 of each row's bytes."""

_UNREADABLE = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
_MAPS = "maps_"


@dataclass(frozen=True, slots=True, eq=False)
class RowChecksums:
    """The rows of a generation.

    Attributes:
        pictures: by image id; their objects and splits are not known.
        vectors: of the index.
        maps: stage -> of its maps.
        object_keys: by object id, as `object_key` gives them; empty where objects are not indexed.
        object_vectors: of their index; as many.
    """

    pictures: tuple[IndexedImage, ...]
    vectors: Checksums
    maps: Mapping[str, Checksums]
    object_keys: tuple[str, ...]
    object_vectors: Checksums

    def save(self, path: Path) -> None:
        """Write an `.npz` that `load` reads; the same rows give the same bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "filenames": _texts([image.filename for image in self.pictures]),
            "sha256s": _texts([image.sha256 for image in self.pictures]),
            "sizes": np.array([(image.width, image.height) for image in self.pictures], dtype=np.int32),
            "vectors": self.vectors,
            "object_keys": _texts(self.object_keys),
            "object_vectors": self.object_vectors,
        }
        arrays |= {f"{_MAPS}{stage}": checksums for stage, checksums in self.maps.items()}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "RowChecksums":
        """Read what `save` wrote.

        Raises:
            CollectionError: the file is missing, or damaged.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = dict(file)
            return cls._from(arrays)
        except _UNREADABLE as error:
            raise CollectionError(f"expected the checksums of rows in {path}, found none to be read") from error

    @classmethod
    def _from(cls, arrays: dict[str, NDArray[Any]]) -> "RowChecksums":
        told = zip(arrays["filenames"], arrays["sha256s"], arrays["sizes"].tolist(), strict=True)
        return cls(
            tuple(
                IndexedImage(
                    image_id=row,
                    filename=name.decode(),
                    sha256=sha256.decode(),
                    split=None,
                    width=width,
                    height=height,
                    objects=(),
                )
                for row, (name, sha256, (width, height)) in enumerate(told)
            ),
            arrays["vectors"],
            {name.removeprefix(_MAPS): one for name, one in arrays.items() if name.startswith(_MAPS)},
            tuple(key.decode() for key in arrays["object_keys"]),
            arrays["object_vectors"],
        )


def checksum(row: NDArray[Any]) -> int:
    """Of the bytes of one row."""
    return zlib.crc32(np.ascontiguousarray(row).data)


def checksums(rows: NDArray[Any]) -> Checksums:
    """Of each row of (N, ...)."""
    return np.fromiter(map(checksum, rows), dtype=np.uint32, count=len(rows))


def object_key(image: IndexedImage, box: Box) -> str:
    """What the vector of an object depends on: the picture's bytes, and the part of it that is embedded."""
    return f"{image.sha256}@{','.join(map(repr, box.corners))}"


def object_keys(images: Sequence[IndexedImage]) -> list[str]:
    """Of all objects, by object id."""
    return [object_key(image, label.box) for image in images for label in image.objects]


def _texts(texts: Sequence[str]) -> NDArray[np.bytes_]:
    return np.array([text.encode() for text in texts], dtype=np.bytes_)

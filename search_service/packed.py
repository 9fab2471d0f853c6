"""Bytes that are sent again and again, with what spares sending them: a name by content, and a compressed copy."""

import gzip
import hashlib
from functools import cached_property


class Packed:
    """Bytes of a content type; compressed once, when first asked for so."""

    def __init__(self, data: bytes, content_type: str) -> None:
        self.content_type = content_type
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._data = data

    def body(self, *, compressed: bool) -> bytes:
        """The bytes as they are, or by gzip."""
        return self._compressed if compressed else self._data

    def etag(self, *, compressed: bool) -> str:
        """Of the one or the other: caches must not take them for the same."""
        return f"{self.sha256}-gzip" if compressed else self.sha256

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(self._data, compresslevel=6, mtime=0)

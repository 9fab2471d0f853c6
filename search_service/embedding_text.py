"""What stands for a picture in later queries: its embedding as text, so that no picture has to be kept for them.

URL-safe base64 (RFC 4648, 5) of 4 bytes that tell collection and heads, and of the row in float16, least byte
first.
"""

import base64
import binascii
import hashlib

import numpy as np

from indexer.reduction import Floats, unit_rows
from search_service.errors import RequestError

_KEY_BYTES = 4
_STORED = np.dtype("<f2")


class EmbeddingTexts:
    """Rows <-> text, for one collection and its heads as they are."""

    def __init__(self, fingerprint: str, head: str, dim: int) -> None:
        self._key = hashlib.sha256(f"{fingerprint} {head} {dim}".encode()).digest()[:_KEY_BYTES]
        self._dim = dim

    def write(self, row: Floats) -> str:
        """(dim,) float32 of unit length -> text."""
        stored = self._key + row.astype(_STORED).tobytes()
        return base64.urlsafe_b64encode(stored).decode().rstrip("=")

    def read(self, text: str) -> Floats:
        """What `write` wrote, (dim,) float32 of unit length, to within the precision of float16.

        Raises:
            RequestError: it is none, or one of another collection or other heads.
        """
        try:
            data = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise _refusal("one that is not base64") from error
        if data[:_KEY_BYTES] != self._key or len(data) != _KEY_BYTES + _STORED.itemsize * self._dim:
            raise _refusal("another")
        row = np.frombuffer(data, dtype=_STORED, offset=_KEY_BYTES).astype(np.float32)
        if not np.isfinite(row).all() or not row.any():
            raise _refusal("one without direction")
        unit: Floats = unit_rows(row[np.newaxis])[0]
        return unit


def _refusal(found: str) -> RequestError:
    return RequestError(
        400,
        "invalid_embedding",
        f"expected an embedding that this collection gave, with its heads as they are, found {found}; "
        "search with the picture again",
    )

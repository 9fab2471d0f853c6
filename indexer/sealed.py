"""JSON under a seal: a record beside its format version and its checksum, to be told from one that was changed."""

import hashlib
import json
from pathlib import Path
from typing import Any

_VERSION, _SEAL = "format_version", "sha256"


class SealError(Exception):
    """A record is missing, unreadable, or not as it was written; the message ends where a way out is to follow."""


class VersionError(SealError):
    """A record is of another format version."""


def sealed(content: dict[str, Any], version: int) -> str:
    """The text of a file that `read` takes; the same content gives the same text."""
    envelope = {_VERSION: version, _SEAL: content_sha256(content), **content}
    return json.dumps(envelope, indent=2) + "\n"


def read(path: Path, version: int, what: str) -> dict[str, Any]:
    """The content of a file that holds what `sealed` gave, to the letter.

    Args:
        path: the file.
        version: that is expected.
        what: it is, for the message, such as "a manifest".

    Raises:
        VersionError: it is of another format version.
        SealError: it cannot be read, or was changed since it was written.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise SealError(f"expected {what} in {path}, found none that can be read ({error})") from error
    found = content.pop(_VERSION, None) if isinstance(content, dict) else None
    if found != version:
        raise VersionError(f"expected format version {version} in {path}, found {found}")
    content.pop(_SEAL, None)
    if text != sealed(content, version):
        raise SealError(f"{path} was changed after it was written")
    return dict(content)


def content_sha256(content: dict[str, Any]) -> str:
    """64 hexadecimal digits, of what can be JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

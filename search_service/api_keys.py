"""The keys that callers are let in by: read from a file once, and held as digests alone."""

import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from search_service.errors import KeyFileError

READ, ADMIN = "read", "admin"
ROLES = (READ, ADMIN)
LEAST_LENGTH = 16
"""Of a key, in characters; those of `HOW_TO_MAKE` have 43."""
HOW_TO_MAKE = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'

_KEY = re.compile(rf"[!-~]{{{LEAST_LENGTH},}}")  # what fits into a header as it is
_OTHERS = 0o077  # of a file's mode: what group and others may do
_NAME_LENGTH = 12  # hexadecimal digits; enough to tell keys apart, far too few to guess one by


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key.

    Attributes:
        role: `READ`, or `ADMIN`, who may do all that `READ` may, and more.
        digest: its SHA-256, 32 bytes.
    """

    role: str
    digest: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The beginning of the digest, by which keys are told apart where they are counted."""
        return self.digest.hex()[:_NAME_LENGTH]


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """All keys of a service."""

    keys: tuple[ApiKey, ...]

    def find(self, sent: str) -> ApiKey | None:
        """The key that a caller sent, None where it is none of these; takes as long wherever it stands."""
        digest = _digest(sent)
        found = [key for key in self.keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None


def read_keys(path: Path) -> ApiKeys:
    """The keys of a file: one `ROLE KEY` a line; what follows a # at the beginning of a line is a comment.

    Raises:
        KeyFileError: others may read or write the file, it holds no key, or a line is not as above.
        OSError: there is no such file.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & _OTHERS:
            found = f"found mode {mode & 0o777:03o}; run: chmod 600 {path}"
            raise KeyFileError(f"expected a key file that its owner alone may read and write, {found}")
        keys = tuple(_parse(file.read(), path))
    if not keys:
        raise KeyFileError(
            f"expected a line such as {READ} KEY in {path}, found none; make a key by: {HOW_TO_MAKE}"
        )
    return ApiKeys(keys)


def _parse(content: bytes, path: Path) -> Iterator[ApiKey]:
    seen: dict[bytes, int] = {}
    for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key = _parse_line(line.split(), f"line {number} of {path}")
        if key.digest in seen:
            raise KeyFileError(
                f"expected each key once, found that of line {seen[key.digest]} again in line {number} of {path}"
            )
        seen[key.digest] = number
        yield key


def _parse_line(words: list[str], where: str) -> ApiKey:
    """No message may repeat a word of the line, for any of them may be a key."""
    if len(words) != 2:  # noqa: PLR2004 - role and key
        raise KeyFileError(f"expected {READ} KEY or {ADMIN} KEY in {where}, found {len(words)} words; mend it")
    role, key = words
    if role not in ROLES:
        raise KeyFileError(f"expected {READ} or {ADMIN} as the first word of {where}, found another; mend it")
    if not _KEY.fullmatch(key):
        raise KeyFileError(
            f"expected a key of at least {LEAST_LENGTH} plain characters in {where}, found another; "
            f"make one by: {HOW_TO_MAKE}"
        )
    return ApiKey(role, _digest(key))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()

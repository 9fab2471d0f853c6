"""Where a collection's vectors and records lie, if not in its folder: two addresses, kept beside the generations.

The file may hold passwords, so its owner alone may read it; PostgreSQL's may as well lie in `~/.pgpass`.
"""

import json
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from indexer.durable import make_folder, settle
from indexer.errors import CollectionError

FILENAME = "stores.json"
EMBEDDED_VECTORS, EMBEDDED_METADATA = "faiss", "sqlite"
CONSISTENCIES = ("Strong", "Bounded", "Session", "Eventually")

_MILVUS = re.compile(r"(https?|tcp|unix)://\S+|\S+\.db")
_POSTGRESQL = re.compile(r"postgres(ql)?://\S+")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST_NAME = 40  # of PostgreSQL's 63 characters, some are for the rest of a schema's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The servers of a collection.

    Attributes:
        vectors: URI of a Milvus server; or the path of a file, ending in ".db", of Milvus Lite.
        metadata: URL of a PostgreSQL database.
        consistency: how far a search may be behind what was written last; one of `CONSISTENCIES`. A published
            generation never changes, so that this matters little.
        timeout: seconds in which a server has to answer.
    """

    vectors: str
    metadata: str
    consistency: str = "Bounded"
    timeout: float = 10.0

    def is_where(self, other: "Addresses | None") -> bool:
        """Whether these are the same servers."""
        return other is not None and (self.vectors, self.metadata) == (other.vectors, other.metadata)


def settle_addresses(
    known: Addresses | None, vectors: str | None, metadata: str | None, **rest: str | float | None
) -> Addresses | None:
    """The addresses that are meant, None for the collection's folder: those known where nothing is said.

    Raises:
        CollectionError: only one of the two names a server, or an address is of no known kind.
    """
    vectors = vectors or (known.vectors if known else EMBEDDED_VECTORS)
    metadata = metadata or (known.metadata if known else EMBEDDED_METADATA)
    embedded = (vectors == EMBEDDED_VECTORS, metadata == EMBEDDED_METADATA)
    if all(embedded):
        return None
    if any(embedded):
        raise CollectionError(
            f"expected --vectors and --metadata to name servers both, or {EMBEDDED_VECTORS} and "
            f"{EMBEDDED_METADATA}, found one of each; give the other as well"
        )
    _check(vectors, _MILVUS, "--vectors", f"{EMBEDDED_VECTORS}, http://HOST:19530, or a file ending in .db")
    _check(metadata, _POSTGRESQL, "--metadata", f"{EMBEDDED_METADATA}, or postgresql://USER@HOST/DATABASE")
    settings = {name: value for name, value in rest.items() if value is not None}
    before = asdict(known) if known else {}
    return Addresses(**before | {"vectors": vectors, "metadata": metadata} | settings)


def load(path: Path) -> Addresses | None:
    """The addresses of the collection in a folder; None where all lies in the folder itself.

    Raises:
        CollectionError: the file that tells is not as `save` writes it; or the folder's path is not UTF-8, which
            faiss and SQLite need.
    """
    printable = str(path).encode("utf-8", "backslashreplace").decode()
    if printable != str(path):
        raise CollectionError(f"expected a collection's path in UTF-8, found {printable}; rename the folder")
    file = path / FILENAME
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CollectionError(f"expected addresses of servers as JSON in {file}, found none; mend it") from error
    names = {field.name for field in fields(Addresses)}
    if not isinstance(content, dict) or not {"vectors", "metadata"} <= content.keys() <= names:
        raise CollectionError(f"expected {', '.join(sorted(names))} in {file}, found others; mend it")
    return settle_addresses(None, **content)


def save(path: Path, addresses: Addresses) -> None:
    """Keep the addresses in a collection's folder, for its owner alone to read."""
    make_folder(path)
    part = path / f"{FILENAME}.{os.getpid()}.part"
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(addresses), file, indent=1)
    settle(part, path / FILENAME)


def shown(address: str) -> str:
    """An address without its password."""
    address = re.sub(r"://([^:/@]*):[^/]*@", r"://\1:***@", address)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", address)


def forget(path: Path) -> None:
    """Have the collection lie in its folder."""
    (path / FILENAME).unlink(missing_ok=True)


def name_of(path: Path) -> str:
    """What the servers know a collection by: the name of its folder.

    Raises:
        CollectionError: servers take no such name.
    """
    name = path.resolve().name
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise CollectionError(
            f"expected a folder named by small letters, digits and single underscores, at most {_LONGEST_NAME} "
            f"and a letter first, found {name!r:.60}: servers know a collection by its folder's name; rename it"
        )
    return name


def _check(address: str, pattern: re.Pattern[str], option: str, forms: str) -> None:
    if address.partition("://")[2].partition("/")[0].count("@") > 1:
        raise CollectionError(
            f"expected one @ before the host in {option}, found more; write that of a password %40"
        )
    if not pattern.fullmatch(address):
        scheme = address.partition("://")[0] if "://" in address else "another form"
        raise CollectionError(f"expected {forms} in {option}, found {scheme!r:.40}; mend it")

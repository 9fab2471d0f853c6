"""Where a Milvus server is: pure."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from indexer.errors import CollectionError

_PORTS = {"http": 19_530, "https": 443}


class MilvusAddress(NamedTuple):
    """What to connect to, and with what.

    Attributes:
        uri: without anything secret, so that it may be told.
        token: "user:password", or empty.
        database: empty for the server's own.
    """

    uri: str
    token: str = ""
    database: str = ""

    @classmethod
    def parse(cls, uri: str) -> "MilvusAddress":
        """Out of http(s)://[user:password@]host:port[/database], or of a path that ends in .db.

        Raises:
            CollectionError: it is neither; the message does not repeat it, for there may be a password in it.
        """
        if uri.endswith(".db"):
            return cls(str(Path(uri).absolute()))
        try:
            parts = urlsplit(uri)
            host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            host, port = None, 0
        if host is None:
            raise CollectionError(
                "expected http(s)://[user:password@]host:port[/database] of a Milvus server, or a path that ends "
                "in .db, found something else; correct it"
            )
        token = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
        bare = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        return cls(bare, token, unquote(parts.path.strip("/")))

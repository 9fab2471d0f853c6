"""A Milvus server: the only caller of pymilvus. Rows, hits and our own errors leave this module, nothing else."""

import logging
import os
from collections.abc import Mapping, Sequence
from functools import cache
from threading import Lock
from typing import Any

from indexer.errors import CollectionError, LookalikeError, StoreBusyError, StoreUnreachableError
from indexer.milvus_address import MilvusAddress
from indexer.milvus_rows import NAME_BYTES, ROW, TEXT, VECTOR, Field, Row
from indexer.milvus_words import (
    BUSY,
    CONSISTENCIES,
    FIELD_TYPES,
    INDEX_PARAMETERS,
    INDEX_TYPES,
    NOT_THERE,
    SILENT,
    Question,
    Shape,
)
from indexer.records import Hit
from indexer.reduction import Floats

_PATIENCE = 3_600.0  # seconds for what takes long by its nature: flushing, building an index, loading it
_WRITE_PATIENCE = 6  # times the timeout, for a batch of rows, in which a server may have to flush others
_PING = 3.0  # seconds


class MilvusServer:
    """Collections of vectors on a server, which is connected to when it is first asked, once in each process.

    Connections do not survive a fork: a process that was forked makes its own.

    Args:
        uri: http(s)://[user:password@]host:port[/database] of Milvus 2.4 or later, or a path that ends in .db, for
            milvus-lite inside this process, which keeps the path to itself for as long as it runs.
        timeout: seconds that an answer may take.
        consistency: how much of what was written lately a search sees, of `CONSISTENCIES`; counts see all of it.

    Raises:
        CollectionError: in every method: the server refuses what is asked.
        StoreUnreachableError: in every method: it cannot be reached, or does not answer in time.
    """

    def __init__(self, uri: str, timeout: float = 10.0, consistency: str = "Bounded") -> None:
        if consistency not in CONSISTENCIES:
            raise CollectionError(f"expected a consistency of {', '.join(CONSISTENCIES)}, found {consistency!a}")
        self._address = MilvusAddress.parse(uri)
        self._timeout = timeout
        self._consistency = consistency
        self._lock = Lock()
        self._client: Any = None
        self._process = 0

    def ping(self) -> None:
        """Ask for a sign of life, which has to come soon."""
        self._ask("get_server_version", timeout=min(self._timeout, _PING))

    def names(self, prefix: str) -> list[str]:
        """The collections that begin like this, in order."""
        return sorted(name for name in self._ask("list_collections") if name.startswith(prefix))

    def has(self, name: str) -> bool:
        """Whether a collection, or an alias of one, is there."""
        return bool(self._ask("has_collection", name))

    def drop(self, name: str) -> None:
        """Delete a collection, if it is there; Milvus refuses that for as long as an alias points at it."""
        if self.has(name):
            self._ask("drop_collection", name)

    def point(self, alias: str, name: str) -> None:
        """Have an alias stand for a collection, from one moment to the next if it stood for another."""
        self._ask("create_alias" if self.pointed(alias) is None else "alter_alias", name, alias)

    def pointed(self, alias: str) -> str | None:
        """The collection that an alias stands for; None where there is no such alias."""
        try:
            return str(self._ask("describe_alias", alias)["collection_name"])
        except _NotThereError:
            return None

    def unpoint(self, alias: str) -> None:
        """Delete an alias, if it is there."""
        if self.pointed(alias) is not None:
            self._ask("drop_alias", alias)

    def create(self, name: str, dim: int, fields: Sequence[Field], slots: int) -> None:
        """Make an empty collection of so long vectors, whose arrays hold so many values at most."""
        milvus = _library()
        schema = milvus.MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(ROW, milvus.DataType.INT64, is_primary=True)
        schema.add_field(VECTOR, milvus.DataType.FLOAT_VECTOR, dim=dim)
        for field in fields:
            _add(schema, field, slots)
        self._ask("create_collection", name, schema=schema, consistency_level=self._consistency)

    def shape(self, name: str) -> Shape:
        """What the schema of a collection tells."""
        told = {field["name"]: field["params"] for field in self._ask("describe_collection", name)["fields"]}
        slots = max((int(one["max_capacity"]) for one in told.values() if "max_capacity" in one), default=0)
        return Shape(int(told[VECTOR]["dim"]), frozenset(told), slots)

    def upsert(self, name: str, rows: list[Row]) -> None:
        """Write rows over those of the same keys.

        Raises:
            StoreBusyError: the server takes no more at this moment.
        """
        self._ask("upsert", name, rows, timeout=_WRITE_PATIENCE * self._timeout)

    def flush(self, name: str) -> None:
        """Have everything that was written kept on disk."""
        self._ask("flush", name, timeout=_PATIENCE)

    def build(self, name: str, kind: str, parameters: Mapping[str, int]) -> None:
        """Build an index, in place of the one that is there, and load it into memory."""
        if self._ask("list_indexes", name):
            self._ask("release_collection", name)
            self._ask("drop_index", name, VECTOR)
        milvus = _library()
        index = milvus.MilvusClient.prepare_index_params()
        named = {INDEX_PARAMETERS[one]: value for one, value in parameters.items()}
        # Wrapped twice: the client unwraps them once, and milvus-lite reads them only where they are wrapped.
        index.add_index(
            VECTOR, index_type=INDEX_TYPES[kind], index_name=VECTOR, metric_type="IP", params={"params": named}
        )
        self._ask("create_index", name, index, timeout=_PATIENCE)
        self._ask("load_collection", name, timeout=_PATIENCE)

    def load(self, name: str) -> None:
        """Load a collection into memory, if it is not there yet."""
        if self._ask("get_load_state", name)["state"].name != "Loaded":
            self._ask("load_collection", name, timeout=_PATIENCE)

    def count(self, name: str, expression: str = "") -> int:
        """Rows that fulfil an expression, everything that was ever written among them."""
        found = self._ask("query", name, filter=expression, output_fields=["count(*)"], consistency_level="Strong")
        return int(found[0]["count(*)"])

    def search(self, name: str, vectors: Floats, question: Question) -> list[list[Hit]]:
        """The rows nearest to each of (n, d) float32 unit vectors, best first."""
        found = self._ask(
            "search", name, data=list(vectors), anns_field=VECTOR, filter=question.expression,
            limit=question.limit, output_fields=[ROW],
            search_params={"metric_type": "IP", "params": question.effort.as_parameters()},
            consistency_level="Strong" if question.strong else self._consistency,
        )  # fmt: skip
        return [[Hit(int(hit[ROW]), float(hit["distance"])) for hit in hits] for hits in found]

    def query(self, name: str, expression: str, fields: Sequence[str]) -> list[Row]:
        """Some fields of the rows that fulfil an expression, in no order; as many as fit into an answer."""
        found = self._ask(
            "query", name, filter=expression, output_fields=list(fields), consistency_level=self._consistency
        )
        return list(found)

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None and self._process == os.getpid():
                client.close()

    def _ask(self, call: str, *arguments: Any, timeout: float | None = None, **keywords: Any) -> Any:  # noqa: ANN401
        seconds = self._timeout if timeout is None else timeout
        try:
            client = self._connected(min(seconds, self._timeout))
            return getattr(client, call)(*arguments, timeout=seconds, **keywords)
        except _failures() as error:
            raise self._translated(error, seconds) from error

    def _connected(self, timeout: float) -> Any:  # noqa: ANN401 - the library comes late
        # Where nobody answers, those who wait for the connection wait no longer than the one who makes it.
        if not self._lock.acquire(timeout=timeout):
            raise self._unreachable(timeout)
        try:
            if self._client is None or self._process != os.getpid():
                uri, token, database = self._address
                self._client = _library().MilvusClient(
                    uri, token=token, db_name=database, timeout=timeout, dedicated=True
                )
                self._process = os.getpid()
            return self._client
        finally:
            self._lock.release()

    def _translated(self, error: Exception, seconds: float) -> LookalikeError:
        code: Any = getattr(error, "code", None)
        code = code() if callable(code) else code  # which gRPC has as a method
        message = str(getattr(error, "message", "") or type(error).__name__)
        silent = getattr(code, "name", "") in SILENT or "timeout" in message.lower()
        if silent or message.startswith("Fail connecting"):
            return self._unreachable(seconds)
        told = (
            f"expected Milvus at {self._address.uri} to do as asked, found: {' '.join(message.split())[:300]}; "
            "see its log"
        )
        if code in NOT_THERE:
            return _NotThereError(told)
        return StoreBusyError(told) if code in BUSY else CollectionError(told)

    def _unreachable(self, seconds: float) -> StoreUnreachableError:
        return StoreUnreachableError(
            "Milvus",
            f"expected Milvus at {self._address.uri} to answer within {seconds:g} seconds, found no answer; "
            "see that it runs, and that this is its address",
        )


class _NotThereError(CollectionError):
    """There is no such collection, or no such alias."""


def _add(schema: Any, field: Field, slots: int) -> None:  # noqa: ANN401 - the library comes late
    types = _library().DataType
    kind = getattr(types, FIELD_TYPES[field.type])
    length = {"max_length": NAME_BYTES} if field.type == TEXT else {}
    if field.many:
        schema.add_field(field.name, types.ARRAY, element_type=kind, max_capacity=max(slots, 1), **length)
    else:
        schema.add_field(field.name, kind, **length)


@cache
def _library() -> Any:  # noqa: ANN401 - a module
    """Pymilvus, which takes a second to import, and is not needed where collections lie on disk."""
    try:
        import pymilvus  # noqa: PLC0415
    except ImportError as error:
        raise CollectionError(
            "expected the package pymilvus, which talks to Milvus, found none; run pip install '.[milvus]'"
        ) from error
    for name in ("pymilvus", "pymilvus.milvus_client", "milvus_lite"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # they write tracebacks of what is raised anyway
    return pymilvus


@cache
def _failures() -> tuple[type[Exception], ...]:
    library = _library()
    import grpc  # noqa: PLC0415

    return (library.MilvusException, grpc.RpcError, grpc.FutureTimeoutError)

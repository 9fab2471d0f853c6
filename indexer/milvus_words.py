"""Our words -> those of Milvus: pure."""

from dataclasses import dataclass
from typing import NamedTuple

from indexer.index_settings import FLAT, HNSW, IVF
from indexer.milvus_rows import DOUBLE, INT8, INT32, INT64, TEXT

CONSISTENCIES = ("Strong", "Bounded", "Session", "Eventually")
MOST_HITS = 16_384  # that Milvus gives at once

FIELD_TYPES = {TEXT: "VARCHAR", INT8: "INT8", INT32: "INT32", INT64: "INT64", DOUBLE: "DOUBLE"}
INDEX_TYPES = {FLAT: "FLAT", IVF: "IVF_FLAT", HNSW: "HNSW"}  # whose scores are of the vectors as they are
INDEX_PARAMETERS = {"lists": "nlist", "links": "M", "candidates": "efConstruction"}
_EFFORTS = {IVF: "nprobe", HNSW: "ef"}

NOT_THERE = {100, 1_600}  # codes: no such collection, no such alias
BUSY = {2, 3, 4, 8, 9, 11, 12}  # starting, no memory left, too many requests, rate, quota, lagging, no resources
SILENT = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}  # gRPC's words


class Shape(NamedTuple):
    """What a schema tells: length of a vector, names of the fields, values that an array holds at most."""

    dim: int
    fields: frozenset[str]
    slots: int


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard an index of a kind works: lists probed, or candidates kept; of no matter to "flat"."""

    kind: str
    amount: int

    def as_parameters(self) -> dict[str, int]:
        """As Milvus calls it."""
        return {_EFFORTS[self.kind]: self.amount} if self.kind in _EFFORTS else {}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a search, beside what to search with.

    Attributes:
        limit: how many rows, up to `MOST_HITS`.
        effort: how hard the index works.
        expression: what the rows fulfil.
        strong: whether everything that was ever written is seen, as counts see it.
    """

    limit: int
    effort: Effort
    expression: str = ""
    strong: bool = False

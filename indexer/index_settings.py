"""What is asked of an index of vectors, and what is told of one that was built."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

AUTO, FLAT, IVF, HNSW = "auto", "flat", "ivf", "hnsw"
KINDS = (AUTO, FLAT, IVF, HNSW)

FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
STORAGES = (FLOAT32, FLOAT16, INT8)

RECALL_AT = 10  # results, at which recall is asked for and told


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What is asked of an index.

    Attributes:
        kind: "flat" is exact; "ivf", inverted lists, and "hnsw", a graph of neighbours, are approximate; "auto" is
            exact for as long as that is quick, and else "ivf".
        recall: share of the true first results that an approximate index has to find, above 0 to 1.
        storage: how an approximate index keeps the numbers of its vectors; the exact ones stay beside it.
        lists: of "ivf"; 0 for as many as find what is asked for soonest.
        links: of "hnsw": that a node has on each layer of the graph; hnswlib's M.
        candidates: of "hnsw": for links, while it is built; hnswlib's ef_construction.
    """

    kind: str = AUTO
    recall: float = 0.99
    storage: str = FLOAT16
    lists: int = 0
    links: int = 16
    candidates: int = 100


DEFAULT_SETTINGS = IndexSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexNote:
    """What is told of an index that was built; as it stands, of an exact one that was not measured.

    Attributes:
        kind: "flat", "ivf" or "hnsw".
        storage: see `IndexSettings`.
        parameters: it was built with: "lists", or "links" and "candidates"; see `IndexSettings`.
        efforts: (depth, effort): the effort (lists probed, or candidates kept) that finds so many rows, those to
            be left out among them, at the recall asked for; depths rise. Deeper than the last, search is exact.
        recall: measured recall@10, of some of the collection's vectors, searched with before they were taken in.
        milliseconds: median time of these queries, one at a time on one core.
    """

    kind: str = FLAT
    storage: str = FLOAT32
    parameters: dict[str, int] = field(default_factory=dict)
    efforts: tuple[tuple[int, int], ...] = ()
    recall: float = 1.0
    milliseconds: float = 0.0

    def effort_for(self, depth: int) -> int | None:
        """The least that is known to do for so many rows; None where nothing but exact search is."""
        return next((effort for tuned, effort in self.efforts if tuned >= depth), None)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "IndexNote":
        """Out of the fields as JSON gives them back."""
        return cls(**content | {"efforts": tuple((depth, effort) for depth, effort in content["efforts"])})

    @classmethod
    def from_text(cls, text: str) -> "IndexNote":
        """Out of what `to_text` gave."""
        return cls.from_json(json.loads(text))

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

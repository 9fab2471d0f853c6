"""What the benchmarks share: sides that take turns, medians with their spread, a table, and JSON beside it.

A shared machine is faster one minute than the next, so what is compared is measured in one run, side after side,
round after round, and told as the median of the rounds' ratios.
"""

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from indexer.command_line import table

RESULTS = Path("data/bench")
LIBRARIES = (
    "torch",
    "openvino",
    "faiss-cpu",
    "numpy",
    "pillow",
    "hnswlib",
    "usearch",
    "scikit-learn",
    "gunicorn",
    "waitress",
    "sqlalchemy",
    "psycopg",
)

Taken = dict[str, list[float]]
"""Side -> its figure in each round."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of several rounds: the median, the least and the most."""

    name: str
    unit: str
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, name: str, unit: str, values: Sequence[float]) -> "Figure":
        """The figure of these rounds."""
        return cls(name, unit, statistics.median(values), min(values), max(values))


def take_turns(sides: Mapping[str, Callable[[], float]], rounds: int) -> Taken:
    """The figure of every side in every round; each round begins with another side."""
    names = list(sides)
    taken: Taken = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(sides[name]())
    return taken


def ratios(numerator: Sequence[float], denominator: Sequence[float]) -> list[float]:
    """Round by round."""
    return [above / below for above, below in zip(numerator, denominator, strict=True)]


class Report:
    """The figures of one benchmark."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._figures: list[Figure] = []

    def add(self, name: str, unit: str, values: Sequence[float]) -> None:
        """Take in a figure of several rounds, or of one."""
        self._figures.append(Figure.of(name, unit, values))

    def finish(self) -> None:
        """Print the table, and write it with the machine's description to `RESULTS`."""
        described = machine()
        rows = [
            (one.name, one.unit, *(f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
            for value in (one.median, one.least, one.most)))
            for one in self._figures
        ]  # fmt: skip
        print(f"{described['processor']}, {described['cores']} cores, Python {described['python']}")  # noqa: T201
        print(table(rows, (self._name, "unit", "median", "least", "most")))  # noqa: T201
        RESULTS.mkdir(parents=True, exist_ok=True)
        content = {
            "benchmark": self._name,
            "machine": described,
            "figures": [asdict(one) for one in self._figures],
        }
        (RESULTS / f"{self._name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, object]:
    """What a figure depends on beside the program."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {name.strip(): value.strip() for name, value in told.items()}
    extras = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 bf16"}.items()
    flags = facts.get("flags", "").split()
    found = next((name for flag, name in extras if flag in flags), None)
    return facts.get("model name", platform.machine()) + (f" with {found}" if found else "")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

"""What is published in a collection's folder at this moment, told at a glance: no content is read."""

from dataclasses import dataclass
from pathlib import Path

from indexer import manifest
from indexer.derived import Stamp, array_files, stamp_of
from indexer.generations import generations
from localizer import checkpoint
from localizer.checkpoint import DETECT, MAIN

Marks = tuple[tuple[Path, Stamp | None], ...]
"""Files, each with what tells one content of it from the next."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a service would open now; differs where something else would be opened.

    Attributes:
        generation: the manifest of the newest generation; empty where there is none.
        heads: the folders of the newest head of each task.
        worked_out: the semantic index and the map of that generation, where they are there.
    """

    generation: Marks
    heads: Marks
    worked_out: Marks


def look(path: Path) -> Published:
    """What is published in this folder, which may be missing; takes a fraction of a millisecond."""
    newest = generations(path)[-1:]
    heads = [head for task in (MAIN, DETECT) if (head := checkpoint.in_use(path, task))]
    return Published(
        generation=_marks([folder / manifest.FILENAME for folder in newest]),
        heads=_marks(heads),
        worked_out=_marks([file for folder in newest for file in array_files(folder)]),
    )


def _marks(paths: list[Path]) -> Marks:
    return tuple((path, stamp_of(path)) for path in paths)

"""Where things lie in a collection's folder, and how many of them are kept."""

from pathlib import Path

GENERATIONS, DERIVED, HEADS = "generations", "derived", "heads"
BUILDING = "building"  # what is not whole yet: of generations beside their folder, of heads in that of their task

KEPT_GENERATIONS = 2  # beside those that are open to readers
KEPT_HEADS = 2  # of each task


def generation_folder(path: Path, number: int) -> Path:
    """The folder of the generation of this number, there or not."""
    return path / GENERATIONS / f"{number:06d}"


def derived_folder(generation: Path) -> Path:
    """The folder of what was worked out from a generation, there or not."""
    return generation.parents[1] / DERIVED / generation.name

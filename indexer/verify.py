"""Looking for all damage of a collection at once: its generations, and all that lies beside them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from indexer import derived_files, head_files
from indexer.build_lock import is_building
from indexer.damage import Finding, Verdict
from indexer.errors import CollectionError
from indexer.generation_check import GenerationCheck
from indexer.generations import generations
from indexer.layout import BUILDING, DERIVED
from indexer.memory import ran_out
from indexer.newest import numbered
from indexer.sealed import SealError
from indexer.stores import store_of
from indexer.writers_lock import is_written

_MADE_BY = {
    "semantic.npz": "localizer align",
    "plane.npz": "indexer map",
    "retrieval.json": "indexer evaluate",
    "evaluation.json": "localizer evaluate",
}


class Inspection:
    """One look at a collection.

    Attributes:
        published: the check of the published generation.
        former: checks of those before it.
        derived: damaged file of what was worked out -> what is told of it.
        heads: folder of a damaged head -> what is told of it.

    Raises:
        CollectionError: there is no collection.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        published = store_of(path).published_folder()
        *older, _ = generations(path)
        self.published = GenerationCheck(published, older[-1] if older else None)
        checks = [GenerationCheck(folder) for folder in older]
        self.former = [check for check in checks if check.folder.is_dir() and not check.outdated]
        self.derived = dict(self._check_derived())
        self.heads = dict(self._check_heads())

    def verdict(self) -> Verdict:
        """All that is to be told."""
        former = [self._former(check) for check in self.former if check.findings]
        beside = (*self.derived.values(), *self.heads.values())
        return Verdict(findings=(*self.published.findings, *former, *beside), leftovers=tuple(self._leftovers()))

    def _former(self, check: GenerationCheck) -> Finding:
        return Finding(
            where=str(check.folder.relative_to(self._path)),
            found=f"{len(check.findings)} damaged, first {check.findings[0].found}",
            means="it is the former generation, which nobody opens anew",
            remedy="deletes it",
        )

    def _check_derived(self) -> Iterator[tuple[Path, Finding]]:
        for path in self._files("derived/*/*"):
            if path.suffix not in (derived_files.ARRAYS, derived_files.RECORD):
                continue
            try:
                derived_files.check(path)
            except FileNotFoundError:
                continue  # given way to a new one, or gone with its generation
            except CollectionError as error:
                if ran_out(error):
                    raise
                command = f"python -m {_MADE_BY.get(path.name, 'localizer align')} --collection {self._path}"
                yield (
                    path,
                    Finding(
                        where=str(path.relative_to(self._path)),
                        found=str(error).partition(";")[0],
                        means="it was worked out from the generation, and can be again",
                        remedy=f"deletes it; then: {command}",
                    ),
                )

    def _check_heads(self) -> Iterator[tuple[Path, Finding]]:
        for task in head_files.tasks(self._path):
            folders = numbered(task)
            damages = {folder: found for folder in folders if (found := _damage_of_head(folder))}
            for folder, found in damages.items():
                yield folder, self._head_finding(folder, found, [one for one in folders if one not in damages])

    def _head_finding(self, folder: Path, found: str, whole: list[Path]) -> Finding:
        used = folder == numbered(folder.parent)[-1]
        told = partial(Finding, where=str(folder.relative_to(self._path)), found=found)
        if not used:
            return told(means="it is a former head, which is not in use", remedy="deletes it")
        if whole and self._fits(whole[-1]):
            return told(means="the head in use is lost", remedy=f"goes back to head {whole[-1].name}")
        task = f" --task {folder.parent.name}"
        train = f"train it anew: python -m localizer train --collection {self._path}{task}"
        return told(means="the head in use is lost", remedy=train, mendable=False)

    def _fits(self, folder: Path) -> bool:
        salvage = self.published.salvage
        return bool(salvage and head_files.read_card(folder)["fingerprint"] == salvage.manifest.fingerprint)

    def _leftovers(self) -> Iterator[str]:
        there = {folder.name for folder in generations(self._path)}
        found = [task / BUILDING for task in head_files.tasks(self._path) if not is_written(task)]
        found = [folder for folder in found if folder.is_dir()]
        derived = self._path / DERIVED
        if derived.is_dir() and not is_written(derived):
            found += self._files(f"{DERIVED}/*/*.part")
            found += [folder for folder in derived.iterdir() if folder.is_dir() and folder.name not in there]
        if not is_building(self._path):
            found += self._path.glob(f"{BUILDING}/*")
        return (str(path.relative_to(self._path)) for path in sorted(found))

    def _files(self, pattern: str) -> list[Path]:
        return sorted(path for path in self._path.glob(pattern) if path.is_file())


def verify(path: Path) -> Verdict:
    """Read all of a collection, and tell what is damaged.

    Raises:
        CollectionError: there is no collection.
    """
    return Inspection(path).verdict()


def _damage_of_head(folder: Path) -> str | None:
    try:
        head_files.read_weights(folder, head_files.read_card(folder))
    except SealError as error:
        if ran_out(error):
            raise
        return str(error)
    return None

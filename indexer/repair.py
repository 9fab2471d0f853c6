"""Mending a damaged collection: what is intact is carried over, and only what is lost is embedded again."""

import logging
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.build import rebuild
from indexer.build_settings import BuildSummary
from indexer.damage import Verdict
from indexer.durable import sync
from indexer.generation_check import GenerationCheck
from indexer.generation_files import DATABASE_FILE
from indexer.generations import generations
from indexer.layout import derived_folder, generation_folder
from indexer.manifest import Manifest
from indexer.row_checksums import ROWS_FILE
from indexer.store import Store
from indexer.stores import store_of
from indexer.verify import Inspection
from indexer.writers_lock import only_writer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What was done.

    Attributes:
        before: what was found.
        after: what is still to be told.
        rebuilt: the build that mended the published generation; None where nothing of it was to be mended.
    """

    before: Verdict
    after: Verdict
    rebuilt: BuildSummary | None

    def text(self) -> str:
        """In lines: what was found, what was embedded, what is left."""
        built = [self.rebuilt.text()] if self.rebuilt else []
        return "\n".join([*(finding.text() for finding in self.before.findings), *built, self.after.text()])

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        rebuilt = self.rebuilt.to_json() if self.rebuilt else None
        return {"before": self.before.to_json(), **self.after.to_json(), "rebuilt": rebuilt}


def repair(path: Path) -> Repair:
    """Mend what can be mended, and look again.

    A new generation takes the place of a damaged one, which never changes. Nothing that is whole is touched.

    Raises:
        CollectionBusyError: a build is running on the collection.
        CollectionError: there is no collection, or it was embedded with other weights than are there now.
        WeightsError: the backbone's weights cannot be had.
    """
    with closing(store_of(path)) as store, store.only_writer():
        inspection = Inspection(path)
        before = inspection.verdict()
        _repair_beside(inspection)
        rebuilt = _repair_published(path, inspection.published, store)
        for check in inspection.former:
            if check.findings and check.folder.is_dir():
                store.discard(check.folder)
        return Repair(before=before, after=Inspection(path).verdict(), rebuilt=rebuilt)


def _repair_beside(inspection: Inspection) -> None:
    for file in inspection.derived:
        file.unlink()
    for folder, finding in inspection.heads.items():
        if finding.mendable:
            shutil.rmtree(folder)


def _repair_published(path: Path, check: GenerationCheck, store: Store) -> BuildSummary | None:
    mendable = all(finding.mendable for finding in check.findings)
    if not check.findings or not mendable or check.salvage is None:
        return None
    summary = rebuild(path, check.salvage, store)
    if store.keeps_files:  # servers have a semantic index under its generation's number
        _carry_derived_over(path, check.salvage.manifest, Manifest.load(generations(path)[-1]))
    store.discard(check.folder)
    return summary


def _carry_derived_over(path: Path, damaged: Manifest, mended: Manifest) -> None:
    """Take what was worked out from the damaged generation for the mended one, where that has the same content."""
    folder = derived_folder(generation_folder(path, damaged.generation))
    same = all(damaged.files[name] == mended.files[name] for name in (ROWS_FILE, DATABASE_FILE))
    if folder.is_dir() and same:
        with only_writer(folder.parent):
            folder.rename(folder.with_name(f"{mended.generation:06d}"))
            sync(folder.parent)
    elif folder.is_dir():
        logger.warning("The devkit changed meanwhile: python -m localizer align --collection %s", path)

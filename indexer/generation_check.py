"""All damage of one generation."""

from dataclasses import replace
from pathlib import Path

from indexer import sealed
from indexer.collection import Collection
from indexer.damage import Finding
from indexer.errors import CollectionError
from indexer.generation_files import DATABASE_FILE, INDEX_FILE, OBJECT_INDEX_FILE, REDUCTION_FILE, maps_file
from indexer.layout import GENERATIONS
from indexer.manifest import COPY, FILENAME, FORMAT_VERSION, Manifest
from indexer.memory import ran_out
from indexer.row_checksums import ROWS_FILE
from indexer.salvage import Salvage

_FROM_SCRATCH = "build with --from-scratch"


class GenerationCheck:
    """One look at a generation.

    Args:
        folder: of the generation.
        former: folder of the one before it, if it is there.

    Attributes:
        outdated: whether it is of another format version, which is no damage of a former generation.
        salvage: what is intact of it; None where no manifest tells what it was.
        findings: all that is wrong with it.
    """

    def __init__(self, folder: Path, former: Path | None = None) -> None:
        self.folder = folder
        self.outdated = False
        self._manifest: Manifest | None = None
        unreadable = {name: found for name in (FILENAME, COPY) if (found := self._read_manifest(name))}
        self.salvage = self._salvage(former)
        self.findings = [self._manifest_finding(name, found) for name, found in unreadable.items()]
        if self.salvage:
            self.outdated = False
            self.findings += [self._file_finding(self.salvage, name) for name in sorted(self.salvage.damage)]
        if not self.findings:
            self._check_agreement()

    def _salvage(self, former: Path | None) -> Salvage | None:
        return Salvage(self.folder, self._manifest, former) if self._manifest else None

    def _read_manifest(self, name: str) -> str | None:
        """Why a copy of the manifest cannot be used; None where it can."""
        try:
            sealed.read(self.folder / name, FORMAT_VERSION, "a manifest")
            self._manifest = self._manifest or Manifest.load(self.folder, name)
        except sealed.VersionError as error:
            self.outdated = True
            return str(error)
        except (sealed.SealError, CollectionError) as error:
            if ran_out(error):
                raise
            return str(error)
        return None

    def _manifest_finding(self, name: str, found: str) -> Finding:
        if self._manifest is None:
            means = "what the generation is cannot be told any more"
            return self._finding(name, found, means, _FROM_SCRATCH, mendable=False)
        return self._finding(name, found, "its other copy is whole", "writes it anew from that")

    def _file_finding(self, salvage: Salvage, name: str) -> Finding:
        found = salvage.damage[name]
        if name == REDUCTION_FILE:
            return self._reduction_finding(salvage, found)
        means, remedy = self._told(salvage, name)
        return replace(self._finding(name, found, means, remedy), pictures=salvage.lost(name))

    def _told(self, salvage: Salvage, name: str) -> tuple[str, str]:
        """What damage of a file means, and what is done about it."""
        stages = {maps_file(stage): stage for stage in salvage.manifest.map_shapes}
        if name in stages:
            return f"{stages[name]} maps of pictures are lost", "embeds these pictures again"
        return {
            INDEX_FILE: ("vectors of pictures are lost", "embeds these pictures again"),
            OBJECT_INDEX_FILE: ("vectors of objects are lost", "embeds these objects again"),
            DATABASE_FILE: (
                "what pictures show is lost",
                "reads it from the devkit, embedding nothing",
            ),
            ROWS_FILE: ("damage could not be told to rows", "writes it anew, embedding nothing"),
        }.get(name, ("search is no longer quick", "makes it anew from the vectors, embedding nothing"))

    def _reduction_finding(self, salvage: Salvage, found: str) -> Finding:
        means = "all vectors depend on it"
        try:
            salvage.reduction  # noqa: B018 - it is looked for when it is asked for
        except CollectionError:
            return self._finding(REDUCTION_FILE, found, means, _FROM_SCRATCH, mendable=False)
        return self._finding(
            REDUCTION_FILE, found, means, "takes it from the generation before, which has the same"
        )

    def _check_agreement(self) -> None:
        try:
            Collection(self.folder).close()
        except CollectionError as error:
            if ran_out(error):
                raise
            means = "its parts are whole, and not of one generation"
            self.findings.append(self._finding("", str(error), means, _FROM_SCRATCH, mendable=False))

    def _finding(self, name: str, found: str, means: str, remedy: str, *, mendable: bool = True) -> Finding:
        where = str(Path(GENERATIONS, self.folder.name, name))
        return Finding(where=where, found=found, means=means, remedy=remedy, mendable=mendable)

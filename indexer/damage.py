"""What was found of damage, and how it is told: one line for each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

_NAMED = 5  # pictures in a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One file, or part of a collection, that is not what it was.

    Attributes:
        where: path inside the collection.
        found: what is wrong with it.
        means: what that spoils.
        remedy: what `--repair` does about it, or what else to do.
        mendable: whether `--repair` mends it.
        pictures: filenames of the rows that are damaged, where it is known which.
    """

    where: str
    found: str
    means: str
    remedy: str
    mendable: bool = True
    pictures: Sequence[str] = ()

    def text(self) -> str:
        """In one line."""
        named = ", ".join(self.pictures[:_NAMED]) + (", ..." if len(self.pictures) > _NAMED else "")
        rows = f" ({len(self.pictures)}: {named})" if self.pictures else ""
        remedy = f"--repair {self.remedy}" if self.mendable else self.remedy
        return f"{self.where}: {self.found}; {self.means}{rows}; {remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What there is to be told of a collection.

    Attributes:
        findings: all damage.
        leftovers: paths inside the collection of what killed builds left; no damage, the next build clears it.
    """

    findings: tuple[Finding, ...]
    leftovers: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether there is no damage."""
        return not self.findings

    def text(self) -> str:
        """In lines, the last of which says whether the collection is whole."""
        lines = [finding.text() for finding in self.findings]
        lines += [f"{path}: left by a run that was stopped; the next one clears it" for path in self.leftovers]
        return "\n".join([*lines, "whole" if self.whole else f"damage found: {len(self.findings)}"])

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "whole": self.whole,
            "findings": [{**asdict(finding), "pictures": list(finding.pictures)} for finding in self.findings],
            "leftovers": list(self.leftovers),
        }

"""The lists of a devkit, `ImageSets/Main/SPLIT.txt`: the pictures that each names, the split of each picture."""

import codecs
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from indexer.images import SUFFIXES
from indexer.records import LINE, Notice

VOC_SPLITS = ("trainval", "train", "val", "test")
"""VOC's own lists; a picture's split is the last of these that names it."""

_FLAGGED = re.compile(r"(.*\S)\s+(-1|0|\+?1)")  # of a list of one class: whether the picture shows it


class PictureNames:
    """Finds the picture that a list or an annotation means.

    That is the picture of this very name; or the one of this name without its ending, of which the JPEG counts
    where several have it; or the only one whose name differs in nothing but capitals and the encoding of accents.
    Folders before a name do not count.
    """

    def __init__(self, filenames: Iterable[str]) -> None:
        ordered = sorted(filenames, key=lambda name: (SUFFIXES.index(PurePath(name).suffix.lower()), name))
        self._meant = {PurePath(name).stem: name for name in reversed(ordered)}
        self._meant |= {name: name for name in ordered}
        self._alike: dict[str, set[str]] = {}
        for name in self._meant:
            self._alike.setdefault(_folded(name), set()).add(self._meant[name])

    def __contains__(self, name: str) -> bool:
        """Whether a picture has this very name, with or without its ending."""
        return name in self._meant

    def find(self, name: str) -> str | None:
        """The filename of the picture that a name means; None where there is none."""
        for asked in (name, name.replace("\\", "/").rpartition("/")[2]):
            if asked in self._meant:
                return self._meant[asked]
            alike = self._alike.get(_folded(asked), set())
            if len(alike) == 1:
                return next(iter(alike))
        return None


@dataclass(frozen=True, slots=True)
class ImageList:
    """One list.

    Attributes:
        path: inside the devkit.
        members: filenames of the pictures that it names and, if it is the list of a class, does not exclude by -1.
        others: filenames of those that it excludes.
        strangers: names in it that no picture has, with their lines, which count from 1.
        of_class: whether every line has a second column, 1, 0 or -1.
    """

    path: str
    members: frozenset[str]
    others: frozenset[str]
    strangers: tuple[tuple[str, int], ...]
    of_class: bool
    lines: int


def parse_list(path: str, content: bytes, names: PictureNames) -> ImageList:
    """Read a list: a name a line, in UTF-8 or, with a byte order mark, UTF-16; empty lines do not count.

    A second column of -1, 0 or 1 is one only where the line as a whole is not the name of a picture.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    # Bytes that are not UTF-8 become escapes, as they do in names of files, so that each line stands for itself.
    text = content.decode("utf-16", "replace") if wide else content.decode("utf-8-sig", "surrogateescape")
    members: set[str] = set()
    others: set[str] = set()
    strangers: list[tuple[str, int]] = []
    flagged: list[bool] = []
    for number, line in enumerate(map(str.strip, re.split(r"\r\n|\r|\n", text)), start=1):
        if not line:
            continue
        name, flag = line, None
        columns = _FLAGGED.fullmatch(line)
        if columns and line not in names and (columns[1] in names or names.find(line) is None):
            name, flag = columns[1], columns[2]
        flagged.append(flag is not None)
        found = names.find(name)
        if found is None:
            strangers.append((name, number))
        else:
            (others if flag == "-1" else members).add(found)
    of_class = bool(flagged) and all(flagged)
    return ImageList(
        path, frozenset(members), frozenset(others - members), tuple(strangers), of_class, len(flagged)
    )


def assign_splits(lists: Mapping[str, ImageList], asked: str) -> tuple[dict[str, str], list[Notice]]:
    """Filename -> the split it is of, and a notice for each picture that two splits name.

    Lists of other names than VOC's count for the pictures that no list of VOC's names; those of single classes
    count only where there are no others, or where they are asked for.

    Args:
        lists: split -> its list.
        asked: the split that is to be read, whose list comes before the others of other names.
    """
    own = [name for name in VOC_SPLITS if name in lists]
    others = sorted(set(lists).difference(own), key=lambda name: (name != asked, name))
    plain = [name for name in others if not lists[name].of_class or name == asked]
    split_of: dict[str, str] = {}
    notices = []
    for split in [*own[::-1], *(plain if own or plain else others)]:
        for filename in sorted(lists[split].members):
            first = split_of.setdefault(filename, split)
            apart = first != split and "trainval" not in (first, split) and (split in own) == (first in own)
            if apart and not lists[split].of_class:
                reason = f"{lists[split].path} and {lists[first].path} both name it; it counts to {first}"
                notices.append(Notice(LINE, filename, reason))
    return split_of, notices


def name_strangers(lists: Sequence[ImageList]) -> list[Notice]:
    """A notice for each name that no picture has, be it in one list or in many."""
    found: dict[str, list[str]] = {}
    for one in lists:
        for name, number in one.strangers:
            found.setdefault(name, []).append(f"line {number} of {one.path}")
    return [
        Notice(LINE, name, f"no picture in JPEGImages has this name ({_first_of(lines)})")
        for name, lines in found.items()
    ]


def _first_of(lines: Sequence[str]) -> str:
    return lines[0] if len(lines) == 1 else f"{lines[0]}, and {len(lines) - 1} more"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

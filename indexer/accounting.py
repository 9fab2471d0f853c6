"""What a build tells of everything that a devkit gives: how much of it was used, and what was not."""

from collections.abc import Mapping, Sequence

from indexer.records import ANNOTATION, KINDS, LINE, OBJECT, PICTURE, Notice


def notice_lines(notices: Sequence[Notice], most: int | None = None) -> list[str]:
    """A line for each notice, for so many of each kind at most, the rest counted."""
    lines = []
    for kind in KINDS:
        of_kind = [notice for notice in notices if notice.kind == kind]
        for notice in of_kind[:most]:
            done = "note on" if notice.used else "skipped" if kind == PICTURE else "not used:"
            in_list = "name in a list: " if kind == LINE else ""
            lines.append(f"{done} {in_list}{notice.name}: {notice.reason}")
        if most is not None and len(of_kind) > most:
            lines.append(f"... and {len(of_kind) - most} more of this kind, which `inspect` names")
    return lines


def account_text(accounts: Mapping[str, Mapping[str, int]]) -> str:
    """How many of the annotations, objects and lines were used, in one line; empty where there are none."""
    parts = []
    for kind, named in ((ANNOTATION, "annotation files"), (OBJECT, "objects"), (LINE, "lines of lists")):
        account = accounts.get(kind, {"given": 0})
        if account["given"]:
            outside = f" ({account['outside']} are not of the split)" if account["outside"] else ""
            parts.append(f"{account['used']} of {account['given']} {named}{outside}")
    return ", ".join(parts)

"""The verdict on a soak: a table, and what speaks against the service."""

from collections import Counter
from dataclasses import dataclass

from indexer.command_line import table
from tests.soak_diary import ANSWERED, BROKEN, OUTCOMES, SERVER_ERROR, TURNED_AWAY, UNEXPECTED, WRONG, Diary

_TURNED_AWAY = 0.02  # share of the requests that may be
_LONG = 300.0  # seconds from which on growth tells something
_GROWTH = 1.25  # of memory, files and threads, from the first tenth to the last
_SPARE = 40  # files and threads more than that: clients come and go


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the service was left.

    Attributes:
        exit_code: of its end on SIGTERM.
        processes: workers before and after, once each killed one had time to be replaced.
        reloads: done and failed, as the service tells them.
        generations: the one published last, and the one served.
    """

    exit_code: int
    processes: tuple[int, int]
    reloads: tuple[int, int]
    generations: tuple[int, int]


def objections(diary: Diary, ending: Ending) -> list[str]:
    """What speaks against the service; nothing where the verdict is good."""
    counted, excused = diary.outcomes()
    found = [
        f"{counted[kind] - excused[kind]} {kind} that no kill explains"
        for kind in (SERVER_ERROR, BROKEN, WRONG, UNEXPECTED)
        if counted[kind] > excused[kind]
    ]
    if not counted[ANSWERED]:
        found.append("no request was answered")
    if counted[TURNED_AWAY] > _TURNED_AWAY * len(diary.met):
        found.append(f"{counted[TURNED_AWAY]} of {len(diary.met)} requests turned away")
    if ending.processes[1] != ending.processes[0]:
        found.append(f"{ending.processes[0]} workers before, {ending.processes[1]} after")
    if ending.exit_code:
        found.append(f"exit code {ending.exit_code}")
    if ending.generations[0] != ending.generations[1]:
        found.append(f"generation {ending.generations[0]} published, {ending.generations[1]} served")
    if ending.reloads[1]:
        found.append(f"{ending.reloads[1]} failed reloads")
    if failed := [deed for deed in diary.deeds if "ended with" in deed]:
        found.append(", ".join(failed))
    return found + (_growth(diary) if diary.seconds >= _LONG else [])


def _growth(diary: Diary) -> list[str]:
    first, last = diary.holdings(last=False), diary.holdings(last=True)
    grown = {
        "memory": last.resident > _GROWTH * first.resident,
        "open files": last.open_files > _GROWTH * first.open_files + _SPARE,
        "threads": last.threads > _GROWTH * first.threads + _SPARE,
    }
    return [f"{name} grew by more than a quarter" for name, grew in grown.items() if grew]


def describe(diary: Diary, ending: Ending) -> str:
    """The table, the first of what went wrong, and the verdict."""
    counted, excused = diary.outcomes()
    rows = [(name, f"{counted[name]:,}", f"{excused[name]:,}" if excused[name] else "") for name in OUTCOMES]
    deeds = Counter(diary.deeds)
    first, last = diary.holdings(last=False), diary.holdings(last=True)
    times = [diary.percentiles(last=end) for end in (False, True)]
    told = [
        table([("requests", f"{len(diary.met):,}", ""), *rows], ("", "count", "during a kill")),
        table(
            [
                *((f"p{name}, ms", *(f"{one[at]:,.0f}" for one in times)) for at, name in ((0, 50), (1, 99))),
                ("memory, MB", f"{first.resident / 1e6:,.0f}", f"{last.resident / 1e6:,.0f}"),
                ("open files", first.open_files, last.open_files),
                ("threads", first.threads, last.threads),
                ("workers", *ending.processes),
            ],
            ("", "first tenth", "last tenth"),
        ),
        table([*sorted(deeds.items()), ("reloads done", ending.reloads[0]), ("reloads failed", ending.reloads[1])],
              ("what happened", "times")),
    ]  # fmt: skip
    wrong = [f"{one.kind}: {one.told}" for one in diary.met if one.told and one.outcome != TURNED_AWAY]
    verdict = objections(diary, ending)
    told += ["\n".join(wrong[:20])] if wrong else []
    told.append(f"verdict: {'bad: ' + '; '.join(verdict) if verdict else 'good'}")
    return "\n\n".join(told)

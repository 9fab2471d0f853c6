"""What the processes of a service hold of the machine, as Linux tells it under /proc; elsewhere none are told."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PARENT, _THREADS = 1, 17  # places in /proc/PID/stat behind the name: fields 4 and 20 of proc_pid_stat(5)


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes:
        pid: its id.
        parent: the id of the one that started it.
        resident: bytes of memory that it holds; what it shares with others counts for each.
        open_files: sockets included; 0 where they are not ours to see.
        threads: how many.
    """

    pid: int
    parent: int
    resident: int
    open_files: int
    threads: int


def family(pid: int) -> list[Process]:
    """A process and all that it started, directly or not; by pid."""
    everyone = dict(_parents())
    found = {pid} & set(everyone)
    while more := {one for one, parent in everyone.items() if parent in found} - found:
        found |= more
    return [process for one in sorted(found) if (process := _look(one))]


def _parents() -> Iterator[tuple[int, int]]:
    for folder in _PROC.glob("[0-9]*"):
        stat = _stat(int(folder.name))
        if stat:
            yield int(folder.name), int(stat[_PARENT])


def _stat(pid: int) -> list[str]:
    """The fields behind the name, which may hold anything; none where the process has ended."""
    try:
        return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _look(pid: int) -> Process | None:
    """What a process holds; None where it has ended meanwhile."""
    stat = _stat(pid)
    folder = _PROC / str(pid)
    try:
        resident = int((folder / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        open_files = len(list((folder / "fd").iterdir())) if os.access(folder / "fd", os.R_OK) else 0
    except OSError:
        return None
    return Process(pid, int(stat[_PARENT]), resident, open_files, int(stat[_THREADS])) if stat else None

"""What the processes of a service hold of the machine."""

from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes:
        pid: its id.
        parent: the id of the one that started it.
        resident: bytes of memory that it holds; what it shares with others counts for each.
        open_files: sockets included.
        threads: how many.
    """

    pid: int
    parent: int
    resident: int
    open_files: int
    threads: int


def family(pid: int) -> list[Process]:
    """A process and all that it started, directly or not; by pid, without those that have ended meanwhile."""
    found = []
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        for one in sorted([first, *first.children(recursive=True)], key=lambda one: one.pid):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                found.append(look(one))
    return found


def look(process: psutil.Process) -> Process:
    """What a process holds.

    Raises:
        psutil.NoSuchProcess: it has ended.
    """
    with process.oneshot():
        return Process(
            pid=process.pid,
            parent=process.ppid(),
            resident=process.memory_info().rss,
            open_files=process.num_fds(),
            threads=process.num_threads(),
        )


def this_process() -> Process:
    """What the one that asks holds."""
    return look(psutil.Process())

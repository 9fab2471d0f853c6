"""Lets the processes of one service count together: prometheus-client keeps their counts in a folder.

What a worker counted stays counted when it dies; what it held at work does not.
"""

import shutil
from pathlib import Path
from typing import Any


def counting_together(folder: Path) -> dict[str, Any]:
    """What has the workers of gunicorn count in an empty folder, which goes when the service ends."""
    return {
        "raw_env": [f"PROMETHEUS_MULTIPROC_DIR={folder}"],
        "child_exit": lambda _, worker: _forget(worker.pid, folder),
        "on_exit": lambda _: shutil.rmtree(folder),
    }


def _forget(pid: int, folder: Path) -> None:
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - once its variable stands

    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]

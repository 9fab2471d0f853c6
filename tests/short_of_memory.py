"""Runs a command in a process that may take only so much more memory than its libraries have taken already."""

import importlib
import resource
import sys
from pathlib import Path

_LIBRARIES = ("indexer.build", "indexer.openvino_runtime", "indexer.inspection", "localizer.publish")


def _limit_to(spare: int) -> None:
    """Let this process take `spare` more MB of data, and no more."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (taken,) = (int(line.split()[1]) for line in lines if line.startswith("VmData"))
    limit = 1024 * (taken + 1024 * spare)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    spare, package, *arguments = sys.argv[1:]
    for library in _LIBRARIES:
        importlib.import_module(library)
    main = importlib.import_module(f"{package}.__main__").main
    _limit_to(int(spare))
    main(arguments, prog_name=f"python -m {package}")

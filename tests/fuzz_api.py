"""Asks a running service whatever its specification allows, and what it does not, for some minutes.

`./scripts/fuzz-api [MINUTES]` runs it: schemathesis against a real service over a collection with both heads,
drawn or of VOC_ROOT. Exits with 1 where an answer was a server error, or not as the specification tells.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from tests.bench_serve import collection_to_serve
from tests.keys import ADMINISTRATOR, key_file
from tests.load import served

FINDINGS = Path("data/fuzz")
"""Where schemathesis keeps the requests that found something, to ask them again."""
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)


def fuzz(port: int, seconds: float, seed: int) -> int:
    """Ask the service at a port for so long, as its administrator; the exit code of schemathesis."""
    return subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"http://127.0.0.1:{port}/api/v1/openapi.json",
            f"--checks={','.join(_CHECKS)}",
            f"--max-time={max(1, round(seconds))}",
            f"--seed={seed}",
            f"--header=X-API-Key: {ADMINISTRATOR}",
            "--continue-on-failure",
            "--workers=4",
            "--warnings=off",
        ],
        check=False,
        cwd=FINDINGS,
    ).returncode


def main() -> None:
    """Fuzz, and end with the exit code of the fuzzer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=float, nargs="?", default=10)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    FINDINGS.mkdir(parents=True, exist_ok=True)
    with served(collection_to_serve(), "--api-key-file", str(key_file(FINDINGS))) as port:
        code = fuzz(port, 60 * asked.minutes, asked.seed)
    sys.exit(code)


if __name__ == "__main__":
    main()

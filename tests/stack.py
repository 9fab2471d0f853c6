"""The services of `compose.yaml` as processes of this machine: its own commands, at addresses of this machine."""

import http.client
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.postgres import free_port
from tests.servers import Servers

HOME = Path(__file__).parents[1]
COMPOSED: dict[str, Any] = yaml.safe_load((HOME / "compose.yaml").read_text(encoding="utf-8"))
REPLICAS = ("replica-1", "replica-2")
BALANCER = "balancer"
_PATIENCE = 90  # seconds, for a busy machine


class Stack:
    """What would run in containers; Milvus and PostgreSQL are those that are given.

    Args:
        folder: for what would lie in volumes.
        voc_root: the devkit.
        servers: to take for `milvus` and `postgres`.
    """

    def __init__(self, folder: Path, voc_root: Path, servers: Servers) -> None:
        self._folder = folder
        self._ports = {name: free_port() for name in (*REPLICAS, BALANCER)}
        self._here = {
            "http://milvus:19530": servers.vectors,
            "postgresql://lookalike@postgres/lookalike": servers.metadata,
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what is replaced
            "/voc": str(voc_root),
            "python": sys.executable,
        }

    def build(self) -> None:
        """Run the command of the service `build` to its end."""
        subprocess.run(self._command("build"), cwd=HOME, env=_environment(), check=True, capture_output=True)

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """A replica or the balancer; killed at the end, if it still runs."""
        port = ["--port", str(self._ports[name])] if name in REPLICAS else []
        with (self._folder / f"{name}.log").open("wb") as log:
            command = [*self._command(name), *port]
            process = subprocess.Popen(command, cwd=HOME, env=_environment(), stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @contextmanager
    def all_running(self) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
        """Both replicas and the balancer, by name."""
        with ExitStack() as opened:
            yield {name: opened.enter_context(self.running(name)) for name in (*REPLICAS, BALANCER)}

    def told(self, name: str) -> str:
        """What a replica or the balancer said so far."""
        return (self._folder / f"{name}.log").read_text(encoding="utf-8")

    def is_up(self, name: str) -> bool:
        """Whether the balancer found a replica ready when it last looked."""
        told, server = self.told(BALANCER), f"Server replicas/{name} is"
        return told.rfind(f"{server} UP") > told.rfind(f"{server} DOWN")

    def ask(self, name: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """What a replica, or one that the balancer chooses, answers: status and JSON."""
        with closing(http.client.HTTPConnection("127.0.0.1", self._ports[name], timeout=_PATIENCE)) as connection:
            content = None if body is None else json.dumps(body)
            connection.request(
                "GET" if body is None else "POST", path, content, {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            said, kind = answer.read(), answer.headers.get_content_subtype()
            return answer.status, json.loads(said) if kind == "json" else {}

    def is_healthy(self, name: str) -> bool:
        """What the health check of a replica finds."""
        _, *test = COMPOSED["services"][name]["healthcheck"]["test"]
        here = [word.replace("127.0.0.1:8000", f"127.0.0.1:{self._ports[name]}") for word in test]
        found = subprocess.run([self._here.get(here[0], here[0]), *here[1:]], check=False, capture_output=True)
        return found.returncode == 0

    def _command(self, name: str) -> list[str]:
        told = COMPOSED["services"][name]["command"]
        words = shlex.split(told) if isinstance(told, str) else list(told)
        configured = {one["target"]: self._configuration(one["source"]) for one in self._configs(name)}
        data = self._folder / name / "data"
        return [(self._here | configured).get(word, word.replace("/data/", f"{data}/")) for word in words]

    def _configs(self, name: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = COMPOSED["services"][name].get("configs", [])
        return found

    def _configuration(self, source: str) -> str:
        content = COMPOSED["configs"][source]["content"].replace(
            "bind :8000", f"bind 127.0.0.1:{self._ports[BALANCER]}"
        )
        for name in REPLICAS:
            content = content.replace(f"{name}:8000", f"127.0.0.1:{self._ports[name]}")
        file = self._folder / f"{source}.cfg"
        file.write_text(content, encoding="utf-8")
        return str(file)


def _environment() -> dict[str, str]:
    return {**os.environ, "PGPASSWORD": "secret"}

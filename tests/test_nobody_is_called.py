"""No command looks up or connects to a host that it was not told of, be it by a library's import."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from tests.test_serve import free_port

HOME = Path(__file__).parents[1]
# Python runs it in each process before the first line of a program. Calls of other machines are noted and refused.
_WATCHER = """
import os, sys

def host_of(event, arguments):
    if event in ("socket.gethostbyname", "socket.gethostbyaddr", "socket.getaddrinfo"):
        return arguments[0]
    if event == "socket.getnameinfo":
        return arguments[0][0]
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        return address[0] if isinstance(address, tuple) else None  # a path, or what is connected already

def watch(event, arguments):
    host = host_of(event, arguments) if event.startswith("socket.") else None
    if host is not None and host not in {here!r}:
        with open({log!r}, "a") as log:
            print(event, host, *getattr(sys, "argv", []), file=log)
        raise PermissionError(f"{{host}} is not to be called")

sys.addaudithook(watch)
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """Runs programs from whose first line on nobody may be called, with an empty home folder.

    Attributes:
        environment: of their processes.
        home: their home folder.
        log: what they called for all that, if it is there.
    """

    environment: dict[str, str]
    home: Path
    log: Path

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, *map(str, arguments)]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.environment, cwd=HOME, capture_output=True, text=True, check=False
        )

    @property
    def called(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    folder = tmp_path_factory.mktemp("watched")
    found = Watched({}, folder / "home", folder / "called")
    found.home.mkdir()
    own = [address.address for addresses in psutil.net_if_addrs().values() for address in addresses]
    here = ["127.0.0.1", "::1", "0.0.0.0", "::", *own]  # noqa: S104 - to be told from others
    (folder / "sitecustomize.py").write_text(_WATCHER.format(here=here, log=str(found.log)))
    # On build machines, which these variables tell of, OpenVINO's package would not call anyway.
    left_out = ("CI", "TF_BUILD", "JENKINS_URL", "XDG_CACHE_HOME", "RAY_USAGE_STATS_ENABLED")
    found.environment.update({name: value for name, value in os.environ.items() if name not in left_out})
    found.environment.update(HOME=str(found.home), PYTHONPATH=os.pathsep.join([str(folder), str(HOME)]))
    return found


@pytest.fixture(scope="module")
def built(watched: Watched, devkit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection that was built, and trained on, by watched commands."""
    collection = tmp_path_factory.mktemp("built") / "collection"
    for command in (
        ["indexer", "build", "--voc-root", devkit, "--backbone", "efficientnet_lite2", "--side", 64],
        ["localizer", "train", "--epochs", 1],
        ["localizer", "train", "--task", "detect", "--epochs", 1],
    ):
        run = watched.run("-m", *command, "--collection", collection)
        assert run.returncode == 0, run.stderr
    return collection


@pytest.fixture(scope="module")
def address(watched: Watched, built: Path) -> Iterator[str]:
    """Where a watched service answers."""
    port = free_port()
    command = watched.command("-m", "search_service", "serve", "--collection", built, "--port", port)
    server = subprocess.Popen(command, env=watched.environment, cwd=HOME, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline() == f"Lookalike answers at http://127.0.0.1:{port}\n"
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.communicate(timeout=60)


def test_who_is_called_is_noted_and_refused(watched: Watched) -> None:
    calls = ["socket.getaddrinfo('nobody.invalid', 80)", "socket.gethostbyname('nobody.invalid')"]
    calls += ["socket.socket().connect(('192.0.2.1', 80))"]
    calls += ["socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 53))"]

    codes = [watched.run("-c", f"import socket; {call}").returncode for call in calls]

    assert codes == [1, 1, 1, 1]
    assert [line.split()[:2] for line in watched.called] == [
        ["socket.getaddrinfo", "nobody.invalid"], ["socket.gethostbyname", "nobody.invalid"],
        ["socket.connect", "192.0.2.1"], ["socket.sendto", "192.0.2.1"],
    ]  # fmt: skip
    watched.log.unlink()


def test_building_and_training_call_nobody(watched: Watched, built: Path) -> None:
    assert (built / "heads" / "detect").is_dir()
    assert watched.called == []


def test_a_query_calls_nobody(watched: Watched, built: Path, devkit: Path) -> None:
    query = watched.run(
        "-m", "search_service", "query", devkit / "JPEGImages" / "000003.jpg", "--collection", built, "--json"
    )

    assert json.loads(query.stdout)["results"]
    assert watched.called == []


def test_a_service_calls_nobody(watched: Watched, address: str, devkit: Path) -> None:
    picture = (devkit / "JPEGImages" / "000003.jpg").read_bytes()
    boundary = "b"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'.encode()
    search = urllib.request.Request(  # noqa: S310 - ours
        f"{address}/api/v1/search",
        head + picture + f"\r\n--{boundary}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )

    pages = (f"{address}{path}" for path in ("/", "/browse", "/map", "/quality", "/metrics"))
    asked: list[str | urllib.request.Request] = [search, *pages]
    answers = [urllib.request.urlopen(one).status for one in asked]  # noqa: S310 - ours

    assert answers == [200] * 6
    assert watched.called == []


@pytest.mark.parametrize(
    "command",
    [["indexer", "map"], ["indexer", "evaluate"], ["localizer", "report", "--out", "{out}"]],
    ids=lambda command: " ".join(command[:2]),
)
def test_the_other_commands_call_nobody(watched: Watched, built: Path, tmp_path: Path, command: list[str]) -> None:
    run = watched.run("-m", *(part.format(out=tmp_path) for part in command), "--collection", built)

    assert run.returncode == 0, run.stderr
    assert watched.called == []


def test_nothing_is_left_in_the_home_folder_but_caches(watched: Watched, built: Path) -> None:
    assert built.is_dir()
    assert {path.name for path in watched.home.iterdir()} <= {".cache", ".config"}  # the latter is matplotlib's
    assert {path.name for path in (watched.home / ".cache").iterdir()} <= {"lookalike", "matplotlib"}


@pytest.mark.skipif(not find_spec("ray"), reason="the extra ray is not installed")
def test_a_cluster_of_our_own_calls_nobody(watched: Watched, devkit: Path, tmp_path: Path) -> None:
    run = watched.run(
        "-m", "indexer", "build", "--voc-root", devkit, "--collection", tmp_path / "c", "--engine", "ray",
        "--backbone", "efficientnet_lite2", "--side", 64,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    assert watched.called == []

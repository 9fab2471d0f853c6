"""`compose.yaml`: as the specification of compose has it, and each of its commands does what it is there for."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.milvus import needs_milvus, serving
from tests.servers import Servers
from tests.stack import BALANCER, COMPOSED, HOME, REPLICAS, Stack

_PATIENCE = 90  # seconds, for a busy machine
_TIMEOUT = 10  # seconds that a server has to answer in, unless told otherwise
_SEARCH = "/api/v1/search"
_QUERY = {"image_id": 3, "k": 5, "filters": {"min_objects": 1}}

needs_balancer = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="HAProxy is not on PATH (Debian: haproxy)"
)


def check_schema(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_it_is_as_the_specification_has_it() -> None:
    checked = check_schema(HOME / "compose.yaml")

    assert checked.returncode == 0, checked.stdout


def test_a_misspelt_word_would_be_found(tmp_path: Path) -> None:
    misspelt = tmp_path / "compose.yaml"
    misspelt.write_text((HOME / "compose.yaml").read_text().replace("command:", "comand:"))

    assert check_schema(misspelt).returncode == 1


def test_every_image_is_of_a_version_that_is_named() -> None:
    images = {name: service["image"] for name, service in COMPOSED["services"].items() if "build" not in service}

    assert set(images) == {"balancer", "milvus", "postgres"}
    for image in images.values():
        assert image.partition(":")[2][:1] in "v0123456789", image


def test_nothing_listens_beyond_this_machine() -> None:
    ports = [port for service in COMPOSED["services"].values() for port in service.get("ports", [])]

    assert ports == ["127.0.0.1:8000:8000"]


def test_whatever_is_named_is_there() -> None:
    services, volumes, configs = (set(COMPOSED[kind]) for kind in ("services", "volumes", "configs"))

    for service in COMPOSED["services"].values():
        assert set(service.get("depends_on", [])) <= services
        assert {one["source"] for one in service.get("configs", [])} <= configs
        named = {one.partition(":")[0] for one in service.get("volumes", []) if not one.startswith("$")}
        assert named <= volumes


def test_a_container_is_made_by_what_the_tests_are_set_up_with() -> None:
    told = (HOME / "Dockerfile").read_text()

    assert "RUN PIP_NO_CACHE_DIR=1 ./scripts/setup\n" in told
    assert "python:3.11-" in told, "requirements.lock is for Python 3.11"


@pytest.mark.skipif(shutil.which("pg_isready") is None, reason="pg_isready is not on PATH (Debian: postgresql)")
def test_postgresql_is_asked_whether_it_is_ready(postgres_server: str) -> None:
    server = make_url(postgres_server)
    _, *test = COMPOSED["services"]["postgres"]["healthcheck"]["test"]

    asked = [*test, "--host", server.host, "--port", str(server.port)]

    assert subprocess.run(asked, check=False).returncode == 0


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of the test's own, to be stopped: its address and process."""
    with serving(tmp_path) as found:
        yield found


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        with suppress(OSError):
            if condition():
                return
        assert time.monotonic() < end, "expected it to come true, found it did not"
        time.sleep(0.1)


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "took_ms"}


@needs_milvus
@needs_balancer
def test_two_replicas_answer_alike_follow_what_is_published_and_stand_in_for_each_other(
    tmp_path: Path, own_devkit: Path, milvus: tuple[str, subprocess.Popen[bytes]], postgres_url: str
) -> None:
    stack = Stack(tmp_path, own_devkit, Servers(milvus[0], postgres_url))

    def generations() -> list[int | None]:
        return [stack.ask(name, "/readyz")[1].get("generation") for name in (*REPLICAS, BALANCER)]

    with stack.all_running() as processes:
        for name in REPLICAS:
            wait_for(partial(stack.is_healthy, name))
            assert stack.ask(name, _SEARCH, _QUERY)[0] == 503, "nothing is built yet"

        stack.build()
        wait_for(lambda: generations() == [1, 1, 1])
        wait_for(lambda: all(map(stack.is_up, REPLICAS)))
        answers = [stack.ask(name, _SEARCH, _QUERY) for name in (*REPLICAS, BALANCER, BALANCER)]
        assert {status for status, _ in answers} == {200}
        assert all(without_times(one) == without_times(answers[0][1]) for _, one in answers)

        min((own_devkit / "JPEGImages").iterdir()).unlink()
        stack.build()
        wait_for(lambda: generations() == [2, 2, 2])

        _check_that_milvus_may_be_away(stack, milvus[1])

        processes[REPLICAS[0]].kill()
        wait_for(lambda: (stack.is_up(REPLICAS[0]), stack.is_up(REPLICAS[1])) == (False, True))
        assert [stack.ask(BALANCER, _SEARCH, _QUERY)[0] for _ in range(4)] == [200] * 4


def _check_that_milvus_may_be_away(stack: Stack, milvus: subprocess.Popen[bytes]) -> None:
    milvus.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    status, answer = stack.ask(REPLICAS[0], _SEARCH, _QUERY)
    taken = time.monotonic() - started
    ready, told = stack.ask(REPLICAS[1], "/readyz")
    milvus.send_signal(signal.SIGCONT)

    assert (status, answer["error"]["code"], ready) == (503, "store_unreachable", 503)
    assert "Milvus" in str(told)
    assert taken < 2 * _TIMEOUT
    wait_for(lambda: {stack.ask(name, _SEARCH, _QUERY)[0] for name in (*REPLICAS, BALANCER)} == {200})

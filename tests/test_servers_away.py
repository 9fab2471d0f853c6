"""A service whose servers fall silent: 503 in time, the one that is away by its name, and on again afterwards."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from indexer.build_settings import BuildRequest
from tests.catalogue_acts import Line
from tests.conftest import client_of
from tests.milvus import needs_milvus, serving
from tests.servers import Servers, build_shared, open_engine

pytestmark = needs_milvus

_TIMEOUT = 2.0  # seconds; the least that libpq takes for connecting
_MOST = 2 * _TIMEOUT + 4  # a connection is found dead, then a new one is; and a busy machine
_SIMILAR, _BROWSED = "/api/v1/images/3/similar?k=3", "/api/v1/images?k=3"


class Silent:
    """A client of a service over servers that can be silenced, one at a time."""

    def __init__(self, client: FlaskClient, line: Line, milvus: "subprocess.Popen[bytes]") -> None:
        self.client = client
        self._line = line
        self._milvus = milvus

    def silence(self, store: str) -> None:
        """From now on, it answers nothing."""
        if store == "PostgreSQL":
            self._line.die()
        else:
            self._milvus.send_signal(signal.SIGSTOP)

    def let_speak(self, store: str) -> None:
        """It answers again."""
        if store == "PostgreSQL":
            self._line.live()
        else:
            self._milvus.send_signal(signal.SIGCONT)

    def refusal(self, path: str) -> tuple[int, str, str]:
        """Status, code and message, which have to come in time."""
        started = time.monotonic()
        answer = self.client.get(path)
        assert time.monotonic() - started < _MOST
        assert int(answer.headers["Retry-After"]) > 0
        error = answer.get_json()["error"]
        return answer.status_code, error["code"], error["message"]


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    servers: Servers,
    new_path: Callable[[], Path],
    devkit: Path,
    request_build: Callable[..., BuildRequest],
) -> Iterator[Silent]:
    line = Line(servers.metadata)
    with serving(tmp_path_factory.mktemp("silent")) as (address, milvus):
        there = Servers(address, line.url)
        path = build_shared(new_path(), there, request_build, voc_root=devkit, store_timeout=_TIMEOUT)
        engine = open_engine(path)
        yield Silent(client_of(engine), line, milvus)
        engine.close()
    line.close()


@pytest.mark.parametrize(
    ("store", "asked"),
    [("Milvus", _SIMILAR), ("PostgreSQL", _SIMILAR), ("PostgreSQL", _BROWSED), ("Milvus", "/readyz"),
     ("PostgreSQL", "/readyz")],
)  # fmt: skip
def test_what_needs_a_silent_server_is_refused_in_time_and_by_its_name(
    service: Silent, store: str, asked: str
) -> None:
    assert service.client.get(asked).status_code == 200

    service.silence(store)
    status, code, message = service.refusal(asked)
    service.let_speak(store)

    assert (status, code) == (503, "store_unreachable")
    assert message == f"expected {store} to answer in time, found it out of reach; try again in a moment"
    assert service.client.get(asked).status_code == 200


def test_a_page_says_so_too_and_what_needs_no_server_is_answered_meanwhile(service: Silent) -> None:
    service.silence("PostgreSQL")
    page, alive = service.client.get("/browse"), service.client.get("/healthz")
    service.let_speak("PostgreSQL")

    assert page.status_code == 503
    assert "Expected PostgreSQL to answer in time, found it out of reach" in page.text
    assert alive.status_code == 200

"""The service under gunicorn, over a real socket."""

import http.client
import json
import math
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer.errors import CollectionError, InferenceError
from indexer.inference import Inference
from indexer.reduction import VECTOR_DIM
from indexer.voc import CLASS_NAMES
from search_service.records import MAX_PICTURES
from search_service.settings import Settings

HOME = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def address(collection_path: Path) -> Iterator[str]:
    """Where a service of two threads answers."""
    port = free_port()
    command = ["serve", "--collection", collection_path, "--port", port, "--threads", 2]
    server = subprocess.Popen(
        [sys.executable, "-m", "search_service", *map(str, command)], stdout=subprocess.PIPE, text=True, cwd=HOME
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    assert line == f"Lookalike answers at http://127.0.0.1:{port}\n"
    yield f"http://127.0.0.1:{port}"
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=60)
    assert server.returncode == 0


def test_many_clients_get_the_answers_of_their_own_questions(address: str) -> None:
    def ask(image_id: int) -> int:
        with urllib.request.urlopen(f"{address}/api/v1/images/{image_id}/similar?k=1") as response:  # noqa: S310
            found: int = json.load(response)["query"]["positives"][0]["image_id"]
        return found

    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(ask, range(40))) == list(range(40))


def test_as_many_sent_pictures_as_a_query_may_have_fit_into_an_address(address: str) -> None:
    def embedding_of(image_id: int) -> str:
        with urllib.request.urlopen(f"{address}/api/v1/images/{image_id}/similar?k=1") as response:  # noqa: S310
            text: str = json.load(response)["query"]["positives"][0]["embedding"]
        return text

    longest = 4 * math.ceil((4 + 2 * (VECTOR_DIM + len(CLASS_NAMES))) / 3)
    pictures = "&".join(f"positive=~{embedding_of(image_id)}" for image_id in range(MAX_PICTURES))

    for asked in (f"/?{pictures}", f"/healthz?{'A' * MAX_PICTURES * (len('positive=~&') + longest)}"):
        with urllib.request.urlopen(f"{address}{asked}") as response:  # noqa: S310
            assert response.status == 200


def test_a_body_of_broken_chunks_is_the_clients_error(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    head = "POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += "Transfer-Encoding: chunked"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{head}\r\n\r\nzz\r\n{{}}\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        body = json.load(answer)

    assert answer.status == 400
    assert body["error"]["code"] == "bad_request"


def test_a_port_in_use_ends_in_an_error(collection_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        command = ["serve", "--collection", str(collection_path), "--port", str(port)]

        run = subprocess.run(
            [sys.executable, "-m", "search_service", *command],
            capture_output=True,
            text=True,
            cwd=HOME,
            check=False,
        )

    assert run.returncode != 0
    assert f"error: expected port {port} of 127.0.0.1 to be free" in run.stderr


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_environment({"LOOKALIKE_COLLECTION": "/c", "LOOKALIKE_VOC_ROOT": "/v"})

    assert settings == Settings(collection=Path("/c"), weights=None, voc_root=Path("/v"))
    with pytest.raises(CollectionError, match="LOOKALIKE_COLLECTION"):
        Settings.from_environment({})


def test_the_environment_says_how_the_backbone_is_run() -> None:
    settings = Settings.from_environment({"LOOKALIKE_COLLECTION": "/c", "LOOKALIKE_RUNTIME": "torch"})

    assert settings.inference == Inference(runtime="torch")
    with pytest.raises(InferenceError, match="expected auto, fp32, bf16 in LOOKALIKE_PRECISION, found 'int4'"):
        Settings.from_environment({"LOOKALIKE_COLLECTION": "/c", "LOOKALIKE_PRECISION": "int4"})

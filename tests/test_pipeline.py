"""The pipeline: pieces in their order, failures in their place, and never more than a batch on its way."""

import hashlib
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from indexer import backbones, images
from indexer.embedder import Embedder
from indexer.errors import ImageError
from indexer.images import Picture
from indexer.inference import BATCH, PIECE, Inference
from indexer.maps_file import MapsFile
from indexer.pipeline import PictureFile, Pipeline, Size


class CountingEmbedder(Embedder):
    """Knows how many pictures it prepared."""

    prepared = 0
    _lock = threading.Lock()

    def pixels(self, picture: Picture) -> NDArray[np.uint8]:
        with self._lock:
            self.prepared += 1
        return super().pixels(picture)


@pytest.fixture
def embedder(resnet50_weights: Path) -> CountingEmbedder:
    return CountingEmbedder(backbones.load("resnet50", str(resnet50_weights), side=64), Inference(), bulk=True)


@pytest.fixture(scope="module")
def files(devkit: Path) -> list[PictureFile]:
    paths = sorted((devkit / "JPEGImages").iterdir())
    return [PictureFile(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]


def in_pieces(files: Sequence[PictureFile], size: int) -> list[Sequence[PictureFile]]:
    return [files[start : start + size] for start in range(0, len(files), size)]


def count(pixels: Sequence[NDArray[np.uint8]]) -> int:
    return len(pixels)


def test_pieces_come_in_their_order_each_with_its_own_pictures(
    embedder: CountingEmbedder, files: list[PictureFile]
) -> None:
    pieces = in_pieces(files, 7)

    def means(pixels: Sequence[NDArray[np.uint8]]) -> list[float]:
        return [float(one.mean()) for one in pixels]

    done = list(Pipeline(embedder, means).run(pieces))

    assert [one.files for one in done] == pieces
    for one in done:
        pictures = [images.load(file.path, embedder.side) for file in one.files]
        assert one.embedded == means([embedder.pixels(picture) for picture in pictures])
        assert one.outcomes == [Size(picture.width, picture.height) for picture in pictures]


def test_a_picture_that_cannot_be_decoded_leaves_the_others_of_its_piece_alone(
    embedder: CountingEmbedder, files: list[PictureFile], tmp_path: Path
) -> None:
    gone, changed = PictureFile(tmp_path / "gone.jpg", "0"), PictureFile(files[1].path, "another")

    [done] = Pipeline(embedder, count).run([[files[0], gone, changed, files[2]]])

    assert [isinstance(one, ImageError) for one in done.outcomes] == [False, True, True, False]
    assert done.embedded == 2


def test_a_piece_without_any_picture_is_not_embedded(embedder: CountingEmbedder, tmp_path: Path) -> None:
    [done] = Pipeline(embedder, count).run([[PictureFile(tmp_path / "gone.jpg", "0")]])

    assert done.embedded is None


def test_where_nothing_is_asked_for_no_runtime_is_made(resnet50_weights: Path) -> None:
    embedder = Embedder(backbones.load("resnet50", str(resnet50_weights), side=64))

    assert list(Pipeline(embedder, count).run([])) == []
    assert "runtime" not in vars(embedder)


@pytest.mark.parametrize("size", [PIECE, 5, BATCH])
def test_what_is_on_its_way_while_a_piece_is_written_is_a_batch_at_most(
    embedder: CountingEmbedder, files: list[PictureFile], size: int
) -> None:
    pieces = in_pieces(files * 5, size)
    written = most = 0

    for done in Pipeline(embedder, count).run(pieces):
        expected = min(written + BATCH // size * size, 5 * len(files))
        deadline = time.monotonic() + 60
        while embedder.prepared < expected and time.monotonic() < deadline:
            time.sleep(0.001)  # the taker is slow, and lets the others run ahead as far as they may
        most = max(most, embedder.prepared - written)
        written += len(done.files)

    assert most == BATCH // size * size


def test_an_error_of_the_embedding_reaches_the_taker(embedder: CountingEmbedder, files: list[PictureFile]) -> None:
    def fail(_: object) -> None:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        list(Pipeline(embedder, fail).run(in_pieces(files, 8)))


def test_the_slowest_step_is_named(embedder: CountingEmbedder, files: list[PictureFile]) -> None:
    pieces = in_pieces(files, 8)

    written = Pipeline(embedder, count)
    for _ in written.run(pieces):
        time.sleep(0.2)
    inferred = Pipeline(embedder, lambda _: time.sleep(0.2))
    list(inferred.run(pieces))

    assert written.limit == "writing"
    assert inferred.limit == "inference"


@given(
    st.integers(1, 9).flatmap(
        lambda count: st.tuples(
            npst.arrays(
                np.float16, npst.array_shapes(min_dims=3, max_dims=3, max_side=4).map(lambda s: (count, *s))
            ),
            st.permutations(range(count)),
        )
    )
)
def test_maps_written_in_any_order_are_read_back_as_numpy_reads_them(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[NDArray[np.float16], list[int]]
) -> None:
    maps, order = case
    path = tmp_path_factory.mktemp("maps") / "maps.npy"

    with MapsFile.create(path, len(maps), maps.shape[1:]) as file:
        for row in order:
            file.put(row, maps[row])

    assert np.array_equal(np.load(path), maps, equal_nan=True)
    with MapsFile(path, "rb") as file:
        assert all(np.array_equal(file.get(row), maps[row], equal_nan=True) for row in range(len(maps)))

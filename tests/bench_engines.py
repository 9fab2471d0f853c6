"""Measures embedding over a Ray cluster beside embedding in this process; `./scripts/bench engines` runs it.

Both embed the same 400 pictures, of the devkit that VOC_ROOT names or drawn, on the cores of one machine: what is
found is what Ray costs, for there it can win nothing.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from indexer import backbones, engines, images, sample, voc
from indexer.embedder import Embedder, EmbeddingStep
from indexer.embedding_run import EmbeddingRun
from indexer.engine_settings import RAY, Engine
from indexer.inference import PIECE
from indexer.manifest import file_sha256
from indexer.pipeline import PictureFile
from indexer.reduction import Reduction
from indexer.staging import StagedPiece, Staging
from tests.bench_embed import SOURCE, made_up_reduction
from tests.measuring import Report, ratios, take_turns

ROUNDS, PICTURES = 3, 400
KEPT = 200  # pieces
SIDES = {
    "local": Engine(),
    "ray, 1 actor": Engine(name=RAY, actors=1),
    "ray, 2 actors": Engine(name=RAY, actors=2),
}


class _Timed(Staging):
    """Knows when each piece came."""

    def __init__(self, building: Path) -> None:
        super().__init__(building, "bench")
        self.came: list[tuple[float, int]] = []

    def put(self, piece: StagedPiece) -> None:
        super().put(piece)
        self.came.append((time.perf_counter(), len(piece.keys)))


def one_pass(
    files: Sequence[PictureFile], embedder: Embedder, reduction: Reduction, engine: Engine, steady: list[float]
) -> Callable[[], float]:
    """Pictures a second from the start of the engine to the last piece; `steady` gets those after the first."""

    def go() -> float:
        with tempfile.TemporaryDirectory() as building, engines.opened(engine) as make_pieces:
            fresh = Embedder(embedder.backbone, embedder.inference, bulk=True)
            staging, wanted = _Timed(Path(building)), {file.sha256: file for file in files}
            started = time.perf_counter()
            step = EmbeddingStep(fresh, keep_maps=True)
            EmbeddingRun(step, staging, wanted, unit=None, make_pieces=make_pieces).embed_all(reduction)
        (first, of_first), (last, _) = staging.came[0], staging.came[-1]
        steady.append((len(files) - of_first) / (last - first))
        return len(files) / (last - started)

    return go


def one_piece(files: Sequence[PictureFile], embedder: Embedder, reduction: Reduction) -> StagedPiece:
    """What comes back of some pictures."""
    pixels = [embedder.pixels(images.load(file.path, embedder.backbone.preprocessing.side)) for file in files]
    embedding = embedder.embed(pixels, reduction, keep_maps=True)
    sizes = np.zeros((len(files), 2), dtype=np.int32)
    return StagedPiece.of([file.sha256 for file in files], sizes, embedding)


def keep(piece: StagedPiece) -> float:
    """Pictures a second that are kept where the build was started, whoever embedded them."""
    with tempfile.TemporaryDirectory() as building:
        staging = Staging(Path(building), "bench")
        started = time.perf_counter()
        for number in range(KEPT):
            staging.put(replace(piece, keys=tuple(f"{key}-{number}" for key in piece.keys)))
        return KEPT * len(piece.keys) / (time.perf_counter() - started)


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(SOURCE) if SOURCE else sample.draw_devkit(Path(name) / "VOCdevkit", PICTURES, 0)
        paths = sorted((voc.find_root(root) / "JPEGImages").iterdir())[:PICTURES]
        files = [PictureFile(path, file_sha256(path)) for path in paths]
        measure(files, Report("engines"))


def measure(files: Sequence[PictureFile], report: Report) -> None:
    """Each side in turn."""
    embedder = Embedder(backbones.load("efficientnet_lite2"), bulk=True)
    reduction = made_up_reduction(embedder)
    steady: dict[str, list[float]] = {name: [] for name in SIDES}
    passes = {name: one_pass(files, embedder, reduction, engine, steady[name]) for name, engine in SIDES.items()}
    taken = take_turns(passes, ROUNDS)
    for name in SIDES:
        report.add(f"{name}, start and all", "pictures/s", taken[name])
        report.add(f"{name}, from the first piece on", "pictures/s", steady[name])
    for name in list(SIDES)[1:]:
        report.add(f"{name}, start and all, by local", "times", ratios(taken[name], taken["local"]))
        report.add(f"{name}, from the first piece on, by local", "times", ratios(steady[name], steady["local"]))
    piece = one_piece(files[:PIECE], embedder, reduction)
    for name, kept in {"with maps": piece, "without maps": replace(piece, maps={})}.items():
        report.add(f"kept by the build, {name}", "pictures/s", [keep(kept) for _ in range(ROUNDS)])
    report.finish()


if __name__ == "__main__":
    main()

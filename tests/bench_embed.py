"""Measures embedding: ours beside what a user would otherwise write, and beside what the machine allows.

`./scripts/bench embed` runs it, on the pictures of the devkit in VOC_ROOT, or on drawn ones. ResNet50 has random
weights, which take as long as trained ones. Ours is the whole way of a build: files read and checked, decoded,
embedded, reduced, and staged on disk with their maps.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import models, transforms

from indexer import backbones, images, sample
from indexer.backbones import Backbone
from indexer.embedder import Embedder, EmbeddingStep
from indexer.embedding_run import EmbeddingRun
from indexer.inference import Inference
from indexer.manifest import file_sha256
from indexer.pipeline import PictureFile
from indexer.reduction import MAP_CHANNELS, STAGES, VECTOR_DIM, Projection, Reduction
from indexer.staging import Staging
from tests.measuring import Report, ratios, take_turns

ROUNDS, PICTURES = 5, 384
FEW, SOME = 32, 128  # for the slow sides
SOURCE = os.environ.get("VOC_ROOT")

Side = Callable[[], float]
"""Pictures a second, of one go."""


class Squashed(Dataset[torch.Tensor]):
    """Pictures as a DataLoader reads them."""

    def __init__(self, paths: Sequence[Path], backbone: Backbone) -> None:
        how = backbone.preprocessing
        self._paths = paths
        self._transform = transforms.Compose(
            [
                transforms.Resize((how.side, how.side), transforms.InterpolationMode(how.resampling)),
                transforms.ToTensor(),
                transforms.Normalize(how.mean, how.std),
            ]
        )

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        tensor: torch.Tensor = self._transform(Image.open(self._paths[place]).convert("RGB"))
        return tensor


def rate(count: int, go: Callable[[], object]) -> float:
    """How many a second."""
    started = time.perf_counter()
    go()
    return count / (time.perf_counter() - started)


def obvious_loop(paths: Sequence[Path], backbone: Backbone) -> Side:
    """Open, transform, ask the network, one picture after the other."""
    pictures, network = Squashed(paths[:FEW], backbone), backbone.network()

    def go() -> None:
        with torch.inference_mode():
            for place in range(len(pictures)):
                network(pictures[place].unsqueeze(0))["deep"].mean((2, 3)).numpy()

    return lambda: rate(FEW, go)


def data_loader(paths: Sequence[Path], backbone: Backbone, *, bf16: bool) -> Side:
    """Batches of 32 from a DataLoader with a worker for each core, channels last."""
    network: nn.Module = backbone.network().to(memory_format=torch.channels_last)
    pictures = Squashed(paths[:SOME], backbone)

    def go() -> None:
        loader = DataLoader(pictures, batch_size=32, num_workers=os.cpu_count() or 1)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            for batch in loader:
                network(batch.to(memory_format=torch.channels_last))["deep"].float().mean((2, 3)).numpy()

    return lambda: rate(SOME, go)


def decoding(paths: Sequence[Path], embedder: Embedder) -> Side:
    """Decoding and squashing alone, on all cores."""

    def decode(path: Path) -> None:
        embedder.pixels(images.load(path, embedder.side))

    def go() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(decode, paths))

    return lambda: rate(len(paths), go)


def inference(embedder: Embedder) -> Side:
    """Inference alone, on all cores, of pictures in memory."""
    side, lanes = embedder.side, embedder.runtime.lanes
    batch = np.random.default_rng(0).integers(0, 256, (32, side, side, 3), dtype=np.uint8)
    batches = PICTURES // len(batch)

    def go() -> None:
        with ThreadPoolExecutor(lanes) as threads:
            list(threads.map(embedder.runtime.activation_maps, [batch] * batches))

    return lambda: rate(batches * len(batch), go)


def whole_way(files: Sequence[PictureFile], embedder: Embedder, folder: Path) -> Side:
    """What a build does with pictures once its reduction is known."""
    reduction = made_up_reduction(embedder)
    wanted = {file.sha256: file for file in files}

    def go() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as building:
            staging = Staging(Path(building), "bench")
            run = EmbeddingRun(EmbeddingStep(embedder, keep_maps=True), staging, wanted, unit=None)
            run.embed_all(reduction)

    return lambda: rate(len(wanted), go)


def made_up_reduction(embedder: Embedder) -> Reduction:
    """Of the shapes that a real one has."""
    blank = np.zeros((1, embedder.side, embedder.side, 3), dtype=np.uint8)
    channels = {stage: one.shape[1] for stage, one in embedder.runtime.activation_maps(blank).items()}
    axes = {stage: projection(MAP_CHANNELS[stage], channels[stage]) for stage in STAGES}
    return Reduction(projection(VECTOR_DIM, channels["deep"]), axes, 2_000)


def projection(axes: int, channels: int) -> Projection:
    """Orthonormal axes drawn by lot."""
    drawn = np.linalg.qr(np.random.default_rng(0).normal(size=(channels, axes)))[0].T
    return Projection(np.zeros(channels, dtype=np.float32), np.ascontiguousarray(drawn, dtype=np.float32))


def measure(name: str, backbone: Backbone, paths: Sequence[Path], folder: Path) -> None:
    """One table for a backbone."""
    report = Report(f"embed-{name}")
    files = [PictureFile(path, file_sha256(path)) for path in paths]
    fast = Embedder(backbone, bulk=True)
    exact = Embedder(backbone, Inference(precision="fp32"), bulk=True)
    taken = take_turns(
        {
            "obvious torch loop, one by one": obvious_loop(paths, backbone),
            "torch, DataLoader, batches of 32, fp32": data_loader(paths, backbone, bf16=False),
            "torch, DataLoader, batches of 32, bf16": data_loader(paths, backbone, bf16=True),
            "decoding alone": decoding(paths, fast),
            f"inference alone, {fast.inference}": inference(fast),
            f"inference alone, {exact.inference}": inference(exact),
            f"ours, the whole way, {fast.inference}": whole_way(files, fast, folder),
            f"ours, the whole way, {exact.inference}": whole_way(files, exact, folder),
        },
        ROUNDS,
    )
    for side, rates in taken.items():
        report.add(side, "images/s", rates)
    for embedder in dict.fromkeys((fast, exact)):
        ours = taken[f"ours, the whole way, {embedder.inference}"]
        limit = list(limits(taken["decoding alone"], taken[f"inference alone, {embedder.inference}"]))
        report.add(
            f"ours / obvious loop, {embedder.inference}",
            "times",
            ratios(ours, taken["obvious torch loop, one by one"]),
        )
        report.add(f"ours / what decoding and inference allow, {embedder.inference}", "share", ratios(ours, limit))
    report.finish()


def limits(decoded: Sequence[float], inferred: Sequence[float]) -> Iterator[float]:
    """Pictures a second where all cores do nothing but decode and infer."""
    return (1 / (1 / one + 1 / other) for one, other in zip(decoded, inferred, strict=True))


def random_resnet50(folder: Path) -> Backbone:
    """With weights drawn by lot."""
    torch.manual_seed(0)
    torch.save(models.resnet50().state_dict(), folder / "resnet50.pth")
    return backbones.load("resnet50", str(folder / "resnet50.pth"))


def main() -> None:
    """Measure each backbone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = Path(SOURCE) if SOURCE else sample.draw_devkit(folder / "drawn", PICTURES, 0)
        paths = sorted((root / "JPEGImages").iterdir())[:PICTURES]
        measure("resnet50", random_resnet50(folder), paths, folder)
        measure("efficientnet_lite2", backbones.load("efficientnet_lite2"), paths, folder)


if __name__ == "__main__":
    main()

"""A backbone run by OpenVINO: converted once, its preprocessing in the graph; the only caller of openvino."""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from openvino.preprocess import PrePostProcessor
from platformdirs import user_cache_path

from indexer.allocator import keep_freed_memory
from indexer.backbones import Backbone
from indexer.durable import settle_folder
from indexer.file_lock import NoLocksError
from indexer.fingerprint import Preprocessing
from indexer.inference import BATCH, BF16, PIECE, Inference
from indexer.manifest import file_sha256
from indexer.reduction import STAGES, Floats
from indexer.thread_pools import keep_to_one_pool
from indexer.writers_lock import only_writer

_LANES = BATCH // PIECE // 2  # at most; the other half of a batch is decoded or written meanwhile
_MODEL, _CHECKSUMS = "model.xml", "checksums.json"

logger = logging.getLogger(__name__)


def has_bf16() -> bool:
    """Whether the processor multiplies in bfloat16."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoRuntime:
    """See `Runtime`; weights that do not fit the network are refused when it is made (WeightsError).

    Args:
        backbone: what to run.
        inference: with nothing left to "auto".
        bulk: whether groups of cores run pictures of their own, which gives the most pictures a second; else all
            cores share each picture, which gives the earliest answer.
    """

    def __init__(self, backbone: Backbone, inference: Inference, *, bulk: bool) -> None:
        keep_freed_memory()
        keep_to_one_pool()
        self.inference = inference
        how = {
            "INFERENCE_PRECISION_HINT": "bf16" if inference.precision == BF16 else "f32",
            "PERFORMANCE_HINT": "THROUGHPUT" if bulk else "LATENCY",
            # A thread that is bound to a core waits there for other processes while another core idles: beside one
            # busy process a core, an answer took 3.3 times as long as alone, unbound 1.9 times.
            "ENABLE_CPU_PINNING": False,
        }
        model = _converted(backbone)
        if bulk:
            how["PERFORMANCE_HINT_NUM_REQUESTS"] = str(_LANES)  # which share all cores
            # A batch of one size is run a tenth faster.
            model.reshape([PIECE, *model.input().partial_shape.get_min_shape()[1:]])
        compiled = ov.Core().compile_model(model, "CPU", how)
        self.lanes = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")) if bulk else 1
        self._step = PIECE if bulk else 1
        self._shapes = [tuple(output.partial_shape.get_min_shape())[1:] for output in compiled.outputs]
        self._idle: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for _ in range(self.lanes):
            self._idle.put(compiled.create_infer_request())

    def activation_maps(self, pixels: NDArray[np.uint8]) -> Mapping[str, Floats]:
        """See `Runtime`; the maps lie channels last in memory, as the processor computes them.

        More threads than there are lanes take turns.
        """
        count = len(pixels)
        padded = _padded(pixels, self._step)
        maps = [np.empty((len(padded), *shape), dtype=np.float32) for shape in self._shapes]
        request = self._idle.get()
        try:
            for start in range(0, len(padded), PIECE):
                part = slice(start, start + PIECE)
                for place, one in enumerate(maps):  # written where they belong, not copied there
                    request.set_output_tensor(place, ov.Tensor(one[part], shared_memory=True))
                request.infer([padded[part]], share_inputs=True, share_outputs=True)
        finally:
            self._idle.put(request)
        return {stage: np.moveaxis(one[:count], -1, 1) for stage, one in zip(STAGES, maps, strict=True)}


def _padded(pixels: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """As many pictures as a multiple of `step`, the last ones black."""
    missing = -len(pixels) % step
    return np.concatenate([pixels, np.zeros((missing, *pixels.shape[1:]), dtype=np.uint8)]) if missing else pixels


def _converted(backbone: Backbone) -> ov.Model:
    """The backbone as OpenVINO reads it, from the user's cache, or converted now and put there."""
    try:
        folder = user_cache_path("lookalike").expanduser() / "openvino" / _key(backbone)
    except RuntimeError as error:  # of a user without a home folder
        logger.warning("The converted backbone cannot be kept (%s); it is converted again each time", error)
        return _convert(backbone)
    if _is_whole(folder):
        return ov.Core().read_model(folder / _MODEL)
    model = _convert(backbone)
    try:
        _keep(model, folder)
    except (OSError, RuntimeError, NoLocksError) as error:  # RuntimeError is OpenVINO's, of a full disk too
        logger.warning(
            "The converted backbone cannot be kept in %s (%s); it is converted again each time", folder, error
        )
    return model


def _key(backbone: Backbone) -> str:
    """Changes with all that a converted backbone depends on."""
    parts = [backbone.name, backbone.weights_sha256, asdict(backbone.preprocessing), ov.get_version()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _convert(backbone: Backbone) -> ov.Model:
    """Straight through the frontend: `openvino.convert_model` would load tools for other frameworks."""
    how = backbone.preprocessing
    decoder = TorchScriptPythonDecoder(backbone.traced())  # has to outlive the conversion
    frontend = FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(decoder))
    model.reshape([-1, 3, how.side, how.side])
    return _with_preprocessing(model, how)


def _with_preprocessing(model: ov.Model, how: Preprocessing) -> ov.Model:
    """(N, side, side, 3) uint8 in, each stage's maps as (N, h, w, C) float32 out."""
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    mean, std = ([255 * value for value in values] for values in (how.mean, how.std))
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(mean).scale(std)
    for place in range(len(STAGES)):
        steps.output(place).model().set_layout(ov.Layout("NCHW"))
        steps.output(place).tensor().set_layout(ov.Layout("NHWC"))
    return steps.build()


def _is_whole(folder: Path) -> bool:
    try:
        expected = json.loads((folder / _CHECKSUMS).read_text(encoding="utf-8"))
        found = {path.name: file_sha256(path) for path in folder.iterdir() if path.name != _CHECKSUMS}
    except (OSError, ValueError):
        return False
    return bool(found == expected)


def _keep(model: ov.Model, folder: Path) -> None:
    """There whole or not at all: written beside, then renamed; a damaged one gives way, and what a kill left."""
    with only_writer(folder.parent):
        for torn in folder.parent.glob("part-*"):
            shutil.rmtree(torn)
        _write(model, folder)


def _write(model: ov.Model, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="part-") as part:
        written = Path(part) / "model"
        written.mkdir()
        ov.save_model(model, written / _MODEL, compress_to_fp16=False)
        checksums = {path.name: file_sha256(path) for path in written.iterdir()}
        (written / _CHECKSUMS).write_text(json.dumps(checksums), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        settle_folder(written, folder)

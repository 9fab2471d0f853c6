"""What a user asks of inference -> a backbone made ready on this machine."""

import importlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.backbones import Backbone
from indexer.errors import InferenceError
from indexer.inference import AUTO, BF16, CPU, FP32, OPENVINO, TORCH, Inference
from indexer.reduction import Floats

logger = logging.getLogger(__name__)


class Runtime(Protocol):
    """A backbone made ready to run.

    Attributes:
        inference: how it is run, with nothing left to "auto".
        lanes: how many threads should ask at once, for all cores to be at work.
    """

    @property
    def inference(self) -> Inference: ...  # noqa: D102 - above

    @property
    def lanes(self) -> int: ...  # noqa: D102 - above

    def activation_maps(self, pixels: NDArray[np.uint8]) -> Mapping[str, Floats]:
        """(N, side, side, 3) uint8 RGB -> stage -> (N, C, h, w) float32; from any thread."""
        ...


def open_runtime(backbone: Backbone, settled: Inference, *, bulk: bool) -> Runtime:
    """Make a backbone ready.

    Args:
        backbone: what to run.
        settled: how to run it, as `settle` gives it.
        bulk: whether many pictures are to come, rather than single ones to be answered soon.

    Raises:
        WeightsError: the weights do not fit the network.
    """
    runtime: Runtime
    if settled.runtime == TORCH:
        runtime = _module("torch_runtime").TorchRuntime(backbone, settled)
    else:
        runtime = _module("openvino_runtime").OpenVinoRuntime(backbone, settled, bulk=bulk)
    return runtime


def settle(wanted: Inference) -> Inference:
    """Put this machine's best in the place of each "auto".

    Raises:
        InferenceError: this machine cannot do what is wanted.
    """
    device = _settle_device(wanted)
    runtime = wanted.runtime
    if runtime == AUTO:
        runtime = OPENVINO if device == CPU and find_spec(OPENVINO) else TORCH
    return _settle_precision(replace(wanted, device=device, runtime=runtime))


def inference_of(embedded_with: Sequence[str]) -> Inference:
    """How a collection was embedded, by its manifest; "auto" where that was in several ways, or cannot be here."""
    if len(embedded_with) != 1:
        return Inference()
    runtime, precision, *place = embedded_with[0].split()
    told = Inference(runtime=runtime, precision=precision, device=place[-1] if place else CPU)
    try:
        return settle(told)
    except InferenceError as error:
        logger.warning("Not embedding as before: %s", error)
        return Inference()


def _settle_device(wanted: Inference) -> str:
    if wanted.runtime == OPENVINO:
        if wanted.device not in (AUTO, CPU):
            raise InferenceError(
                f"expected device {CPU} for runtime {OPENVINO}, found {wanted.device}; take --runtime {TORCH}"
            )
        if find_spec(OPENVINO) is None:
            raise InferenceError(
                f"expected openvino to be installed, found none; install it, or take --runtime {TORCH}"
            )
        return CPU
    there = _module("torch_runtime").devices()
    if wanted.device not in (AUTO, *there):
        raise InferenceError(
            f"expected device {' or '.join(there)} on this machine, found {wanted.device}; leave --device out"
        )
    return there[0] if wanted.device == AUTO else wanted.device


def _settle_precision(chosen: Inference) -> Inference:
    fast = chosen.runtime == OPENVINO and _module("openvino_runtime").has_bf16()
    if chosen.runtime == OPENVINO and chosen.precision == BF16 and not fast:
        raise InferenceError(
            f"expected a processor that multiplies in bf16, found one without; take --precision {FP32}"
        )
    if chosen.precision == AUTO:
        return replace(chosen, precision=BF16 if fast else FP32)
    return chosen


def _module(name: str) -> Any:  # noqa: ANN401 - a module
    """Imported when it is needed and not earlier: each takes its time."""
    return importlib.import_module(f"indexer.{name}")

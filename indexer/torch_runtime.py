"""A backbone run by torch: the reference for what other runtimes give, and the way to a GPU."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from indexer.allocator import keep_freed_memory
from indexer.backbones import Backbone
from indexer.inference import BF16, CPU, CUDA, MPS, Inference
from indexer.reduction import STAGES, Floats
from indexer.thread_pools import keep_to_one_pool


def devices() -> tuple[str, ...]:
    """The devices of this machine, best first."""
    there = {CUDA: torch.cuda.is_available(), MPS: torch.backends.mps.is_available(), CPU: True}
    return tuple(device for device, is_there in there.items() if is_there)


class TorchRuntime:
    """See `Runtime`; weights that do not fit the network are refused when it is made (WeightsError)."""

    lanes = 1  # a batch is spread over the cores here

    def __init__(self, backbone: Backbone, inference: Inference) -> None:
        keep_freed_memory()
        keep_to_one_pool()
        self.inference = inference
        self._alone = Lock()
        self._network = backbone.network().to(inference.device).to(memory_format=torch.channels_last)
        self._mean, self._std = (
            255 * torch.tensor(values, device=inference.device).view(1, 3, 1, 1)
            for values in (backbone.preprocessing.mean, backbone.preprocessing.std)
        )

    def activation_maps(self, pixels: NDArray[np.uint8]) -> Mapping[str, Floats]:
        """See `Runtime`; threads that ask at once take turns, for each has all cores."""
        with self._alone:
            return self._activation_maps(pixels)

    def _activation_maps(self, pixels: NDArray[np.uint8]) -> Mapping[str, Floats]:
        if len(pixels) == 1 or self.inference.device != CPU:
            return self._forward(pixels)
        alone = list(_one_core_each().map(self._forward, pixels[:, np.newaxis]))
        return {stage: np.concatenate([maps[stage] for maps in alone]) for stage in STAGES}

    def _forward(self, pixels: NDArray[np.uint8]) -> Mapping[str, Floats]:
        """Pixels lie channels last, as PIL gives them; the network reads them in that order."""
        device, bf16 = self.inference.device, self.inference.precision == BF16
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=bf16):
            channels_first = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float()
            maps: dict[str, torch.Tensor] = self._network((channels_first - self._mean) / self._std)
            return {stage: maps[stage].float().cpu().contiguous().numpy() for stage in STAGES}


@cache
def _one_core_each() -> ThreadPoolExecutor:
    """Threads that run a picture each, on one core each.

    On an idle machine they embed as many pictures a second as all cores do that share one after the other (43 and
    45, EfficientNet-Lite2 at 320 pixels on 2 cores); beside two busy processes 37, and those 6: threads that share
    a picture wait for each other at every layer. A single picture is still best shared.
    """
    return ThreadPoolExecutor(os.cpu_count(), initializer=partial(torch.set_num_threads, 1))

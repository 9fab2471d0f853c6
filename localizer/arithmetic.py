"""How heads reckon: in bfloat16 where the processor can; when they are asked, on one core."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def half_precision() -> torch.autocast:
    """Convolutions in bfloat16, where the processor has instructions for it.

    Measured on 400 pictures: both heads take 2.2 ms of one core for a picture of a batch of 16, in place of 5.2,
    and no overall figure of their quality moves by more than 0.003. Without instructions, torch emulates it: a
    step of training through convolutions took 16 times as long as in float32.
    """
    has_instructions = torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - its public form is newer than 2.6
    return torch.autocast("cpu", torch.bfloat16, enabled=has_instructions)


@contextmanager
def one_core() -> Iterator[None]:
    """Have torch use no other thread than the caller's.

    A head is done before threads that share it have met; where others are at work on the same cores, that takes
    longest.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

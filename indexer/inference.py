"""How a backbone is run: on which device, by which runtime, in which precision."""

from dataclasses import dataclass

AUTO = "auto"
CPU, CUDA, MPS = "cpu", "cuda", "mps"
TORCH, OPENVINO = "torch", "openvino"
FP32, BF16 = "fp32", "bf16"
BATCH = 32  # pictures on their way at once, from being decoded to being kept: what a kill of a build can cost
PIECE = 8  # of them, run and kept together: measured, more fall out of the caches, fewer use the cores less well
DEVICES, RUNTIMES, PRECISIONS = (AUTO, CPU, CUDA, MPS), (AUTO, TORCH, OPENVINO), (AUTO, FP32, BF16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What a user asks for; "auto" stands for the best that this machine has.

    Vectors of one fingerprint compare whatever ran their backbone: runtimes agree in fp32 to a cosine of 0.9999,
    and bf16 rounds by less than what tells two pictures apart (README, "What was measured").

    Attributes:
        device: one of `DEVICES`.
        runtime: one of `RUNTIMES`; OpenVINO runs on the CPU alone.
        precision: one of `PRECISIONS`, of the arithmetic inside the network; what comes out is float32.
    """

    device: str = AUTO
    runtime: str = AUTO
    precision: str = AUTO

    def __str__(self) -> str:
        """As a manifest tells it: "openvino bf16", or "torch fp32 on cuda"."""
        place = "" if self.device == CPU else f" on {self.device}"
        return f"{self.runtime} {self.precision}{place}"

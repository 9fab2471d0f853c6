"""An edge as a distribution over positions: its expectation, and how surprising the true place is; pure.

After Li et al., "Generalized Focal Loss", NeurIPS 2020.
"""

import torch
from torch import Tensor


def expectation(logits: Tensor, positions: Tensor) -> Tensor:
    """(..., B) logits over B positions -> (...)."""
    return (logits.float().softmax(-1) * positions).sum(-1)


def cross_entropy(logits: Tensor, positions: Tensor, places: Tensor) -> Tensor:
    """Distribution focal loss (equation 6), with the two positions around the true place; the nearer weighs more.

    Args:
        logits: (..., B).
        positions: (B,), rising.
        places: (...), the true ones; clipped to the range of the positions.

    Returns:
        (...), one loss for each edge.
    """
    places = places.clamp(positions[0].item(), positions[-1].item()).contiguous()
    before = (torch.searchsorted(positions, places, right=True) - 1).clamp(0, len(positions) - 2)
    beyond = (places - positions[before]) / (positions[before + 1] - positions[before])
    logs = logits.float().log_softmax(-1)
    near = [logs.gather(-1, (before + step).unsqueeze(-1)).squeeze(-1) for step in (0, 1)]
    return -(near[0] * (1 - beyond) + near[1] * beyond)

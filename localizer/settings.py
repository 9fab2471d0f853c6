"""How a head is trained; the only choices there are."""

from collections.abc import Mapping
from dataclasses import dataclass

EPOCHS: Mapping[str, int] = {"main": 30, "detect": 24}
"""Task -> passes over the examples unless others are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of the two-output head.

    Attributes:
        epochs: passes over the examples, at most.
        given: "map" or "vector": what the head sees.
        box_loss: a key of `losses.BOX_LOSSES`.
        class_weight: what the class's losses count; 0 teaches no class.
        box_weight: what the box's loss counts; 0 teaches no box.
        seed: of weights, order, augmentation, and of the examples held aside.
    """

    epochs: int
    given: str = "map"
    box_loss: str = "giou"
    class_weight: float = 1.0
    box_weight: float = 1.0
    seed: int = 0

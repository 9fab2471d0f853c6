"""What holds for the training of any head."""

import pytest
import torch
from torch import Tensor, nn

from localizer.objects import Objects
from localizer.training import Recipe, train
from tests.scenes import examples, image

_BOX = (10.0, 10.0, 60.0, 60.0)


@pytest.mark.parametrize("has_instructions", [False, True])
def test_half_precision_is_for_processors_that_have_instructions_for_it(
    has_instructions: bool,  # noqa: FBT001 - of a parametrised test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_instructions)
    seen: set[torch.dtype] = set()
    pictures = [image((name, _BOX), image_id=number) for number, name in enumerate(("cat", "dog", "cat"))]
    given = {"vector": torch.eye(3, 4)}

    def loss(output: Tensor, _objects: Objects) -> Tensor:
        seen.add(output.dtype)
        return output.float().square().mean()

    recipe = Recipe(batch=2, rate=0.01, memory=0.9, epochs=1, seed=0)
    list(train(lambda: _OnVectors(nn.Linear(4, 2)), loss, examples(pictures, inputs=given), recipe))

    assert seen == {torch.bfloat16 if has_instructions else torch.float32}


class _OnVectors(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        output: Tensor = self._network(inputs["vector"])
        return output

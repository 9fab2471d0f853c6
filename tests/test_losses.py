"""What training makes small is least where the answer is right, and is a number always."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from localizer.boxes import iou, sort_corners
from localizer.dense_head import BINS as DENSE_BINS
from localizer.dense_head import DenseOutput, cell_centres, distances
from localizer.dense_losses import dense_loss
from localizer.edges import expectation
from localizer.head import BINS, Output, positions
from localizer.losses import BOX_LOSSES, class_losses, iou_losses, presence_loss, total_loss
from localizer.objects import Objects
from localizer.settings import Settings
from tests.scenes import CLASSES, Corners, inside, objects, pictures_of_objects, two_hot, unhurried

CENTRES = cell_centres(8, 8)
SURE = 15.0  # logit
SCENE = objects(
    [(0, (0.1, 0.2, 0.5, 0.8))],
    [(2, (0.3, 0.3, 0.8, 0.6)), (1, (0.0, 0.7, 0.2, 1.0))],
    [(1, (0.6, 0.1, 1.0, 0.45))],
    [],
)
SETTINGS = Settings(epochs=1)

seeds = st.integers(0, 2**32 - 1)


class Logits(NamedTuple):
    """What a head that is given maps says, box and all being what follows from it."""

    class_logits: Tensor
    presence_logits: Tensor
    edge_logits: Tensor
    iou_logits: Tensor

    def output(self) -> Output:
        return Output(
            class_logits=self.class_logits,
            presence_logits=self.presence_logits,
            boxes=sort_corners(expectation(self.edge_logits, positions())),
            iou_logits=self.iou_logits,
            edge_logits=self.edge_logits,
        )


def right_output(made: Objects) -> Logits:
    """What the head says if it knows what is so; of classes, the distribution of the smoothed labels."""
    class_ids, boxes, _ = made.main()
    right = torch.nn.functional.one_hot(class_ids, len(CLASSES))
    return Logits(
        (0.9 * right + 0.1 / len(CLASSES)).log(),
        SURE * (2 * made.present(len(CLASSES)) - 1),
        two_hot(boxes, positions()),
        torch.full((len(made),), SURE),
    )


def right_dense_output(made: Objects) -> DenseOutput:
    """What the dense head says if it knows what is so, of objects that share no cell."""
    classes = torch.full((len(made), len(CENTRES), len(CLASSES)), -SURE)
    edges = two_hot(torch.full((len(made), len(CENTRES), 4), 0.1), distances())
    for row, place in made.real.nonzero().tolist():
        box, number = made.boxes[row, place], int(made.class_ids[row, place])
        cells = inside(box, CENTRES)
        classes[row, cells, number] = SURE
        edges[row, cells] = two_hot(
            torch.cat([CENTRES[cells] - box[:2], box[2:] - CENTRES[cells]], dim=1), distances()
        )
    return DenseOutput(classes, edges, SURE * (2 * made.present(len(CLASSES)) - 1), CENTRES)


def random_output(pictures: int, seed: int, spread: float = 3.0) -> Logits:
    lot = torch.Generator().manual_seed(seed)
    shapes = [(pictures, len(CLASSES)), (pictures, len(CLASSES)), (pictures, 4, BINS), (pictures,)]
    return Logits(*(spread * torch.randn(shape, generator=lot) for shape in shapes))


def random_dense_output(pictures: int, seed: int, spread: float = 3.0) -> DenseOutput:
    lot = torch.Generator().manual_seed(seed)
    cells = pictures, len(CENTRES)
    shapes = [(*cells, len(CLASSES)), (*cells, 4, DENSE_BINS), (pictures, len(CLASSES))]
    return DenseOutput._make([*(spread * torch.randn(shape, generator=lot) for shape in shapes), CENTRES])


def saying(boxes: Tensor) -> Output:
    """An answer of boxes (N, 4), each edge spread a little around its place."""
    logits = -((positions() - boxes[..., None]) ** 2) / 0.005
    return random_output(len(boxes), 0)._replace(edge_logits=logits).output()


def gradients(loss: Tensor, logits: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, logits, allow_unused=True, materialize_grads=True)


@unhurried
@given(seeds, st.sampled_from(list(BOX_LOSSES)), st.floats(0.01, 20))
def test_no_answer_of_the_head_costs_less_than_the_right_one(seed: int, box_loss: str, spread: float) -> None:
    settings, right = Settings(epochs=1, box_loss=box_loss), right_output(SCENE)
    noise = random_output(len(SCENE), seed, spread)
    shaken = Logits(*(one + other for one, other in zip(right, noise, strict=True)))

    assert total_loss(right.output(), SCENE, settings) <= total_loss(shaken.output(), SCENE, settings) + 1e-3


@pytest.mark.parametrize("kind", Logits._fields)
def test_each_kind_of_wrong_answer_of_the_head_costs_something(kind: str) -> None:
    right = right_output(SCENE)
    wrong = right._replace(**{kind: getattr(random_output(len(SCENE), 0), kind)})

    assert total_loss(wrong.output(), SCENE, SETTINGS) > total_loss(right.output(), SCENE, SETTINGS) + 0.1


@unhurried
@given(seeds, st.floats(0.01, 20))
def test_no_answer_of_the_dense_head_costs_less_than_the_right_one(seed: int, spread: float) -> None:
    right, noise = right_dense_output(SCENE), random_dense_output(len(SCENE), seed, spread)
    shaken = DenseOutput._make([*(one + other for one, other in zip(right[:3], noise[:3], strict=True)), CENTRES])

    assert dense_loss(right, SCENE) <= dense_loss(shaken, SCENE) + 1e-3


def test_right_distances_leave_no_loss_but_what_lies_between_two_of_them() -> None:
    assert dense_loss(right_dense_output(SCENE), SCENE) < 1


@pytest.mark.parametrize("kind", ["class_logits", "edge_logits", "presence_logits"])
def test_each_kind_of_wrong_answer_of_the_dense_head_costs_something(kind: str) -> None:
    right = right_dense_output(SCENE)
    wrong = right._replace(**{kind: getattr(random_dense_output(len(SCENE), 0), kind)})

    assert dense_loss(wrong, SCENE) > dense_loss(right, SCENE) + 0.1


@pytest.mark.parametrize("name", BOX_LOSSES)
@pytest.mark.parametrize("far", [(0.3, 0.0), (0.0, -0.25), (-0.2, 0.3), (0.45, 0.05)])
def test_a_box_loss_falls_as_the_box_comes_closer(name: str, far: tuple[float, float]) -> None:
    true = torch.tensor([[0.35, 0.4, 0.55, 0.6]])
    way = torch.tensor([[*far, *far]])

    losses = [float(BOX_LOSSES[name](saying(true + share * way), true)) for share in (1.0, 0.7, 0.4, 0.2, 0.0)]

    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_a_head_without_distributions_of_edges_has_box_losses_too(name: str) -> None:
    true = torch.tensor([[0.2, 0.3, 0.6, 0.7]])
    said = saying(true)._replace(edge_logits=None)

    right, wrong = (float(BOX_LOSSES[name](said._replace(boxes=box), true)) for box in (true, true + 0.1))

    assert right == pytest.approx(0, abs=1e-5)
    assert wrong > 0.005


@pytest.mark.parametrize(("name", "factor"), [("mse", 4), ("l1", 2)])
def test_twice_as_far_costs_four_times_as_much_squared_and_twice_as_much_absolutely(
    name: str, factor: float
) -> None:
    true = torch.tensor([[0.25, 0.25, 0.5, 0.5]])
    said = saying(true)

    near, far = (float(BOX_LOSSES[name](said._replace(boxes=true + by), true)) for by in (0.125, 0.25))

    assert far == pytest.approx(factor * near, rel=1e-4)


def test_the_predicted_iou_is_judged_by_the_one_that_came_about() -> None:
    true = torch.tensor([[0.2, 0.2, 0.6, 0.6]])
    said = saying(true + 0.1)
    actual = iou(said.boxes, true)

    losses = [
        float(iou_losses(said._replace(iou_logits=torch.logit(guess)), true))
        for guess in (actual, actual / 2, (1 + actual) / 2)
    ]

    assert losses[0] == min(losses)


def test_presence_is_learned_of_every_class_and_the_main_class_of_one() -> None:
    said = right_output(SCENE).output()

    assert float(presence_loss(said, SCENE)) == pytest.approx(0, abs=1e-4)
    ids = SCENE.main()[0]
    assert (class_losses(said, ids) < class_losses(said, (ids + 1) % 3) - 1).all()


@pytest.mark.parametrize(("weight", "untaught"), [("class_weight", (0, 1)), ("box_weight", (2,))])
def test_a_weight_of_zero_teaches_nothing_of_its_kind(weight: str, untaught: tuple[int, ...]) -> None:
    output = Logits(*(logits.requires_grad_() for logits in random_output(len(SCENE), 0)))

    loss = total_loss(output.output(), SCENE, Settings(epochs=1, **{weight: 0.0}))  # type: ignore[arg-type]

    taught = [place for place, one in enumerate(gradients(loss, list(output))) if one.abs().max() > 0]
    assert taught == [place for place in range(4) if place not in untaught]


@unhurried
@given(pictures_of_objects(), seeds, st.sampled_from(list(BOX_LOSSES)), st.sampled_from([0.01, 1.0, 50.0]))
def test_losses_and_gradients_are_finite_whatever_is_said_and_there(
    pictures: list[list[tuple[int, Corners]]], seed: int, box_loss: str, spread: float
) -> None:
    made = objects(*pictures)
    output = Logits(*(logits.requires_grad_() for logits in random_output(len(made), seed, spread)))
    dense = random_dense_output(len(made), seed, spread)
    for one in dense[:3]:
        one.requires_grad_()

    for one in dense[:3]:
        one.requires_grad_()

    losses = total_loss(output.output(), made, Settings(epochs=1, box_loss=box_loss)), dense_loss(dense, made)

    assert all(torch.isfinite(loss) and loss >= 0 for loss in losses)
    found = gradients(losses[0], list(output)) + gradients(losses[1], list(dense[:3]))
    assert all(torch.isfinite(one).all() for one in found)


def test_pictures_without_objects_teach_presence_alone() -> None:
    empty = objects([], [])
    output = Logits(*(logits.requires_grad_() for logits in random_output(2, 0)))

    loss = total_loss(output.output(), empty, SETTINGS)

    taught = [bool(one.abs().max() > 0) for one in gradients(loss, list(output))]
    assert taught == [False, True, False, False]
    assert torch.isfinite(dense_loss(random_dense_output(2, 0), empty))

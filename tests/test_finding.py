"""Cells' answers thinned out to one box for each object."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

from localizer.dense_head import DenseHead, DenseOutput, cell_centres
from localizer.finding import LEAST_SCORE, find_objects, keep_apart, score_cells, thin_out
from localizer.head import HeadShape
from tests.scenes import CLASSES, Corners, random_floats, unhurried, unit_boxes

SHAPE = HeadShape(len(CLASSES), {"deep": (6, 2, 3), "fine": (4, 4, 6)})

seeds = st.integers(0, 2**32 - 1)


def jittered(corners: Corners, count: int, seed: int, by: float = 0.02) -> Tensor:
    """(count, 4): boxes about a box that are moved and stretched by a share of its sides."""
    box = torch.tensor(corners)
    lot = torch.Generator().manual_seed(seed)
    return box + by * (2 * torch.rand(count, 4, generator=lot) - 1) * (box[2:] - box[:2]).repeat(2)


def scoring(count: int, class_id: int, seed: int) -> Tensor:
    """(count, classes): random scores of one class, none of the others."""
    scores = torch.zeros(count, len(CLASSES))
    scores[:, class_id] = 0.1 + 0.9 * torch.rand(count, generator=torch.Generator().manual_seed(seed))
    return scores


@unhurried
@given(unit_boxes(), st.integers(1, 40), st.integers(0, 2), seeds)
def test_a_cluster_becomes_one_box_inside_what_its_boxes_span(
    corners: Corners, count: int, class_id: int, seed: int
) -> None:
    boxes, scores = jittered(corners, count, seed), scoring(count, class_id, seed)

    found = thin_out(scores, boxes)

    assert found.class_ids.tolist() == [class_id]
    assert found.scores.tolist() == [scores.max()]
    assert (found.boxes[0] >= boxes.amin(0) - 1e-6).all()
    assert (found.boxes[0] <= boxes.amax(0) + 1e-6).all()


def test_agreeing_boxes_are_averaged_by_their_scores() -> None:
    boxes = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.14, 0.1, 0.5, 0.5], [0.1, 0.1, 0.3, 0.5]])
    scores = torch.tensor([[0.6], [0.2], [0.1]])  # the last overlaps by half: of the same object, but no witness

    found = thin_out(scores, boxes)

    assert found.boxes[0].tolist() == pytest.approx([(0.6 * 0.1 + 0.2 * 0.14) / 0.8, 0.1, 0.5, 0.5])


@unhurried
@given(unit_boxes(least=0.1), seeds)
def test_another_class_at_the_same_place_is_kept(corners: Corners, seed: int) -> None:
    boxes = jittered(corners, 20, seed)
    scores = scoring(20, 0, seed) + scoring(20, 2, seed + 1)

    found = thin_out(scores, boxes)

    assert sorted(found.class_ids.tolist()) == [0, 2]


def test_only_boxes_of_the_same_class_are_averaged() -> None:
    boxes = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.14, 0.1, 0.5, 0.5]])

    found = thin_out(torch.tensor([[0.6, 0.0], [0.0, 0.5]]), boxes)

    assert torch.allclose(found.boxes, boxes)


@unhurried
@given(seeds, st.integers(1, 400))
def test_what_is_found_is_ordered_by_score_and_apart(seed: int, count: int) -> None:
    centres, reach = torch.from_numpy(random_floats(seed, 2, count, 2)).sigmoid()
    boxes = torch.cat([centres - reach / 4, centres + reach / 4], dim=1)
    scores = torch.from_numpy(random_floats(seed + 1, count, len(CLASSES)) * 3 - 3).sigmoid()

    found = thin_out(scores, boxes)

    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert set(found.scores.tolist()) <= set(scores.flatten().tolist())
    assert len(found.boxes) == len(found.scores) == len(found.class_ids) <= 100
    assert (found.boxes[:, :2] <= found.boxes[:, 2:]).all()
    assert found.scores.max() == scores.max() if len(found.scores) else scores.max() <= LEAST_SCORE


@unhurried
@given(seeds)
def test_boxes_far_from_each_other_are_all_kept_as_they_are(seed: int) -> None:
    corners = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)) / 4
    boxes = torch.cat([corners, corners + 0.2], dim=1)

    found = thin_out(scoring(16, 1, seed), boxes)

    assert torch.allclose(box_iou(found.boxes, boxes).amax(0), torch.ones(16), atol=1e-4)
    assert len(found.boxes) == 16


@pytest.mark.parametrize("score", [0.0, LEAST_SCORE / 2])
def test_without_candidates_nothing_is_found(score: float) -> None:
    found = thin_out(torch.full((9, 3), score), torch.rand(9, 4))

    assert (found.class_ids.shape, found.scores.shape, found.boxes.shape) == ((0,), (0,), (0, 4))


def test_an_empty_box_is_no_reason_for_a_number_that_is_none() -> None:
    boxes = torch.tensor([[0.3, 0.3, 0.3, 0.3], [0.5, 0.5, 0.9, 0.9]])

    found = thin_out(torch.tensor([[0.9], [0.5]]), boxes)

    assert torch.allclose(found.boxes, boxes)


def test_a_class_that_the_picture_as_a_whole_does_not_show_is_weakened() -> None:
    output = DenseOutput(
        torch.zeros(1, 4, 2), torch.zeros(1, 4, 4, 17), torch.tensor([[20.0, -4.0]]), cell_centres(2, 2)
    )

    scores = score_cells(output)

    assert scores[0, :, 0].tolist() == pytest.approx([0.5] * 4)
    assert (scores[0, :, 1] < 0.25).all()


def test_each_picture_is_answered_for_by_itself_whatever_stands_beside_it() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = DenseHead(SHAPE).eval()
    inputs = {name: torch.from_numpy(random_floats(1, 130, *shape)) for name, shape in SHAPE.inputs.items()}
    alone = {name: values[129:] for name, values in inputs.items()}

    found, last = find_objects(head, inputs), find_objects(head, alone)

    assert len(found) == 130
    assert found[-1].class_ids.tolist() == last[0].class_ids.tolist()
    assert torch.allclose(found[-1].boxes, last[0].boxes, atol=1e-4)
    assert all(one.boxes.min() >= 0 and one.boxes.max() <= 1 + 1e-6 for one in found if len(one.boxes))


@unhurried
@given(seeds, st.integers(0, 120))
def test_the_same_boxes_are_kept_apart_as_by_torchvision(seed: int, count: int) -> None:
    centres, reach = torch.from_numpy(random_floats(seed, 2, count, 2)).sigmoid()
    boxes = torch.cat([centres - reach / 2, centres + reach / 2], dim=1)
    class_ids = torch.arange(count) % 3

    kept = keep_apart((box_iou(boxes, boxes) > 0.5) & (class_ids[:, None] == class_ids))

    assert kept.tolist() == batched_nms(boxes, torch.arange(count, 0.0, -1), class_ids, 0.5).tolist()

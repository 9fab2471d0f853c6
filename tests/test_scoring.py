"""How good answers are, how sure that is, and what can be answered without a head."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from indexer.records import IndexedImage
from localizer.baselines import baselines
from localizer.examples import Examples
from localizer.scoring import (
    FIGURES,
    Guess,
    Marks,
    best_overlaps,
    confusion,
    intervals,
    mark,
    overlaps_with_class,
    per_class,
    summarise,
)
from tests.scenes import CLASSES, Corners, examples, image, unhurried, unit_boxes

LEFT, RIGHT, WHOLE = (0.0, 0.0, 50.0, 80.0), (50.0, 0.0, 100.0, 80.0), (0.0, 0.0, 100.0, 80.0)  # pixels

seeds = st.integers(0, 2**32 - 1)
pictures = st.lists(
    st.lists(st.tuples(st.sampled_from(CLASSES), unit_boxes()), min_size=1, max_size=4), min_size=1, max_size=5
)


def annotated(*labels: tuple[str, Corners]) -> IndexedImage:
    """An image of (class, corners as shares of the picture)."""
    return image(*((name, (x * 100, y * 80, right * 100, low * 80)) for name, (x, y, right, low) in labels))


def random_marks(count: int, seed: int) -> Marks:
    return np.random.default_rng(seed).random((count, len(FIGURES)))


def figures(guess: Guess, truth: Examples) -> dict[str, float]:
    return summarise(mark(guess, truth))


@unhurried
@given(pictures)
def test_a_perfect_guess_has_full_marks(labels: list[list[tuple[str, Corners]]]) -> None:
    truth = examples([annotated(*one) for one in labels])

    marks = mark(Guess(truth.class_ids, truth.boxes), truth)

    assert marks.shape == (len(labels), len(FIGURES))
    assert (marks == 1).all()


@unhurried
@given(pictures, seeds)
def test_marks_agree_with_each_other(labels: list[list[tuple[str, Corners]]], seed: int) -> None:
    truth = examples([annotated(*one) for one in labels])
    lot = torch.Generator().manual_seed(seed)
    boxes = (truth.boxes + 0.3 * torch.randn(truth.boxes.shape, generator=lot)).clamp(0, 1)
    guess = Guess(torch.randint(0, 3, (len(truth),), generator=lot), boxes)

    by_name = dict(zip(FIGURES, mark(guess, truth).T, strict=True))

    assert np.array_equal(by_name["iou_50"], by_name["mean_iou"] >= 0.5)
    assert np.array_equal(by_name["iou_75"], by_name["mean_iou"] >= 0.75)
    assert np.array_equal(by_name["class_and_iou_50"], by_name["class_accuracy"] * by_name["iou_50"])
    assert (by_name["corloc"] >= by_name["iou_50"]).all()


def test_corloc_counts_any_object_and_the_others_only_the_main_one() -> None:
    truth = examples([image(("cat", (0, 0, 60, 80)), ("dog", (60, 0, 100, 80)))])
    on_the_dog = Guess(torch.tensor([0]), torch.tensor([[0.6, 0.0, 1.0, 1.0]]))

    found = figures(on_the_dog, truth)

    assert found == {
        "class_accuracy": 1, "mean_iou": 0, "iou_50": 0, "iou_75": 0, "class_and_iou_50": 0, "corloc": 1,
    }  # fmt: skip
    assert best_overlaps(on_the_dog.boxes, truth).tolist() == [1]


@pytest.mark.parametrize(("width", "half", "most"), [(50.0, 1, 0), (49.0, 0, 0), (75.0, 1, 1), (74.0, 1, 0)])
def test_a_share_counts_from_its_bound_on(width: float, half: int, most: int) -> None:
    truth = examples([image(("cat", WHOLE))])

    found = figures(Guess(torch.tensor([1]), torch.tensor([[0.0, 0.0, width / 100, 1.0]])), truth)

    assert (found["iou_50"], found["iou_75"], found["corloc"]) == (half, most, half)
    assert found["mean_iou"] == pytest.approx(width / 100)
    assert found["class_and_iou_50"] == 0


@unhurried
@given(seeds, st.integers(1, 40))
def test_an_interval_holds_the_mean(seed: int, count: int) -> None:
    marks = random_marks(count, seed)

    found = intervals(marks)

    means = summarise(marks)
    assert list(found) == list(FIGURES)
    assert all(low - 1e-9 <= means[name] <= high + 1e-9 for name, (low, high) in found.items())


def test_more_pictures_make_intervals_narrower_as_the_root_of_their_number() -> None:
    widths = [
        np.mean([high - low for low, high in intervals(random_marks(count, seed=1)).values()])
        for count in (25, 400)
    ]

    assert widths[0] / widths[1] == pytest.approx(4, rel=0.25)
    assert widths[1] == pytest.approx(2 * 1.96 * math.sqrt(1 / 12 / 400), rel=0.2)


def test_intervals_are_the_same_for_the_same_seed() -> None:
    marks = random_marks(30, seed=2)

    assert intervals(marks, seed=3) == intervals(marks, seed=3)
    assert intervals(marks, seed=3) != intervals(marks, seed=4)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_where_all_marks_are_equal_nothing_is_uncertain(count: int) -> None:
    assert intervals(np.full((count, len(FIGURES)), 0.5)) == dict.fromkeys(FIGURES, (0.5, 0.5))


@unhurried
@given(seeds, st.lists(st.sampled_from(CLASSES), min_size=1, max_size=12))
def test_the_classes_together_are_the_whole(seed: int, names: list[str]) -> None:
    marks = random_marks(len(names), seed)

    found = per_class(marks, examples([image((name, WHOLE)) for name in names]), CLASSES)

    assert list(found) == [name for name in CLASSES if name in names]
    assert sum(one["images"] for one in found.values()) == len(names)
    for name, mean in summarise(marks).items():
        assert sum(one[name] * one["images"] for one in found.values()) / len(names) == pytest.approx(mean)


def test_confusion_counts_the_true_class_down_and_the_guessed_one_across() -> None:
    truth = examples([image((name, WHOLE)) for name in ("cat", "cat", "dog", "yeti")])
    guess = Guess(torch.tensor([0, 2, 1, 1]), truth.boxes)

    assert confusion(guess, truth, len(CLASSES)).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


@pytest.fixture
def learned() -> Examples:
    """Three pictures of dogs and two of cats, each in a direction of its own."""
    return examples(
        [
            image(("cat", LEFT)),
            image(("dog", RIGHT)),
            image(("dog", WHOLE)),
            image(("dog", RIGHT)),
            image(("cat", WHOLE)),
        ]
    )


def test_baselines_answer_by_majority_by_mean_box_and_by_nearest_neighbour(learned: Examples) -> None:
    towards = np.array([[0.1, 0, 0, 0, 1.0], [1.0, 0.9, 0, 0, 0]])
    asked = examples([image(("cow", WHOLE)), image(("cat", LEFT))], towards)

    answers = baselines(learned, asked, class_ids=torch.tensor([0, 2]))

    everything, cats, dogs = [0.3 + 0.1, 0, 0.9, 1], [0, 0, 0.75, 1], [1 / 3, 0, 1, 1]
    everything[0] = (0 + 0.5 + 0 + 0.5 + 0) / 5
    expected = {
        "majority_class": ([1, 1], [dogs, dogs]),
        "mean_box": ([1, 1], [everything, everything]),
        "class_mean_box": ([0, 2], [cats, everything]),
        "nearest_neighbour": ([0, 0], [[0, 0, 1, 1], [0, 0, 0.5, 1]]),
    }
    assert list(answers) == list(expected)
    for name, (class_ids, boxes) in expected.items():
        assert answers[name].class_ids.tolist() == class_ids
        assert torch.allclose(answers[name].boxes, torch.tensor(boxes, dtype=torch.float32))


def test_the_nearest_neighbour_of_a_picture_that_was_learned_is_right(learned: Examples) -> None:
    answer = baselines(learned, learned, learned.class_ids)["nearest_neighbour"]

    assert (mark(answer, learned) == 1).all()


def test_a_box_is_held_against_every_object_of_the_main_objects_class_and_against_no_other() -> None:
    pictures = [
        image(("cat", (0, 0, 60, 80)), ("cat", (60, 0, 100, 80)), ("dog", (0, 60, 20, 80))),
        image(("cat", (0, 0, 60, 80)), ("dog", (60, 0, 100, 80))),
    ]
    truth = examples(pictures)
    on_the_other = torch.tensor([[0.6, 0.0, 1.0, 1.0]]).expand(2, 4)

    assert overlaps_with_class(on_the_other, truth).tolist() == pytest.approx([1, 0])
    assert overlaps_with_class(truth.boxes, truth).tolist() == pytest.approx([1, 1])

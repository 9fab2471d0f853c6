"""The objects of several pictures as arrays: nothing lost, nothing added, the main one known."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from indexer.records import IndexedImage
from localizer.boxes import unit_box
from localizer.objects import Objects
from tests.scenes import CLASSES, Corners, image, objects, pictures_of_objects, told, unhurried


def pixel_spans(side: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, side - 1), st.integers(1, side)).map(
        lambda pair: (pair[0], max(pair[1], pair[0] + 1))
    )


@st.composite
def annotated(draw: st.DrawFn) -> IndexedImage:
    width, height = draw(st.integers(30, 600)), draw(st.integers(30, 600))
    labels = []
    for name in draw(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=5)):
        (xmin, xmax), (ymin, ymax) = draw(pixel_spans(width)), draw(pixel_spans(height))
        labels.append((name, (float(xmin), float(ymin), float(xmax), float(ymax))))
    return image(*labels, width=width, height=height)


images = annotated()


@unhurried
@given(st.lists(images, min_size=1, max_size=3))
def test_all_objects_of_an_image_are_there_in_its_order(annotated_images: list[IndexedImage]) -> None:
    made = Objects.of(annotated_images, CLASSES)

    for row, one in enumerate(annotated_images):
        count = len(one.objects)
        assert [CLASSES[number] for number in made.class_ids[row, :count]] == [
            label.class_name for label in one.objects
        ]
        boxes = [unit_box(label.box, one.width, one.height) for label in one.objects]
        assert torch.equal(made.boxes[row, :count], torch.tensor(boxes))
        assert made.real[row].tolist() == [True] * count + [False] * (made.real.shape[1] - count)


@unhurried
@given(images)
def test_the_main_object_is_that_of_the_image(one: IndexedImage) -> None:
    class_ids, boxes, usable = Objects.of([one], CLASSES).main()

    main = one.main_object
    assert main is not None
    areas = sorted(label.box.area for label in one.objects)
    if areas[-1:] != areas[-2:-1]:
        assert CLASSES[int(class_ids)] == main.class_name
        assert torch.equal(boxes[0], torch.tensor(unit_box(main.box, one.width, one.height)))
    assert usable.tolist() == [True]


def test_the_first_of_two_boxes_of_equal_area_is_the_main_object_of_the_image_and_of_the_arrays() -> None:
    pictures = [
        image(("cat", (3, 5, 3 + across, 5 + down)), ("dog", (7, 2, 7 + down, 2 + across)), width=333, height=500)
        for across, down in ((90, 40), (41, 93), (77, 130), (200, 33), (61, 250))
    ]

    class_ids, _, _ = Objects.of(pictures, CLASSES).main()

    assert [CLASSES[number] for number in class_ids] == ["cat"] * 5


def test_a_class_that_is_not_known_has_no_number_and_is_not_present() -> None:
    made = Objects.of([image(("cat", (0, 0, 9, 9)), ("yeti", (0, 0, 50, 50)))], CLASSES)

    assert made.class_ids.tolist() == [[0, -1]]
    assert made.main()[0].tolist() == [-1]
    assert made.present(3).tolist() == [[1, 0, 0]]


@unhurried
@given(pictures_of_objects())
def test_present_marks_each_class_of_a_picture_and_no_other(pictures: list[list[tuple[int, Corners]]]) -> None:
    present = objects(*pictures).present(len(CLASSES))

    assert present.dtype == torch.float32
    assert [set(row.nonzero().flatten().tolist()) for row in present] == [
        {class_id for class_id, _ in picture} for picture in pictures
    ]
    assert set(present.flatten().tolist()) <= {0.0, 1.0}


@unhurried
@given(pictures_of_objects(), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_compact_keeps_every_real_object_in_its_order(
    pictures: list[list[tuple[int, Corners]]], seed: int, share: float
) -> None:
    made = objects(*pictures)
    lot = torch.Generator().manual_seed(seed)
    thinned = Objects(made.class_ids, made.boxes, made.real & (torch.rand(made.real.shape, generator=lot) < share))

    compact = thinned.compact()

    assert told(compact) == told(thinned)
    assert compact.real.shape[1] == max(1, int(thinned.real.sum(1).max()))


def test_compact_keeps_the_order_of_many_objects_too() -> None:
    crowd = [(number, (0.0, 0.0, 1.0, 1.0)) for number in range(90)]
    made = objects(crowd, crowd[:3])
    made.real[0, ::3] = False

    assert [number for number, _ in told(made.compact())[0]] == [n for n in range(90) if n % 3]


@unhurried
@given(pictures_of_objects(), pictures_of_objects(most=2))
def test_beside_joins_pictures_one_by_one(
    pictures: list[list[tuple[int, Corners]]], others: list[list[tuple[int, Corners]]]
) -> None:
    first, second = objects(*pictures), objects(*others)

    joined = first.beside(second)

    expected = [mine + theirs for mine, theirs in zip(told(first), told(second), strict=True)]
    assert told(joined) == expected
    assert len(joined) == 3


def test_taken_rows_come_in_the_order_asked_for() -> None:
    made = objects([(0, (0.0, 0.0, 1.0, 1.0))], [], [(2, (0.0, 0.0, 0.5, 0.5)), (1, (0.0, 0.0, 0.25, 1.0))])

    taken = made.take(torch.tensor([2, 0]))

    assert told(taken) == [told(made)[2], told(made)[0]]


def test_a_picture_without_objects_has_no_usable_main_object() -> None:
    class_ids, boxes, usable = objects([], [(2, (0.0, 0.0, 0.5, 0.5))]).main()

    assert usable.tolist() == [False, True]
    assert class_ids.tolist()[1] == 2
    assert boxes.shape == (2, 4)


@pytest.mark.parametrize("places", [1, 4])
def test_pictures_without_any_object_keep_one_place(places: int) -> None:
    empty = torch.zeros(2, places)
    made = Objects(empty.long(), torch.zeros(2, places, 4), empty.bool())

    assert made.compact().real.tolist() == [[False], [False]]

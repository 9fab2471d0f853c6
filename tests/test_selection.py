"""Filters in SQL, in a SQLite file and in PostgreSQL, against the same conditions in plain Python."""

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.filters import NO_FILTERS, Filters
from indexer.records import Box, IndexedImage, ObjectLabel
from tests.postgres import Stored

WIDTH, HEIGHT = 100, 80
CLASSES, SPLITS, POSES = ("cat", "dog", "cow"), ("train", "val"), ("Left", "Frontal")

flags = st.none() | st.booleans()
shares = st.none() | st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0])
counts = st.none() | st.integers(0, 3)


def some_of(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), max_size=2, unique=True).map(tuple)


objects = st.builds(
    ObjectLabel,
    st.sampled_from(CLASSES),
    st.sampled_from([Box(0, 0, 10, 8), Box(0, 0, 50, 40), Box(5, 5, 100, 80)]),
    st.none() | st.sampled_from(POSES),
    flags,
    flags,
    flags,
)
contents = st.lists(
    st.tuples(st.none() | st.sampled_from(SPLITS), st.lists(objects, max_size=3).map(tuple)), max_size=8
)
filters = st.builds(
    Filters,
    class_any=some_of(CLASSES),
    class_all=some_of(CLASSES),
    class_none=some_of(CLASSES),
    split=some_of(SPLITS),
    pose=some_of(POSES),
    truncated=flags,
    occluded=flags,
    difficult=flags,
    min_objects=counts,
    max_objects=counts,
    min_share=shares,
    max_share=shares,
)


def as_images(content: list[tuple[str | None, tuple[ObjectLabel, ...]]]) -> list[IndexedImage]:
    return [
        IndexedImage(
            image_id=number, filename=f"{number}.jpg", sha256="0" * 64, split=split,
            width=WIDTH, height=HEIGHT, objects=labels,
        )
        for number, (split, labels) in enumerate(content)
    ]  # fmt: skip


def within(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def attributes_fit(label: ObjectLabel, asked: Filters) -> bool:
    flags_fit = all(
        getattr(asked, name) in (None, getattr(label, name)) for name in ("truncated", "occluded", "difficult")
    )
    share = label.box.area / (WIDTH * HEIGHT)
    pose_fits = not asked.pose or label.pose in asked.pose
    return flags_fit and pose_fits and within(share, asked.min_share, asked.max_share)


def image_fits(image: IndexedImage, asked: Filters) -> bool:
    fitting = [label.class_name for label in image.objects if attributes_fit(label, asked)]
    return (
        (not asked.split or image.split in asked.split)
        and within(len(image.objects), asked.min_objects, asked.max_objects)
        and set(asked.class_all) <= set(fitting)
        and not set(asked.class_none) & {label.class_name for label in image.objects}
    )


def asks_of_one_object(asked: Filters) -> bool:
    of_object = (asked.truncated, asked.occluded, asked.difficult, asked.min_share, asked.max_share)
    return bool(asked.class_any) or (
        not asked.class_all and (bool(asked.pose) or any(value is not None for value in of_object))
    )


def object_fits(label: ObjectLabel, asked: Filters) -> bool:
    classes = asked.class_any or asked.class_all
    return attributes_fit(label, asked) and (not classes or label.class_name in classes)


@settings(deadline=None, max_examples=80)
@given(content=contents, asked=filters, without=st.lists(st.integers(0, 20), max_size=6))
def test_filters_select_what_fulfils_them_and_nothing_else(
    stored: Stored,
    content: list[tuple[str | None, tuple[ObjectLabel, ...]]],
    asked: Filters,
    without: list[int],
) -> None:
    images = as_images(content)
    with stored(images, []) as read:
        found_images, found_objects = read.matching_images(asked), read.matching_objects(asked)
        first = read.first_images(asked, 3)
        owners = read.images_of_objects()
        counted_images = read.matching_images_count(asked, without)
        counted_objects = read.matching_objects_count(asked, without)

    assert first.tolist() == found_images[:3].tolist()
    assert counted_images == len(set(found_images.tolist()) - set(without))
    assert counted_objects == len(set(found_objects.tolist()) - set(without))

    fitting = [image for image in images if image_fits(image, asked)]
    one_object = asks_of_one_object(asked)
    assert found_images.tolist() == [
        image.image_id
        for image in fitting
        if not one_object or any(object_fits(label, asked) for label in image.objects)
    ]
    pairs = [(image, label) for image in images for label in image.objects]
    assert owners.tolist() == [image.image_id for image, _ in pairs]
    assert found_objects.tolist() == [
        number for number, (image, label) in enumerate(pairs) if image in fitting and object_fits(label, asked)
    ]


def test_counts_leave_any_number_of_ids_out(stored: Stored) -> None:
    with stored(as_images([("train", ())] * 1_300), []) as read:
        left = read.matching_images_count(Filters(split=("train",)), [*range(1_200), *range(1_100), 2**40])

    assert left == 100


def test_values_that_no_record_can_have_are_found_nowhere(stored: Stored) -> None:
    label = ObjectLabel("cat", Box(0, 0, 10, 8), "Left")
    with stored(as_images([("train", (label,))]), []) as read:
        for asked in (
            Filters(class_any=("c\0at",)),
            Filters(class_all=("cat", "\0")),
            Filters(split=("\0",)),
            Filters(pose=("Left\0",)),
            Filters(min_objects=2**40),
        ):
            assert read.matching_images_count(asked) == read.matching_objects_count(asked) == 0
        assert read.matching_images_count(Filters(class_none=("\0",), max_objects=2**40)) == 1


def test_no_filters_ask_nothing() -> None:
    assert Filters().ask_nothing
    assert Filters() == NO_FILTERS
    assert not Filters(truncated=False).ask_nothing

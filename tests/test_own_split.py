"""The split that a build makes where no list names any: by classes, near-duplicates together, kept ever after."""

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer import sealed, voc
from indexer.__main__ import main
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.generations import generations
from indexer.inspection import describe
from indexer.manifest import COPY, FILENAME, FORMAT_VERSION
from indexer.near_duplicates import near_duplicate_groups
from indexer.own_split import TRAIN, VAL, split_by_itself
from indexer.records import IndexedImage
from indexer.reduction import Floats, unit_rows
from indexer.repair import repair
from tests.scenes import image, random_floats, unhurried
from tests.test_build import picture

Request = Callable[..., BuildRequest]
seeds = st.integers(0, 2**32 - 1)


def images_of(classes: Sequence[str], first: int = 0) -> list[IndexedImage]:
    """An image in no split for each main class; the empty one stands for no object."""
    labels = [[(name, (0.0, 0.0, 9.0, 9.0))] if name else [] for name in classes]
    made = [image(*one, image_id=row) for row, one in enumerate(labels)]
    return [replace(one, split=None, sha256=f"{first + row:064x}") for row, one in enumerate(made)]


def different(count: int, seed: int = 0) -> Floats:
    """Vectors of pictures that have little in common."""
    return unit_rows(random_floats(seed, count, 64))


def split(
    images: Sequence[IndexedImage], vectors: Floats, earlier: Sequence[IndexedImage] = ()
) -> list[str | None]:
    """The split of each."""
    sides = {one.sha256: one.split for one in earlier if one.split}
    return [one.split for one in split_by_itself(images, lambda: vectors, sides)]


@pytest.mark.parametrize(("classes", "each"), [(1, 100), (2, 50), (20, 20), (40, 5)])
def test_a_fifth_of_every_class_is_val(classes: int, each: int) -> None:
    images = images_of([f"class {number}" for number in range(classes)] * each)

    found = split(images, different(len(images)))

    shares = Counter(one.class_names[0] for one, side in zip(images, found, strict=True) if side == VAL)
    assert found.count(VAL) == pytest.approx(classes * each / 5, abs=1)
    assert all(abs(shares[f"class {number}"] - each / 5) <= 1 for number in range(classes))


@unhurried
@given(seeds, st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=30), st.lists(st.integers(0, 29)))
def test_near_duplicates_stay_together_and_every_class_can_be_learned(
    seed: int, classes: list[str], copied: list[int]
) -> None:
    once = different(len(classes), seed)
    rows = [row for row in copied if row < len(classes)]
    vectors = np.concatenate([once, unit_rows(once[rows] + 0.005 * random_floats(seed, len(rows), 64))])
    images = images_of([*classes, *(classes[row] for row in rows)])

    found = np.array(split(images, vectors))

    groups = near_duplicate_groups(vectors)
    assert all(len(set(found[groups == group])) == 1 for group in set(groups.tolist()))
    learned = {one.class_names[0] for one, side in zip(images, found, strict=True) if side == TRAIN}
    assert learned == set(classes)
    assert (found == VAL).sum() <= len(images) / 5


@unhurried
@given(seeds)
def test_the_order_of_the_pictures_is_of_no_account(seed: int) -> None:
    vectors = different(40, seed)
    images = images_of(np.random.default_rng(seed).choice(list("abc"), 40).tolist())
    order = np.random.default_rng(seed).permutation(40)

    found = split(images, vectors)
    shuffled = split([replace(images[row], image_id=place) for place, row in enumerate(order)], vectors[order])

    assert shuffled == [found[row] for row in order]


def test_what_has_a_side_keeps_it_and_what_is_new_fills_up_what_is_due() -> None:
    vectors = different(100)
    first = split_by_itself(images_of(["cat"] * 50), lambda: vectors[:50], {})

    found = split(images_of(["cat"] * 100), vectors, first)

    assert found[:50] == [one.split for one in first]
    assert (found[:50].count(VAL), found.count(VAL)) == (10, 20)


def test_a_new_near_duplicate_joins_the_one_that_it_is_of() -> None:
    vectors = different(20)
    first = split_by_itself(images_of(["cat"] * 20), lambda: vectors, {})
    copies = unit_rows(vectors + 0.005 * random_floats(1, 20, 64))

    found = split(images_of(["cat"] * 40), np.concatenate([vectors, copies]), first)

    assert found[20:] == found[:20]


def test_pictures_without_objects_are_in_no_split_until_they_are_annotated() -> None:
    vectors = different(20)

    found = split(images_of(["cat", ""] * 10), vectors)

    assert found[1::2] == [None] * 10
    assert found.count(VAL) == 2


@pytest.mark.parametrize("count", [1, 3, 4])
def test_of_fewer_than_five_all_are_to_learn_from(count: int) -> None:
    assert split(images_of(["cat"] * count), different(count)) == [TRAIN] * count


def test_pictures_of_one_thing_are_all_to_learn_from() -> None:
    assert split(images_of(["cat"] * 12), unit_rows(np.ones((12, 4), np.float32))) == [TRAIN] * 12


def test_no_vectors_are_asked_for_where_all_have_a_side() -> None:
    first = split_by_itself(images_of(["cat"] * 9), lambda: different(9), {})

    def never() -> Floats:
        raise AssertionError

    assert split_by_itself(first, never, {one.sha256: one.split or "" for one in first}) == first


@pytest.fixture
def listless(own_devkit: Path) -> Path:
    """Twelve annotated pictures without lists, to change at will."""
    shutil.rmtree(own_devkit / "ImageSets")
    return own_devkit


def splits_in(path: Path) -> dict[str, str | None]:
    """sha256 -> split."""
    with Collection.open(path) as collection:
        return {one.sha256: one.split for one in collection.all_images()}


@pytest.mark.parametrize("lists", ["none", "an empty folder"])
def test_an_annotated_folder_without_lists_is_split_and_the_build_tells(
    listless: Path, tmp_path: Path, request_build: Request, lists: str
) -> None:
    if lists != "none":
        (listless / "ImageSets" / "Main").mkdir(parents=True)

    summary = build(request_build(tmp_path / "collection", voc_root=listless))

    counts = Counter(splits_in(tmp_path / "collection").values())
    train, val = counts[TRAIN], counts[VAL]
    assert (train + val, val > 0) == (12, True)
    assert summary.to_json()["made_split"] == {"train": train, "val": val, "seed": 0}
    assert f"no list names a picture: split {train} train, {val} val by itself (seed 0)" in summary.text()
    assert describe(tmp_path / "collection")["made_split"] == summary.made_split
    shown = CliRunner().invoke(main, ["inspect", "--collection", str(tmp_path / "collection")]).stdout
    assert f"train {train}, val {val}, seed 0" in shown


def test_the_same_devkit_is_split_alike_and_again_as_it_was(
    listless: Path, tmp_path: Path, request_build: Request
) -> None:
    for name in ("one", "other"):
        build(request_build(tmp_path / name, voc_root=listless))

    again = build(request_build(tmp_path / "one"))

    assert splits_in(tmp_path / "one") == splits_in(tmp_path / "other")
    assert not again.published
    assert "val by itself (seed 0)" in again.text()


def test_a_later_build_keeps_the_split_of_renamed_pictures_and_finds_one_for_new_ones(
    listless: Path, tmp_path: Path, request_build: Request
) -> None:
    path = tmp_path / "collection"
    build(request_build(path, voc_root=listless))
    before = splits_in(path)
    for number in range(6):
        picture(listless, number).rename(picture(listless, 80 - number))
        annotation = listless / "Annotations" / f"{number:06d}.xml"
        annotation.rename(annotation.with_stem(f"{80 - number:06d}"))
    for number in range(6, 12):  # rotated pictures are new ones
        Image.open(picture(listless, number)).transpose(Image.Transpose.ROTATE_180).save(picture(listless, number))

    build(request_build(path))

    after = splits_in(path)
    kept = before.keys() & after.keys()
    assert len(kept) == 6
    assert {sha: after[sha] for sha in kept} == {sha: before[sha] for sha in kept}
    assert set(after.values()) <= {TRAIN, VAL}


def test_another_backbone_leaves_the_split_as_it_is(
    listless: Path, tmp_path: Path, request_build: Request
) -> None:
    path = tmp_path / "collection"
    build(request_build(path, voc_root=listless))
    before = splits_in(path)

    build(request_build(path, side=96))

    assert splits_in(path) == before


def test_lists_that_come_later_count(
    listless: Path, tmp_path: Path, request_build: Request, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    path = tmp_path / "collection"
    build(request_build(path, voc_root=listless))
    voc.write_lists(listless, [replace(one, split="val") for one in voc.read_split(listless).images[:3]])

    summary = build(request_build(path))

    assert summary.made_split is None
    assert describe(path)["splits"] == {"": 9, "val": 3}
    assert "Lists take the place of the split made before" in caplog.text


def test_what_is_not_annotated_gets_no_split(listless: Path, tmp_path: Path, request_build: Request) -> None:
    shutil.rmtree(listless / "Annotations")

    summary = build(request_build(tmp_path / "collection", voc_root=listless))

    assert summary.made_split is None
    assert describe(tmp_path / "collection")["splits"] == {"": 12}


def test_annotations_that_come_later_bring_the_split(
    listless: Path, tmp_path: Path, request_build: Request
) -> None:
    path = tmp_path / "collection"
    (listless / "Annotations").rename(tmp_path / "aside")
    build(request_build(path, voc_root=listless))
    (tmp_path / "aside").rename(listless / "Annotations")

    summary = build(request_build(path))

    assert summary.embedded == 0
    assert set(splits_in(path).values()) == {TRAIN, VAL}


def test_repair_keeps_the_split_of_the_pictures_that_are_lost(
    listless: Path, tmp_path: Path, request_build: Request
) -> None:
    path = tmp_path / "collection"
    for number in range(4, 12):
        picture(listless, number).rename(tmp_path / f"{number:06d}.jpg")
    build(request_build(path, voc_root=listless))  # four pictures: all to learn from
    for number in range(4, 12):
        (tmp_path / f"{number:06d}.jpg").rename(picture(listless, number))
    build(request_build(path))
    before = splits_in(path)
    vectors = generations(path)[-1] / "index.faiss"
    content = bytearray(vectors.read_bytes())
    content[-len(content) // 2 :] = bytes(len(content) // 2)
    vectors.write_bytes(content)

    repaired = repair(path)

    assert repaired.rebuilt is not None
    assert repaired.rebuilt.embedded > 0
    assert splits_in(path) == before


def test_a_collection_of_before_such_splits_opens_and_gets_one_when_it_is_built_again(
    listless: Path, tmp_path: Path, request_build: Request
) -> None:
    path = tmp_path / "collection"
    build(request_build(path, voc_root=listless))
    for name in (FILENAME, COPY):
        manifest = generations(path)[-1] / name
        content = sealed.read(manifest, FORMAT_VERSION, "a manifest")
        del content["made_split_seed"]
        manifest.write_text(sealed.sealed(content, FORMAT_VERSION))

    assert describe(path)["made_split"] is None
    summary = build(request_build(path))

    assert summary.published
    assert summary.made_split is not None

"""Vectors joined with what a head sees, kept beside a generation as an index of their own."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import derived
from indexer.collection import Collection
from indexer.derived_files import Arrays
from indexer.errors import CollectionError
from indexer.index_settings import IndexSettings
from indexer.likeness import DEFAULT_LIKENESS, Likeness
from indexer.reduction import Floats, unit_rows
from indexer.semantic_index import SemanticIndex
from localizer.semantic import DEFAULT_WEIGHT, LIKENESSES, WEIGHTS, CopyTrial, Seen, choose_scoring, join
from tests.conftest import IMAGES
from tests.scenes import image, random_floats, unhurried

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture
def own(collection_path: Path, tmp_path: Path) -> Iterator[Collection]:
    """A copy of the collection, open, to change at will."""
    path = shutil.copytree(collection_path, tmp_path / "collection")
    with Collection.open(path) as opened:
        yield opened


def stored(collection: Collection) -> Path:
    return collection.path / "derived" / collection.folder.name / "semantic.npz"


def positive(seed: int, *shape: int) -> Floats:
    return (np.abs(random_floats(seed, *shape)) + 0.01).astype(np.float32)


def random_index(rows: int = IMAGES, source: str = "abc") -> SemanticIndex:
    return SemanticIndex.build(unit_rows(random_floats(0, rows, 2)), source, likeness=Likeness(2.5, 0.3))


@unhurried
@given(seeds, st.floats(0.05, 5))
def test_a_joined_score_is_the_weighted_mean_of_both_cosines(seed: int, weight: float) -> None:
    vectors = unit_rows(random_floats(seed, 5, 8))
    presence = positive(seed + 1, 5, 3)

    joined = join(vectors, presence, weight)

    seen = unit_rows(presence)
    expected = (vectors @ vectors.T + weight**2 * seen @ seen.T) / (1 + weight**2)
    assert joined.shape == (5, 11)
    assert joined.dtype == np.float32
    assert np.allclose(np.linalg.norm(joined, axis=1), 1, atol=1e-5)
    assert np.allclose(joined @ joined.T, expected, atol=1e-5)


@unhurried
@given(seeds, st.floats(0.01, 100))
def test_how_sure_of_all_classes_together_makes_no_difference(seed: int, factor: float) -> None:
    vectors, presence = unit_rows(random_floats(seed, 4, 8)), positive(seed + 1, 4, 3)

    assert np.allclose(join(vectors, presence * np.float32(factor), 1.0), join(vectors, presence, 1.0), atol=1e-5)


def test_what_tells_the_classes_apart_is_given_weight_and_what_does_not_little() -> None:
    names = ["cat", "dog"] * 10
    pictures = [image((name, (0, 0, 9, 9)), image_id=row) for row, name in enumerate(names)]
    telling = np.array([[name == "cat", name == "dog"] for name in names], dtype=np.float32) + np.float32(0.1)
    noise = positive(1, 20, 2)

    helped, _ = choose_scoring(pictures, Seen(unit_rows(random_floats(0, 20, 8)), telling))
    hindered, _ = choose_scoring(pictures, Seen(unit_rows(telling - telling.mean(axis=0)), noise))

    assert helped > 0.5
    assert hindered == min(WEIGHTS)


def test_likeness_is_rewarded_as_much_as_copies_need_to_find_their_originals() -> None:
    names = ["cat", "dog"] * 20
    pictures = [image((name, (0, 0, 9, 9)), image_id=row) for row, name in enumerate(names)]
    presence = np.array([[name == "cat", name == "dog"] for name in names], dtype=np.float32) + np.float32(0.01)
    seen = Seen(unit_rows(random_floats(0, 40, 64)), presence)
    unsure = Seen(unit_rows(seen.vectors + 0.1 * random_floats(1, 40, 64)), presence[:, ::-1].copy())

    def finds(reward_of: tuple[float, Likeness]) -> float:
        weight, likeness = reward_of
        rows, copies = (join(one.vectors, one.presence, weight) for one in (seen, unsure))
        return float((likeness.scores(copies, rows, 64).argmax(axis=1) == np.arange(40)).mean())

    chosen = choose_scoring(pictures, seen, CopyTrial(copies=unsure, gallery=seen, originals=np.arange(40)))

    assert chosen[1] in LIKENESSES
    assert finds(chosen) >= 0.9 > finds((max(WEIGHTS), Likeness(0, 0.5)))


def test_images_that_share_no_class_leave_the_weight_as_it_is() -> None:
    pictures = [image((name, (0, 0, 9, 9)), image_id=row) for row, name in enumerate(("cat", "dog"))]

    seen = Seen(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))

    assert choose_scoring(pictures, seen) == (DEFAULT_WEIGHT, DEFAULT_LIKENESS)


def test_an_index_comes_back_from_beside_its_generation(own: Collection) -> None:
    saved = random_index()
    saved.save(own)

    loaded = SemanticIndex.load(own)

    assert loaded is not None
    assert loaded.source == "abc"
    assert loaded.likeness == saved.likeness
    assert np.array_equal(loaded.vectors, saved.vectors)
    assert [path.name for path in stored(own).parent.iterdir()] == ["semantic.npz"]


def test_an_index_that_knows_of_no_reward_gets_the_usual_one(own: Collection) -> None:
    random_index().save(own)
    arrays = derived.load(own, "semantic")
    assert arrays is not None
    derived.save(own, "semantic", {name: one for name, one in arrays.items() if name != "likeness"})

    loaded = SemanticIndex.load(own)

    assert loaded is not None
    assert loaded.likeness == DEFAULT_LIKENESS


def test_an_approximate_index_comes_back_too(own: Collection) -> None:
    rows = unit_rows(random_floats(0, IMAGES, 8))
    SemanticIndex.build(rows, "abc", IndexSettings("hnsw")).save(own)

    loaded = SemanticIndex.load(own)

    assert loaded is not None
    assert loaded.note.kind == "hnsw"
    assert [loaded.nearest(row, 1)[0].image_id for row in rows] == list(range(IMAGES))


def test_each_row_finds_itself_first_unless_it_is_left_out() -> None:
    index = random_index()

    for image_id in (0, 17, IMAGES - 1):
        first, second = index.nearest(index.vector(image_id), 2)
        assert first.image_id == image_id
        assert first.score == pytest.approx(1)
        assert index.nearest(index.vector(image_id), 1, exclude=[image_id]) == [second]


def test_a_second_index_takes_the_place_of_the_first(own: Collection) -> None:
    random_index(source="old").save(own)
    random_index(source="new").save(own)

    loaded = SemanticIndex.load(own)

    assert loaded is not None
    assert loaded.source == "new"


def test_where_none_was_saved_there_is_none(own: Collection) -> None:
    assert SemanticIndex.load(own) is None


def test_rows_of_another_number_of_images_are_refused(own: Collection) -> None:
    random_index(rows=IMAGES - 1).save(own)

    with pytest.raises(CollectionError, match=rf"^expected .* {IMAGES} rows, found {IMAGES - 1}; align it: .*$"):
        SemanticIndex.load(own)


def refusal(collection: Collection) -> str | None:
    """How what is stored is refused; None where it is what was saved."""
    try:
        loaded = SemanticIndex.load(collection)
    except CollectionError as error:
        return str(error)
    assert loaded is not None
    assert np.array_equal(loaded.vectors, random_index().vectors)
    return None


def test_rubbish_is_refused_in_one_line(own: Collection) -> None:
    random_index().save(own)
    stored(own).write_bytes(b"rubbish")

    assert re.fullmatch(
        r".*semantic\.npz is damaged: expected .*, found .*; delete that file .*", str(refusal(own))
    )


@pytest.mark.parametrize("kept", [200, -30, -1])
def test_a_file_that_was_cut_off_is_refused_and_closed(own: Collection, kept: int) -> None:
    random_index().save(own)
    stored(own).write_bytes(stored(own).read_bytes()[:kept])

    assert re.fullmatch(r".*semantic\.npz is damaged: .*", str(refusal(own)))


def test_an_empty_file_is_refused_in_one_line(own: Collection) -> None:
    random_index().save(own)
    stored(own).write_bytes(b"")

    assert re.fullmatch(r".*semantic\.npz is damaged: .*", str(refusal(own)))


def test_a_file_without_the_rows_is_refused_in_one_line(own: Collection) -> None:
    derived.save(own, "semantic", {"others": np.zeros(3)})

    assert re.fullmatch(".+", str(refusal(own)))


def test_a_flipped_bit_anywhere_is_refused_or_does_no_harm(own: Collection) -> None:
    random_index().save(own)
    whole = stored(own).read_bytes()
    places = range(0, 8 * len(whole), 7)  # in bits; of every byte one at least, and all eight in turn
    refused = 0

    for place in places:
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        stored(own).write_bytes(flipped)
        refused += refusal(own) is not None

    assert refused > len(places) / 4


def test_what_was_derived_from_generations_that_are_gone_is_deleted(own: Collection) -> None:
    random_index().save(own)
    gone, kept = own.path / "derived" / "000000", own.path / "generations" / "000002"
    shutil.copytree(stored(own).parent, gone)
    kept.mkdir()
    shutil.copytree(stored(own).parent, own.path / "derived" / kept.name)

    derived.save(own, "other", {"numbers": np.arange(3)})

    assert sorted(path.name for path in gone.parent.iterdir()) == [own.folder.name, kept.name]
    assert SemanticIndex.load(own) is not None


def test_a_stray_file_beside_derived_data_is_no_obstacle(own: Collection) -> None:
    random_index().save(own)
    (own.path / "derived" / ".DS_Store").write_bytes(b"stray")

    random_index(source="new").save(own)

    loaded = SemanticIndex.load(own)
    assert loaded is not None
    assert loaded.source == "new"


@pytest.mark.parametrize(
    "arrays", [{"a": np.arange(6).reshape(2, 3), "b": np.array("text")}, {}, {"empty": np.zeros((0, 4))}]
)
def test_derived_arrays_come_back_as_they_were(own: Collection, arrays: Arrays) -> None:
    derived.save(own, "some", arrays)

    loaded = derived.load(own, "some")

    assert loaded is not None
    assert list(loaded) == list(arrays)
    assert all(
        np.array_equal(loaded[name], one) and loaded[name].dtype == one.dtype for name, one in arrays.items()
    )


def test_saving_does_not_change_the_generation_itself(own: Collection) -> None:
    before = {path.name: path.read_bytes() for path in own.folder.iterdir()}

    random_index().save(own)

    assert {path.name: path.read_bytes() for path in own.folder.iterdir()} == before
    rows: Floats = own.vectors()
    assert len(rows) == IMAGES

"""Centring and principal axes: what is kept, what it is learned from, and that it comes back from disk."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from indexer.embedder import pool
from indexer.reduction import Floats, Reduction, to_half, unit_rows
from indexer.reduction_learning import learn, sample_cells


def random_floats(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_vectors_become_unit_rows_of_fewer_numbers() -> None:
    reduction = learn(random_floats(0, 400, 600), {})

    reduced = reduction.reduce_vectors(random_floats(1, 9, 600))

    assert reduced.shape == (9, 256)
    assert reduced.dtype == np.float32
    assert np.allclose(np.linalg.norm(reduced, axis=1), 1, atol=1e-5)


def test_the_axes_are_those_of_greatest_variance() -> None:
    rows = random_floats(0, 300, 8) * np.array([9, 1, 5, 0.1, 3, 0.2, 0.1, 0.1], dtype=np.float32)

    axes = learn(rows, {}).vector.axes  # type: ignore[union-attr]

    assert np.abs(axes[:3]).argmax(axis=1).tolist() == [0, 2, 4]


def test_fewer_pictures_than_components_give_fewer_components() -> None:
    assert learn(random_floats(0, 12, 600), {}).reduce_vectors(random_floats(1, 2, 600)).shape == (2, 11)


def test_one_picture_teaches_nothing() -> None:
    reduction = learn(random_floats(0, 1, 60), {"deep": random_floats(0, 4, 60)})

    assert reduction.vector is None
    assert reduction.pictures == 1


def test_map_channels_are_reduced_cell_by_cell() -> None:
    maps = {"deep": np.abs(random_floats(0, 30, 200, 3, 4)), "fine": random_floats(1, 30, 90, 6, 8)}
    cells = {stage: sample_cells(one) for stage, one in maps.items()}
    reduction = learn(pool(maps["deep"]), cells)

    reduced = reduction.reduce_maps(maps)

    assert {stage: one.shape for stage, one in reduced.items()} == {
        "deep": (30, 128, 3, 4),
        "fine": (30, 32, 6, 8),
    }
    assert reduced["deep"].dtype == np.float16
    cell = reduction.channels["deep"].apply(maps["deep"][7, :, 2, 1][np.newaxis])[0]
    assert np.allclose(reduced["deep"][7, :, 2, 1], cell, atol=0.01)


def test_cells_are_sampled_from_every_picture_over_all_of_its_map() -> None:
    maps = np.arange(2 * 100, dtype=np.float32).reshape(2, 1, 10, 10)

    cells = sample_cells(maps)

    assert cells.shape == (32, 1)
    assert {float(cells.min()), float(cells.max())} == {0.0, 199.0}


def test_without_a_reduction_only_the_length_changes() -> None:
    rows, maps = random_floats(0, 5, 7), random_floats(1, 5, 7, 2, 2)

    assert np.allclose(Reduction().reduce_vectors(rows), unit_rows(rows))
    assert np.allclose(Reduction().reduce_maps({"deep": maps})["deep"], maps, atol=0.01)


@pytest.mark.parametrize("cells", [{}, {"deep": random_floats(2, 50, 40), "fine": random_floats(3, 50, 30)}])
def test_what_is_saved_comes_back_with_the_same_digest(tmp_path: Path, cells: dict[str, Floats]) -> None:
    reduction = learn(random_floats(0, 20, 40), cells)
    reduction.save(tmp_path / "reduction.npz")

    loaded = Reduction.load(tmp_path / "reduction.npz")

    assert loaded.digest() == reduction.digest()
    assert loaded.pictures == 20
    rows = random_floats(3, 4, 40)
    assert np.array_equal(loaded.reduce_vectors(rows), reduction.reduce_vectors(rows))


def test_the_digest_tells_reductions_apart() -> None:
    rows = random_floats(0, 20, 40)

    digests = {learn(rows, {}).digest(), learn(rows, {"deep": rows}).digest(), learn(rows[:19], {}).digest()}

    assert len(digests | {Reduction().digest()}) == 4


@given(arrays.arrays(np.float32, (3, 5), elements=st.floats(-1e4, 1e4, width=32)))
def test_unit_rows_have_length_one_or_are_zero(rows: Floats) -> None:
    norms = np.linalg.norm(unit_rows(rows).astype(np.float64), axis=1)

    nonzero = np.linalg.norm(rows.astype(np.float64), axis=1) > 1e-11  # below 1e-12 a row counts as zero
    assert np.allclose(norms[nonzero], 1, atol=1e-4)
    assert (norms[~nonzero] <= 1.001).all()


@given(arrays.arrays(np.float32, 6, elements=st.floats(-1e9, 1e9, width=32)))
def test_halves_are_finite_and_close(values: Floats) -> None:
    halves = to_half(values)

    assert np.isfinite(halves).all()
    inside = np.abs(values) < 60_000
    assert np.allclose(halves[inside], values[inside], rtol=1e-3, atol=1e-6)


def test_pooling_is_the_mean_its_signed_root_and_unit_length() -> None:
    maps = np.array([[[[4.0, 4.0]], [[-9.0, -9.0]], [[0.0, 0.0]]]], dtype=np.float32)

    assert np.allclose(pool(maps), np.array([[2, -3, 0]]) / np.sqrt(13))

"""The vector index against a brute-force search in numpy."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import CollectionError
from indexer.reduction import unit_rows
from indexer.vector_index import VectorIndex

VECTORS = unit_rows(np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32))


@given(st.integers(0, 59), st.integers(1, 80), st.sets(st.integers(0, 59), max_size=60))
def test_nearest_is_what_brute_force_finds(query: int, k: int, exclude: set[int]) -> None:
    hits = VectorIndex.build(VECTORS).nearest(VECTORS[query], k, sorted(exclude))

    scores = VECTORS @ VECTORS[query]
    expected = [row for row in np.argsort(-scores, kind="stable") if row not in exclude][:k]
    assert [hit.image_id for hit in hits] == expected
    assert np.allclose([hit.score for hit in hits], scores[expected], atol=1e-6)
    assert all(-1 <= hit.score <= 1 for hit in hits)


@given(
    st.integers(0, 59), st.integers(1, 80), st.sets(st.integers(0, 59)), st.sets(st.integers(0, 59), max_size=5)
)
def test_among_some_rows_the_nearest_of_them_are_found_and_no_others(
    query: int, k: int, among: set[int], exclude: set[int]
) -> None:
    rows = np.array(sorted(among), dtype=np.int64)

    hits = VectorIndex.build(VECTORS).nearest(VECTORS[query], k, sorted(exclude), rows)

    ranking = np.argsort(-(VECTORS @ VECTORS[query]), kind="stable")
    assert [hit.image_id for hit in hits] == [row for row in ranking if row in among - exclude][:k]


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    VectorIndex.build(VECTORS).save(tmp_path / "index.faiss")

    loaded = VectorIndex.load(tmp_path / "index.faiss")

    assert (len(loaded), loaded.dim) == (60, 8)
    assert np.array_equal(loaded.vectors(), VECTORS)
    assert np.array_equal(loaded.vector(7), VECTORS[7])


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.faiss").write_bytes(b"no index")

    with pytest.raises(CollectionError, match="expected a faiss index"):
        VectorIndex.load(tmp_path / "index.faiss")

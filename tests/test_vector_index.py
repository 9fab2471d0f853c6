"""The vector index against a brute-force search in numpy."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import CollectionError
from indexer.index_building import build_index
from indexer.index_settings import FLAT, IndexNote, IndexSettings
from indexer.reduction import Floats, unit_rows
from indexer.vector_index import VectorIndex

VECTORS = unit_rows(np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32))
EXACT = build_index(VECTORS, IndexSettings(FLAT))


def clustered(rows: int, seed: int) -> Floats:
    """Unit rows of 32 numbers around forty centres, those of every seed the same."""
    centres = np.random.default_rng(0).normal(size=(40, 32))
    generator = np.random.default_rng(seed)
    spread = 0.6 * generator.normal(size=(rows, 32))
    return unit_rows((centres[generator.integers(0, 40, rows)] + spread).astype(np.float32))


MANY, QUERIES = clustered(6_000, seed=1), clustered(100, seed=2)
FEW_BYTES = 4 * 32 * 500  # exact search is taken to be quick up to 500 rows


def built(kind: str, storage: str = "float16", recall: float = 0.95) -> VectorIndex:
    return build_index(MANY, IndexSettings(kind, recall, storage), exact_bytes=FEW_BYTES)


@pytest.fixture(scope="module")
def lists() -> VectorIndex:
    """An index that "auto" makes of so many rows."""
    return built("auto")


@pytest.fixture(scope="module", params=["ivf", "hnsw"])
def approximate(request: pytest.FixtureRequest) -> VectorIndex:
    return built(request.param)


def true_rows(query: Floats, k: int, among: set[int] | None = None) -> list[int]:
    """What brute force finds in many rows."""
    ranking = np.argsort(-(MANY @ query), kind="stable").tolist()
    return [row for row in ranking if among is None or row in among][:k]


def recall(index: VectorIndex, k: int, among: set[int] | None = None) -> float:
    """Share of the k true results that are found, over all queries."""
    rows = None if among is None else np.array(sorted(among), dtype=np.int64)
    found = [{hit.image_id for hit in index.nearest(query, k, among=rows)} for query in QUERIES]
    return sum(len(ids & set(true_rows(query, k, among))) for ids, query in zip(found, QUERIES, strict=True)) / (
        k * len(QUERIES)
    )


@given(st.integers(0, 59), st.integers(1, 80), st.sets(st.integers(0, 59), max_size=60))
def test_nearest_is_what_brute_force_finds(query: int, k: int, exclude: set[int]) -> None:
    hits = EXACT.nearest(VECTORS[query], k, sorted(exclude))

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

    hits = EXACT.nearest(VECTORS[query], k, sorted(exclude), rows)

    ranking = np.argsort(-(VECTORS @ VECTORS[query]), kind="stable")
    assert [hit.image_id for hit in hits] == [row for row in ranking if row in among - exclude][:k]


def test_rows_that_are_equal_come_by_their_number_however_many_are_asked_for() -> None:
    index = build_index(np.repeat(VECTORS[:2], 5, axis=0))
    rows = np.arange(1, 10)

    found = [[hit.image_id for hit in index.nearest(VECTORS[0], k, among=rows)] for k in (1, 3, 6)]

    assert found == [[1], [1, 2, 3], [1, 2, 3, 4, 5, 6]]


def test_the_kind_follows_the_size_unless_it_is_said(lists: VectorIndex) -> None:
    assert build_index(MANY).note.kind == "flat"
    assert lists.note.kind == "ivf"
    assert built("flat").note.kind == "flat"


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_an_approximate_index_finds_what_is_asked_of_it_and_scores_it_exactly(kind: str, storage: str) -> None:
    index = built(kind, storage)

    assert (index.note.kind, index.note.storage) == (kind, storage)
    assert index.note.recall >= 0.95
    assert recall(index, 10) >= 0.94
    for query in QUERIES[:10]:
        hits = index.nearest(query, 10)
        expected = [float(MANY[hit.image_id] @ query) for hit in hits]
        assert np.allclose([hit.score for hit in hits], expected, atol=1e-6)


def test_a_row_finds_itself_at_a_score_of_1_whether_it_was_tuned_with_or_not(approximate: VectorIndex) -> None:
    for row in range(0, 6_000, 7):
        best = approximate.nearest(MANY[row], 1)[0]

        assert best.image_id == row
        assert best.score == pytest.approx(1)


def test_more_recall_takes_more_effort() -> None:
    assert built("ivf", recall=0.999).note.efforts[0] > built("ivf", recall=0.5).note.efforts[0]


@pytest.mark.parametrize("k", [30, 120, 1_000, 3_000, 7_000])
def test_deep_pages_lose_no_recall(approximate: VectorIndex, k: int) -> None:
    depth = min(k, len(MANY))

    assert all(len(approximate.nearest(query, k)) == depth for query in QUERIES)
    assert recall(approximate, depth) >= 0.93


@given(st.integers(0, 99), st.integers(1, 60), st.sets(st.integers(0, 5_999), max_size=400), st.integers(0, 5_999))
def test_where_a_filter_leaves_few_rows_the_answer_is_exact(
    lists: VectorIndex, query: int, k: int, among: set[int], left_out: int
) -> None:
    rows = np.array(sorted(among), dtype=np.int64)

    hits = lists.nearest(QUERIES[query], k, [left_out], rows)

    assert [hit.image_id for hit in hits] == true_rows(QUERIES[query], k, among - {left_out})


@given(st.integers(0, 99), st.integers(1, 800), st.integers(0, 2**32), st.floats(0.1, 0.9))
def test_where_a_filter_leaves_many_rows_all_k_come_and_each_is_one_of_them(
    approximate: VectorIndex, query: int, k: int, seed: int, share: float
) -> None:
    among = np.flatnonzero(np.random.default_rng(seed).random(6_000) < share)

    hits = approximate.nearest(QUERIES[query], k, among=among)

    found = [hit.image_id for hit in hits]
    assert len(found) == len(set(found)) == min(k, len(among))
    assert set(found) <= set(among.tolist())
    assert sorted(hits, key=lambda hit: -hit.score) == hits


@given(st.integers(0, 99), st.sets(st.integers(0, 5_999), max_size=40), st.integers(1, 40))
def test_what_is_left_out_is_replaced_by_what_comes_next(
    approximate: VectorIndex, query: int, exclude: set[int], k: int
) -> None:
    nearest = [hit.image_id for hit in approximate.nearest(QUERIES[query], 5)]

    hits = approximate.nearest(QUERIES[query], k, [*exclude, *nearest])

    assert len(hits) == k
    assert not {hit.image_id for hit in hits} & (exclude | set(nearest))


def test_a_filter_that_leaves_half_of_the_rows_keeps_the_recall(approximate: VectorIndex) -> None:
    among = set(np.flatnonzero(np.random.default_rng(5).random(6_000) < 0.5).tolist())

    assert recall(approximate, 10, among) >= 0.93


def test_a_filter_that_leaves_nothing_near_the_query_is_answered_exactly(lists: VectorIndex) -> None:
    for query in QUERIES:
        rows = np.flatnonzero(MANY @ query < 0.3)

        hits = lists.nearest(query, 10, among=rows)

        assert len(rows) > 4_000
        assert [hit.image_id for hit in hits] == true_rows(query, 10, set(rows.tolist()))


def test_a_recall_that_cannot_be_had_for_less_makes_the_index_exact(caplog: pytest.LogCaptureFixture) -> None:
    noise = unit_rows(np.random.default_rng(3).normal(size=(400, 32)).astype(np.float32))
    caplog.set_level(logging.WARNING)

    index = build_index(noise, IndexSettings("ivf", 1.0))

    assert (index.note.kind, index.note.recall) == ("flat", 1.0)
    assert caplog.messages == [
        "Searching exactly: in 400 vectors, ivf finds less than 1 of the first results, or takes as long"
    ]


def test_an_index_is_built_with_the_parameters_that_are_asked_for() -> None:
    lists = build_index(MANY, IndexSettings("ivf", 0.5, lists=20), exact_bytes=FEW_BYTES)
    graph = build_index(MANY, IndexSettings("hnsw", 0.5, links=8, candidates=40), exact_bytes=FEW_BYTES)

    assert lists.note.parameters == {"lists": 20}
    assert graph.note.parameters == {"links": 8, "candidates": 40}


@pytest.mark.parametrize("rows", [0, 1, 2, 12])
@pytest.mark.parametrize("kind", ["auto", "ivf", "hnsw"])
def test_hardly_any_rows_will_do(rows: int, kind: str) -> None:
    index = build_index(VECTORS[:rows], IndexSettings(kind))

    assert len(index.nearest(VECTORS[0], 5, among=np.arange(rows))) == min(rows, 5)


def test_the_same_rows_make_the_same_lists(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        built("ivf").save(tmp_path / name / "index.faiss")

    for file in ("index.faiss", "index-approximate.faiss"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    EXACT.save(tmp_path / "index.faiss")

    loaded = VectorIndex.load(tmp_path / "index.faiss", EXACT.note)

    assert [path.name for path in tmp_path.iterdir()] == ["index.faiss"]
    assert (len(loaded), loaded.dim) == (60, 8)
    assert np.array_equal(loaded.vectors(), VECTORS)
    assert np.array_equal(loaded.vector(7), VECTORS[7])
    assert np.array_equal(loaded.rows([3, 1]), VECTORS[[3, 1]])


def test_an_approximate_index_comes_back_from_files_and_from_arrays(
    approximate: VectorIndex, tmp_path: Path
) -> None:
    approximate.save(tmp_path / "index.faiss")
    half = np.arange(0, 6_000, 2)

    copies = [VectorIndex.load(tmp_path / "index.faiss", approximate.note)]
    copies.append(VectorIndex.from_arrays(approximate.to_arrays()))

    for copy in copies:
        assert copy.note == approximate.note
        assert np.array_equal(copy.vectors(), MANY)
        for query in QUERIES:
            assert copy.nearest(query, 10) == approximate.nearest(query, 10)
            assert len(copy.nearest(query, 10, [4], half)) == 10


@pytest.mark.parametrize("file", ["index.faiss", "index-approximate.faiss"])
def test_a_file_that_is_no_index_is_refused(lists: VectorIndex, tmp_path: Path, file: str) -> None:
    lists.save(tmp_path / "index.faiss")
    (tmp_path / file).write_bytes(b"no index")

    with pytest.raises(CollectionError, match=f"expected a faiss index in .*{file}"):
        VectorIndex.load(tmp_path / "index.faiss", lists.note)


def test_files_of_different_rows_are_refused(lists: VectorIndex, tmp_path: Path) -> None:
    lists.save(tmp_path / "index.faiss")
    EXACT.save(tmp_path / "index.faiss")

    with pytest.raises(CollectionError, match=r"expected 60 rows in .*, found 6000; build with --from-scratch"):
        VectorIndex.load(tmp_path / "index.faiss", lists.note)


@given(
    st.lists(st.tuples(st.integers(1, 2_000), st.integers(1, 2_000)), max_size=4),
    st.floats(0, 1),
    st.dictionaries(st.sampled_from(["lists", "links"]), st.integers(1, 9)),
)
def test_a_note_comes_back_from_text(
    efforts: list[tuple[int, int]], share: float, parameters: dict[str, int]
) -> None:
    note = IndexNote(kind="ivf", parameters=parameters, efforts=tuple(efforts), recall=share)

    assert IndexNote.from_text(note.to_text()) == note

"""What a build decides to keep, to embed and to drop."""

from hypothesis import given
from hypothesis import strategies as st

from indexer.plan import make_plan
from indexer.records import IndexedImage, ListedImage

devkits = st.dictionaries(st.sampled_from([f"{letter}.jpg" for letter in "abcdef"]), st.sampled_from("1234567"))


def listed(devkit: dict[str, str]) -> list[tuple[ListedImage, str]]:
    return [(ListedImage(filename=name, split=None, objects=()), sha) for name, sha in sorted(devkit.items())]


def held(devkit: dict[str, str]) -> list[IndexedImage]:
    return [
        IndexedImage(filename=name, split=None, objects=(), image_id=row, sha256=sha, width=9, height=9)
        for row, (name, sha) in enumerate(sorted(devkit.items()))
    ]


def test_each_picture_has_one_fate() -> None:
    before = {"same.jpg": "1", "changed.jpg": "2", "old-name.jpg": "3", "gone.jpg": "4"}
    after = {"same.jpg": "1", "changed.jpg": "5", "new-name.jpg": "3", "new.jpg": "6"}

    plan = make_plan(listed(after), held(before), comparable=True)

    assert plan.wanted == {"5": "changed.jpg", "6": "new.jpg"}
    assert plan.renamed == {"new-name.jpg"}
    assert plan.removed == {"gone.jpg"}


def test_nothing_is_kept_where_embeddings_would_not_compare() -> None:
    plan = make_plan(listed({"a.jpg": "1"}), held({"a.jpg": "1"}), comparable=False)

    assert plan.wanted == {"1": "a.jpg"}
    assert not plan.kept


@given(devkits, devkits)
def test_every_listed_content_is_either_kept_or_wanted(before: dict[str, str], after: dict[str, str]) -> None:
    plan = make_plan(listed(after), held(before), comparable=True)

    assert set(plan.wanted) == set(after.values()) - set(before.values())
    assert set(after.values()) <= set(plan.wanted) | set(plan.kept)
    assert plan.removed <= set(before) - set(after)
    assert plan.renamed <= set(after) - set(before)
    assert all(after[name] in before.values() for name in plan.renamed)

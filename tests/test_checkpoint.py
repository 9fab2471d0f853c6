"""Heads on disk: whole or refused in one line, the former kept, nothing half written."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from indexer.collection import Collection
from localizer import checkpoint
from localizer.checkpoint import StoredHead
from localizer.errors import HeadError, NoHeadError
from localizer.predict import Localizer


def head(number: int) -> StoredHead:
    return StoredHead(
        task="main",
        fingerprint="f" * 64,
        classes=("cat", "dog"),
        state={"weight": torch.full((2, 3), float(number))},
        card={"seconds": 1.5},
    )


def test_a_head_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, head(7))

    loaded = checkpoint.load(tmp_path, "main", "f" * 64)

    assert loaded.classes == ("cat", "dog")
    assert torch.equal(loaded.state["weight"], torch.full((2, 3), 7.0))
    assert loaded.digest == head(7).digest
    assert loaded.card["seconds"] == 1.5


def test_the_last_head_is_in_use_and_the_former_is_kept(tmp_path: Path) -> None:
    folders = [checkpoint.save(tmp_path, head(number)) for number in range(4)]

    assert checkpoint.load(tmp_path, "main", "f" * 64).state["weight"][0, 0] == 3
    assert [folder.is_dir() for folder in folders] == [False, False, True, True]


def test_no_head_says_how_to_train_one(tmp_path: Path) -> None:
    expected = f"expected a trained head in {tmp_path}, found none; train one: python -m localizer train"

    with pytest.raises(NoHeadError, match=re.escape(expected)):
        checkpoint.load(tmp_path, "detect", "f" * 64)


def test_a_head_of_another_collection_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, head(1))

    with pytest.raises(HeadError, match=r"fingerprint 000000000000, found one for ffffffffffff .*localizer train"):
        checkpoint.load(tmp_path, "main", "0" * 64)


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("head.safetensors", b"", "its checksum is not that of its card"),
        ("head.safetensors", None, "expected a head's weights"),
        ("head.json", b"{", "expected a head's card"),
        ("head.json", b"[]", "expected format version 1 in .*, found None"),
        ("head.json", b'{"format_version": 9}', "expected format version 1 in .*, found 9"),
        ("head.json", None, "expected a head's card"),
    ],
)
def test_a_damaged_head_is_refused_in_one_line(
    tmp_path: Path, file: str, content: bytes | None, expected: str
) -> None:
    folder = checkpoint.save(tmp_path, head(1))
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)

    with pytest.raises(HeadError, match=expected) as refused:
        checkpoint.load(tmp_path, "main", "f" * 64)

    assert "\n" not in str(refused.value)
    assert "python -m localizer train" in str(refused.value)


def test_a_card_that_was_edited_is_refused(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, head(1))
    card = json.loads((folder / "head.json").read_text())
    (folder / "head.json").write_text(json.dumps({**card, "classes": ["dog", "cat"]}))

    with pytest.raises(HeadError, match="was changed after it was written"):
        checkpoint.load(tmp_path, "main", "f" * 64)


def test_a_disk_that_fills_leaves_the_former_head_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, head(1))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path, head(2))

    assert checkpoint.load(tmp_path, "main", "f" * 64).state["weight"][0, 0] == 1
    assert [path.name for path in (tmp_path / "heads" / "main").iterdir()] == ["000001"]


def test_what_an_interrupted_save_left_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "heads" / "main" / "building").mkdir(parents=True)
    (tmp_path / "heads" / "main" / "building" / "head.json").write_text("{")

    checkpoint.save(tmp_path, head(1))

    assert [path.name for path in (tmp_path / "heads" / "main").iterdir()] == ["000001"]


def test_weights_of_another_network_are_refused_in_one_line(own_trained_path: Path) -> None:
    with Collection.open(own_trained_path) as collection:
        for task in ("main", "detect"):
            stored = checkpoint.load(own_trained_path, task, collection.manifest.fingerprint)
            checkpoint.save(own_trained_path, replace(stored, state={"weight": torch.zeros(1)}))

        with pytest.raises(HeadError, match=r"of another version; train the head anew") as refused:
            Localizer.open(collection)

    assert "\n" not in str(refused.value)


def test_a_head_that_does_not_fit_is_left_out_beside_one_that_does(
    own_trained_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint.save(own_trained_path, replace(head(1), task="detect"))

    with Collection.open(own_trained_path) as collection:
        localizer = Localizer.open(collection)

    assert localizer.main is not None
    assert localizer.detector is None
    assert "expected a head trained on vectors of fingerprint" in caplog.text

"""What the commands that evaluate keep beside a generation, for pages to show."""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from indexer import retrieval_record
from indexer.__main__ import main as indexer_commands
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.errors import CollectionError
from indexer.sealed import content_sha256
from localizer import checkpoint, evaluation_record
from localizer.__main__ import main as localizer_commands
from localizer.average_precision import Curve

RECORDS = {"retrieval": retrieval_record.load, "evaluation": evaluation_record.load}


@pytest.fixture
def evaluated(evaluated_path: Path) -> Iterator[Collection]:
    """The collection that was evaluated, open."""
    with Collection.open(evaluated_path) as opened:
        yield opened


@pytest.fixture
def own_evaluated(tmp_path: Path, evaluated_path: Path) -> Iterator[Collection]:
    """A copy of it, open, to change at will."""
    with Collection.open(Path(shutil.copytree(evaluated_path, tmp_path / "evaluated"))) as opened:
        yield opened


def stored(collection: Collection, name: str) -> Path:
    return collection.path / "derived" / collection.folder.name / f"{name}.json"


def test_retrieval_comes_back_as_the_command_told_it(own_evaluated: Collection) -> None:
    told = CliRunner().invoke(indexer_commands, ["evaluate", "--collection", str(own_evaluated.path), "--json"])

    record = retrieval_record.load(own_evaluated)
    report = json.loads(told.stdout)
    assert record is not None
    assert (record.queries, record.gallery) == ("val", "train")
    assert set(record.modes) == {"visual", "semantic"}
    for mode, part in (("visual", report), ("semantic", report["semantic"])):
        assert record.modes[mode].main_class.to_json() == part["main_class"]
        assert record.modes[mode].shares_class.to_json() == part["shares_class"]
    assert record.semantic_source == checkpoint.digests(
        own_evaluated.path, own_evaluated.manifest.fingerprint
    )["main"]  # fmt: skip


def test_the_heads_evaluation_comes_back_as_the_command_told_it(own_evaluated: Collection) -> None:
    told = CliRunner().invoke(localizer_commands, ["evaluate", "--collection", str(own_evaluated.path), "--json"])

    record = evaluation_record.load(own_evaluated)
    assert record is not None
    assert (record.split, record.trained_on) == ("val", "train")
    assert record.figures == json.loads(told.stdout)
    assert record.heads == checkpoint.digests(own_evaluated.path, own_evaluated.manifest.fingerprint)
    assert set(record.curves) == set(record.figures["detector"]["per_class"])
    assert all(len(curve) == evaluation_record.RECALLS for curve in record.curves.values())


def test_verdicts_matrix_and_figures_tell_the_same(evaluated: Collection) -> None:
    record = evaluation_record.load(evaluated)

    assert record is not None
    asked = {one.image_id: one for one in evaluated.all_images() if one.split == "val" and one.main_object}
    assert [one.image_id for one in record.verdicts] == sorted(asked)
    pairs = Counter((one.true_class, one.predicted_class) for one in record.verdicts)
    told = {
        (true, predicted): count
        for true, row in zip(record.classes, record.confusion, strict=True)
        for predicted, count in zip(record.classes, row, strict=True)
        if count
    }
    assert told == dict(pairs)
    right = [one.right for one in record.verdicts]
    assert np.mean(right) == pytest.approx(record.figures["main_object"]["class_and_iou_50"])
    for one in record.verdicts:
        image = asked[one.image_id]
        assert image.main_object is not None
        assert one.true_class == image.main_object.class_name
        assert one.right == (one.true_class == one.predicted_class and one.iou >= 0.5)
        assert not (one.another and one.right)
        assert 0 <= one.box[0] < one.box[2] <= image.width
        assert 0 <= one.box[1] < one.box[3] <= image.height


def test_verdicts_are_had_by_image(evaluated: Collection, collection: Collection) -> None:
    record = evaluation_record.load(evaluated)

    assert record is not None
    assert evaluation_record.load_verdicts(evaluated) == {
        one.image_id: not one.mistaken for one in record.verdicts
    }
    assert evaluation_record.load_verdicts(collection) is None


@pytest.mark.parametrize("name", RECORDS)
def test_damage_is_told_in_one_line(own_evaluated: Collection, name: str) -> None:
    path = stored(own_evaluated, name)
    whole = path.read_text()

    for damaged in (whole.replace("0.", "0.1", 1), whole[:-9], "", "[]", "{}", "\x00"):
        path.write_text(damaged)
        with pytest.raises(CollectionError, match=r"is damaged: expected a record.*delete that file") as raised:
            RECORDS[name](own_evaluated)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_another_version_says_what_to_run(own_evaluated: Collection, name: str) -> None:
    content = {"modes": {}, "verdicts": [], "novelty": 1}
    stored(own_evaluated, name).write_text(json.dumps({"sha256": content_sha256(content), "content": content}))

    with pytest.raises(CollectionError, match="evaluate anew: python -m"):
        RECORDS[name](own_evaluated)


def test_the_records_of_another_generation_are_not_taken(
    own_evaluated: Collection, devkit: Path, request_build: Callable[..., BuildRequest]
) -> None:
    build(request_build(own_evaluated.path, voc_root=devkit, split="trainval"))
    build(request_build(own_evaluated.path, voc_root=devkit, split="val"))

    with Collection.open(own_evaluated.path) as newest:
        assert newest.manifest.generation > own_evaluated.manifest.generation
        assert [load(newest) for load in RECORDS.values()] == [None, None]


@pytest.mark.parametrize("commands", [indexer_commands, localizer_commands], ids=["indexer", "localizer"])
def test_where_nothing_can_be_written_the_figures_come_with_a_warning(
    own_trained_path: Path, commands: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)  # whatever a quiet command before left it at
    shutil.rmtree(own_trained_path / "derived")
    (own_trained_path / "derived").write_text("in the way of a folder")

    result = CliRunner().invoke(commands, ["evaluate", "--collection", str(own_trained_path), "--json"])  # type: ignore[arg-type]

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)
    (warning,) = [one.getMessage() for one in caplog.records if "not kept" in one.getMessage()]
    assert "\n" not in warning


def test_a_curve_is_kept_as_its_best_precision_from_each_recall_on() -> None:
    curve = Curve(np.array([1.0, 0.5, 2 / 3, 0.5]), np.array([1 / 3, 1 / 3, 2 / 3, 2 / 3]), objects=3)

    kept = curve.best_at(np.array([0, 1 / 3, 0.34, 2 / 3, 0.7, 1]))

    assert kept.tolist() == pytest.approx([1, 1, 2 / 3, 2 / 3, 0, 0])
    assert Curve(np.empty(0), np.empty(0), objects=3).best_at(np.array([0.0, 1.0])).tolist() == [0, 0]

"""One's own folder can be trained on: without lists, with lists of any name, of one class, of few pictures."""

import json
import logging
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from indexer import images as images_of_files
from indexer import sample, voc
from indexer.__main__ import main as indexer_commands
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.errors import DatasetError
from indexer.semantic_index import SemanticIndex
from indexer.splits import split_to_judge_by, split_to_learn_from
from localizer.__main__ import main as localizer_commands
from localizer.baselines import baselines
from localizer.boxes import iou
from localizer.examples import read_examples
from localizer.settings import Settings
from localizer.tasks import MainObjectTask
from search_service.engine import SearchEngine
from search_service.settings import Settings as ServiceSettings
from tests.conftest import client_of

Request = Callable[..., BuildRequest]
PACKAGES = {"indexer": indexer_commands, "localizer": localizer_commands}


def run(package: str, *arguments: object) -> Result:
    return CliRunner().invoke(PACKAGES[package], [str(argument) for argument in arguments])


def run_json(package: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the command prints
    result = run(package, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(package: str, *arguments: object) -> str:
    """The one line that a command ends with."""
    result = run(package, *arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.output
    return result.stderr


def draw(root: Path, images: int, classes: Sequence[str], lists: Mapping[str, range] | None = None) -> Path:
    """A devkit whose pictures are of these classes in turn, each with one object, and of these lists alone."""
    sample.draw_devkit(root, images, seed=5)
    shutil.rmtree(root / "ImageSets")
    for number, image in enumerate(voc.read_split(root).images):
        label = replace(image.objects[0], class_name=classes[number % len(classes)])
        picture = images_of_files.load(voc.picture_path(root, image.filename))
        voc.write_annotation(root, replace(image, objects=(label,)), picture.width, picture.height)
    for name, numbers in (lists or {}).items():
        path = root / "ImageSets" / "Main" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{number:06d}\n" for number in numbers))
    return root


def train(path: Path, *more: object) -> Any:  # noqa: ANN401 - the summary
    return run_json("localizer", "train", "--collection", path, "--epochs", 2, *more)


@pytest.fixture(scope="module")
def cups(tmp_path_factory: pytest.TempPathFactory, request_build: Request) -> Path:
    """A collection of one class without lists, with both heads, objects and evaluations; nobody may change it."""
    folder = tmp_path_factory.mktemp("cups")
    devkit = draw(folder / "VOCdevkit", 30, ["cup"])
    build(request_build(folder / "collection", voc_root=devkit, index_objects=True))
    for task in ("main", "detect"):
        train(folder / "collection", "--task", task)
    for package in PACKAGES:
        assert run(package, "evaluate", "--collection", folder / "collection").exit_code == 0
    return folder / "collection"


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory, request_build: Request) -> Path:
    """A collection of two classes whose only list is of another name than VOC's; nobody may change it."""
    folder = tmp_path_factory.mktemp("listed")
    devkit = draw(folder / "VOCdevkit", 24, ["cup", "mug"], {"my list": range(24)})
    build(request_build(folder / "collection", voc_root=devkit, split="my list"))
    return folder / "collection"


@pytest.fixture
def own_listed(tmp_path: Path, listed: Path) -> Path:
    """A copy of it to change at will."""
    return Path(shutil.copytree(listed, tmp_path / "listed"))


def test_of_one_class_boxes_are_learned(cups: Path) -> None:
    with Collection.open(cups) as collection:
        examples = read_examples(collection, "train", "map", collection.manifest.classes)

    *_, last = MainObjectTask(1, Settings(epochs=40)).train(examples)

    judged = MainObjectTask(1, Settings(epochs=40)).judge(last.head, examples)
    mean_box = baselines(examples, examples, examples.class_ids)["mean_box"]
    assert judged.figures["mean_iou"] > iou(mean_box.boxes, examples.boxes).mean() + 0.1


def test_the_one_class_is_given(cups: Path, tmp_path: Path) -> None:
    with Collection.open(cups) as collection:
        picture = Path(collection.manifest.voc_root) / "JPEGImages" / "000000.jpg"

    [told] = run_json("localizer", "predict", picture, "--collection", cups, "--out", tmp_path)

    assert (told["class"], told["probability"]) == ("cup", 1)
    assert told["candidates"] == [{"class": "cup", "probability": 1}]
    assert {one["class"] for one in told["objects"]} <= {"cup"}


def test_one_class_is_evaluated_and_reported(cups: Path, tmp_path: Path) -> None:
    found = run_json("localizer", "evaluate", "--collection", cups)
    searched = run_json("indexer", "evaluate", "--collection", cups)
    reported = run("localizer", "report", "--collection", cups, "--out", tmp_path)

    assert found["split"] == "val"
    assert found["main_object"]["class_accuracy"] == 1
    assert found["main_object"]["baselines"]["majority_class"]["class_accuracy"] == 1
    assert list(found["detector"]["per_class"]) == ["cup"]
    assert searched["semantic"]["shares_class"]["map"] == searched["shares_class"]["chance"]["map"] == 1
    assert reported.exit_code == 0, reported.output


def test_with_one_class_semantic_search_ranks_by_looks(cups: Path) -> None:
    with Collection.open(cups) as collection:
        index = SemanticIndex.load(collection)
        assert index is not None

        for image_id in range(len(collection)):
            semantic = [hit.image_id for hit in index.nearest(index.vector(image_id), 10)]
            visual = [hit.image_id for hit in collection.nearest(collection.vector(image_id), 10)]
            assert semantic == visual


def test_the_ablation_of_one_class_compares_boxes(cups: Path) -> None:
    rows = run_json("localizer", "train", "--collection", cups, "--ablation", "--epochs", 1)

    assert {row["taught"] for row in rows} == {"box"}
    assert len(rows) == 2 * 3


def test_one_class_without_a_box_is_nothing_to_learn(cups: Path) -> None:
    assert "expected a weight above 0 for box, found 0, and one class alone" in refused(
        "localizer", "train", "--collection", cups, "--box-weight", 0
    )


def test_a_service_answers_of_one_class(cups: Path) -> None:
    client = client_of(SearchEngine.open(ServiceSettings(collection=cups)))

    for address in ("/", "/quality", "/quality?class=cup", "/browse?class=cup", "/images/3"):
        assert client.get(address).status_code == 200, address
    answer = client.post("/api/v1/search", json={"image_id": 3, "k": 5}).get_json()
    objects = client.post("/api/v1/search", json={"image_id": 3, "k": 5, "target": "objects"}).get_json()

    assert answer["mode"] == "semantic"
    assert answer["localization"]["probability"] == 1
    assert {one["object"]["class"] for one in objects["results"]} == {"cup"}


def test_the_only_list_is_learned_from_whatever_its_name(
    own_listed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    summary = train(own_listed)

    assert (summary["split"], summary["examples"]) == ("my list", 24)
    assert "Taking split my list, as there is no train" in caplog.text
    assert "pictures of my list" in run("localizer", "train", "--collection", own_listed, "--epochs", 1).stdout


def test_with_one_list_evaluations_say_what_works(own_listed: Path, tmp_path: Path) -> None:
    train(own_listed)

    for package, command, option in (
        ("indexer", ["evaluate"], "--queries"),
        ("localizer", ["evaluate"], "--split"),
        ("localizer", ["report", "--out", tmp_path / "report"], "--split"),
    ):
        line = refused(package, *command, "--collection", own_listed)

        assert "expected annotated images in split 'val', found none; annotated splits: my list; list" in line
        [told] = [line.partition(f"judge by the same: {option} ")[2]]
        assert shlex.split(told) == ["my list"]
        assert run(package, *command, "--collection", own_listed, option, "my list").exit_code == 0


def test_with_one_list_the_ablation_says_that_it_needs_another(listed: Path) -> None:
    line = refused("localizer", "train", "--collection", listed, "--ablation", "--epochs", 1)

    assert line.endswith("list other annotated images in ImageSets/Main/val.txt, and build again\n")


def test_with_one_list_a_collection_is_kept_in_step(own_listed: Path) -> None:
    for task in ("main", "detect"):
        train(own_listed, "--task", task)
    assert run("localizer", "evaluate", "--collection", own_listed, "--split", "my list").exit_code == 0

    for task in ("main", "detect"):  # as scripts/reindex does with --train
        assert run("localizer", "train", "--collection", own_listed, "--task", task, "--quiet").exit_code == 0
    result = run("localizer", "align", "--collection", own_listed, "--quiet")

    assert (result.exit_code, result.output) == (0, "")
    assert len(list(own_listed.glob("heads/*/000002"))) == 2


def test_the_commands_that_the_quality_page_names_work_with_one_list(own_listed: Path) -> None:
    train(own_listed)
    client = client_of(SearchEngine.open(ServiceSettings(collection=own_listed)))
    page = unescape(client.get("/quality").get_data(as_text=True))

    for package, option in (("indexer", "--queries"), ("localizer", "--split")):
        command = f"python -m {package} evaluate --collection DIR {option} 'my list'"
        assert f"<code>{command}</code>" in page
        words = shlex.split(command.replace("DIR", shlex.quote(str(own_listed))))[3:]
        assert run(package, *words).exit_code == 0
    assert client.get("/quality").status_code == 200


def split_as(collection: Collection, monkeypatch: pytest.MonkeyPatch, *splits: str | None) -> None:
    """Give the collection's images these splits in turn."""
    images = [replace(image, split=splits[image.image_id % len(splits)]) for image in collection.all_images()]
    monkeypatch.setattr(collection, "all_images", lambda: images)


@pytest.mark.parametrize(
    ("splits", "former", "expected"),
    [
        (("train", "val"), None, "train"),
        (("val", "train", "other"), "other", "train"),
        (("default",), None, "default"),
        (("default", None), None, "default"),
        (("default",), "gone", "default"),
        (("a", "b"), "b", "b"),
    ],
)
def test_what_is_learned_from_where_nothing_is_named(
    collection: Collection,
    monkeypatch: pytest.MonkeyPatch,
    splits: tuple[str | None, ...],
    former: str | None,
    expected: str,
) -> None:
    split_as(collection, monkeypatch, *splits)

    assert split_to_learn_from(collection, None, "--train-split", former) == expected


@pytest.mark.parametrize(
    ("splits", "asked", "expected"),
    [
        (
            ("a", "b", "b"),
            None,
            "in split 'train', found none; annotated splits: b, a; choose one: --train-split b",
        ),
        (("a", "b"), "nosuch", "in split 'nosuch', found none; annotated splits: a, b"),
        (("train",), "", "in split '', found none; annotated splits: train"),
        ((None,), None, r"found all \d+ in none; list some in ImageSets/Main/train.txt, or remove all lists"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_with_what_can(
    collection: Collection,
    monkeypatch: pytest.MonkeyPatch,
    splits: tuple[str | None, ...],
    asked: str | None,
    expected: str,
) -> None:
    split_as(collection, monkeypatch, *splits)

    with pytest.raises(DatasetError, match=expected):
        split_to_learn_from(collection, asked, "--train-split", "gone")


@pytest.mark.parametrize(
    ("splits", "learned", "expected"),
    [
        (("train", "val", "test"), "train", "val"),
        (("train", "test"), "train", "test"),
        (("a", "b"), "b", "a"),
        (("train", "val"), "val", "val"),
    ],
)
def test_what_is_judged_by_where_nothing_is_named(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, splits: tuple[str, ...], learned: str, expected: str
) -> None:
    split_as(collection, monkeypatch, *splits)

    assert split_to_judge_by(collection, None, "--split", {learned}) == expected


def test_of_several_to_judge_by_one_has_to_be_chosen(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    split_as(collection, monkeypatch, "train", "easy", "easy", "hard")

    with pytest.raises(DatasetError, match=r"annotated splits: easy, train, hard; .*or choose one: --split easy"):
        split_to_judge_by(collection, None, "--split", {"train"})


def test_what_was_learned_from_one_of_several_lists_is_learned_from_it_again(
    tmp_path: Path, request_build: Request
) -> None:
    devkit = draw(tmp_path / "VOCdevkit", 24, ["cup", "mug"], {"val": range(6), "test": range(6, 24)})
    path = tmp_path / "collection"
    build(request_build(path, voc_root=devkit))
    assert "choose one: --train-split test" in refused("localizer", "train", "--collection", path)

    train(path, "--train-split", "test")
    again = train(path, "--task", "detect")

    assert again["split"] == "test"
    assert run_json("localizer", "evaluate", "--collection", path)["split"] == "val"


def test_lists_that_come_later_call_for_other_heads(tmp_path: Path, request_build: Request) -> None:
    devkit, path = draw(tmp_path / "VOCdevkit", 15, ["cup", "mug"]), tmp_path / "collection"
    build(request_build(path, voc_root=devkit))
    train(path)
    assert run("localizer", "evaluate", "--collection", path).exit_code == 0
    (devkit / "ImageSets/Main").mkdir(parents=True)
    (devkit / "ImageSets/Main/test.txt").write_text("".join(f"{number:06d}\n" for number in range(15)))
    build(request_build(path))

    assert "the split that the heads learned from, 'train', found it gone; train them anew" in refused(
        "localizer", "evaluate", "--collection", path
    )
    assert run("localizer", "align", "--collection", path).exit_code == 0
    assert train(path)["split"] == "test"


@pytest.mark.parametrize("classes", [["cup"], ["cup", "mug"]], ids=len)
@pytest.mark.parametrize("images", [3, 5])
def test_a_handful_of_pictures_is_enough(
    tmp_path: Path, request_build: Request, images: int, classes: list[str]
) -> None:
    path = tmp_path / "collection"
    build(request_build(path, voc_root=draw(tmp_path / "VOCdevkit", images, classes)))

    for task in ("main", "detect"):
        assert train(path, "--task", task)["split"] == "train"
    assert run("localizer", "align", "--collection", path).exit_code == 0
    if images == 3:
        assert "annotate more (of five and more that differ, some become val), and build again" in refused(
            "localizer", "evaluate", "--collection", path
        )
    assert run("localizer", "evaluate", "--collection", path, "--split", "train").exit_code == 0


def test_two_pictures_are_too_few_and_told_so(tmp_path: Path, request_build: Request) -> None:
    path = tmp_path / "collection"
    build(request_build(path, voc_root=draw(tmp_path / "VOCdevkit", 2, ["cup"])))

    assert "annotate three or more that differ" in refused("localizer", "train", "--collection", path)


def test_pictures_that_are_all_alike_are_told_so(tmp_path: Path, request_build: Request) -> None:
    devkit = draw(tmp_path / "VOCdevkit", 1, ["cup"])
    for folder, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".xml")):
        for number in range(1, 6):
            shutil.copy(devkit / folder / f"000000{suffix}", devkit / folder / f"{number:06d}{suffix}")
    build(request_build(tmp_path / "collection", voc_root=devkit))

    line = refused("localizer", "train", "--collection", tmp_path / "collection")

    assert "expected pictures that differ, found 6 that are near-duplicates" in line


def test_pictures_without_objects_are_passed_over(tmp_path: Path, request_build: Request) -> None:
    devkit, path = draw(tmp_path / "VOCdevkit", 18, ["cup", "mug"]), tmp_path / "collection"
    for number in range(6):
        (devkit / "Annotations" / f"{number:06d}.xml").unlink()
    empty = replace(voc.read_split(devkit).images[6], objects=())
    voc.write_annotation(devkit, empty, 500, 500)

    summary = build(request_build(path, voc_root=devkit))

    assert summary.made_split is not None
    assert summary.made_split["train"] + summary.made_split["val"] == 11
    assert train(path)["examples"] == summary.made_split["train"]
    with Collection.open(path) as collection:
        assert [image.split for image in collection.all_images()[:7]] == [None] * 7
        assert np.isfinite(collection.vectors()).all()

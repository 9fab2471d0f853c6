"""The localizer's commands as they are typed: what they print, write, and end with."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from indexer.collection import Collection
from localizer.__main__ import main
from localizer.predict import Localizer
from search_service.__main__ import main as service

FIGURES = {"class_accuracy", "mean_iou", "iou_50", "iou_75", "class_and_iou_50", "corloc"}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_json(*arguments: object) -> Any:  # noqa: ANN401 - whatever the command prints
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def pictures(pictures: Path) -> Path:
    """The three pictures of that folder, and files that are none."""
    (pictures / "broken.jpg").write_bytes(b"no picture")
    (pictures / "notes.txt").write_text("not looked at")
    return pictures


def test_train_shows_each_epoch_and_publishes(tmp_path: Path, collection_path: Path) -> None:
    path = Path(shutil.copytree(collection_path, tmp_path / "collection"))

    result = run("train", "--collection", path, "--epochs", 2)

    assert result.exit_code == 0, result.output
    held, everything = (
        [line for line in result.stderr.splitlines() if words in line] for words in ("held aside", "on all")
    )
    assert len(held) == 2
    assert everything
    assert all(word in held[0] for word in ("epoch   1 of 2", "loss", "class right", "mean IoU"))
    assert "published:" in result.stdout
    with Collection.open(path) as collection:
        assert Localizer.open(collection).detector is None


def test_the_articles_pair_is_a_flag_away(tmp_path: Path, collection_path: Path) -> None:
    path = Path(shutil.copytree(collection_path, tmp_path / "collection"))

    summary = run_json("train", "--collection", path, "--input", "vector", "--box-loss", "mse", "--epochs", 2)

    assert summary["task"] == "main"
    card = json.loads((Path(summary["folder"]) / "head.json").read_text())
    assert (card["settings"]["given"], card["settings"]["box_loss"]) == ("vector", "mse")


def test_quiet_training_says_nothing(tmp_path: Path, collection_path: Path) -> None:
    path = Path(shutil.copytree(collection_path, tmp_path / "collection"))

    result = run("train", "--collection", path, "--epochs", 1, "--task", "detect", "--quiet")

    assert (result.exit_code, result.output) == (0, "")


def test_a_collection_that_is_none_ends_in_one_line(tmp_path: Path) -> None:
    result = run("train", "--collection", tmp_path / "nowhere")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: expected a collection in")
    assert result.stderr.count("\n") == 1


def test_the_ablation_compares_every_loss_and_input(collection_path: Path) -> None:
    rows = run_json("train", "--collection", collection_path, "--ablation", "--epochs", 1)

    assert len(rows) == 2 * (1 + 3 + 3)
    assert {row["taught"] for row in rows} == {"class", "box", "both"}
    alone = next(row for row in rows if row["taught"] == "class")
    assert alone["mean"]["mean_iou"] is None
    assert 0 <= alone["mean"]["class_accuracy"] <= 1
    assert not (collection_path / "heads").exists()


def test_evaluate_gives_all_figures_beside_baselines(own_trained_path: Path) -> None:
    found = run_json("evaluate", "--collection", own_trained_path)

    main_object, detector = found["main_object"], found["detector"]
    assert set(main_object) >= FIGURES
    assert set(main_object["intervals"]) == FIGURES
    assert set(main_object["baselines"]) == {
        "majority_class", "mean_box", "class_mean_box", "nearest_neighbour",
    }  # fmt: skip
    assert all(set(figures) >= FIGURES for figures in main_object["per_class"].values())
    assert 0 <= detector["map_50"] <= 1
    assert set(next(iter(detector["per_class"].values()))) == {"ap_50", "objects"}
    assert found["train_seconds"] == main_object["train_seconds"] + detector["train_seconds"]


def test_evaluate_prints_tables(own_trained_path: Path) -> None:
    text = run("evaluate", "--collection", own_trained_path, "--split", "train").stdout

    assert text.startswith("main object, ")
    assert all(words in text for words in ("nearest neighbour", "95 % interval", "AP@0.5", "calibration error"))


def test_evaluate_without_a_head_says_what_to_run(collection_path: Path) -> None:
    result = run("evaluate", "--collection", collection_path)

    assert result.exit_code == 1
    assert "python -m localizer train --collection" in result.stderr


def test_predict_draws_and_prints(tmp_path: Path, trained_path: Path, pictures: Path) -> None:
    result = run(
        "predict", pictures / "a.jpg", pictures / "b.JPG", "--collection", trained_path, "--out", tmp_path
    )

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].split() == ["file", "class", "probability", "IoU", "box", "drawn"]
    with Image.open(tmp_path / "a.jpg") as drawn, Image.open(pictures / "a.jpg") as original:
        assert drawn.size == original.size


def test_predict_tells_of_files_it_cannot_read_and_goes_on(
    tmp_path: Path, trained_path: Path, pictures: Path
) -> None:
    files = [pictures / name for name in ("missing.jpg", "broken.jpg", "a.jpg")]

    result = run("predict", *files, "--collection", trained_path, "--out", tmp_path, "--json")

    assert result.exit_code == 1
    assert [Path(one["file"]).name for one in json.loads(result.stdout)] == ["a.jpg"]
    assert [line.split(": ")[0] for line in result.stderr.splitlines()[-2:]] == ["error", "error"]


def test_predicted_pictures_of_one_name_do_not_replace_each_other(
    tmp_path: Path, trained_path: Path, pictures: Path
) -> None:
    shutil.copy(pictures / "b.JPG", pictures / "deeper" / "a.jpg")

    run(
        "predict",
        pictures / "a.jpg",
        pictures / "deeper" / "a.jpg",
        "--collection",
        trained_path,
        "--out",
        tmp_path,
    )

    assert {path.name for path in tmp_path.glob("*.jpg")} == {"a.jpg", "a-2.jpg"}


def test_align_tells_what_it_worked_out(own_trained_path: Path) -> None:
    shutil.rmtree(own_trained_path / "derived")

    result = run("align", "--collection", own_trained_path)

    assert result.stdout == "worked out anew: semantic index\n"
    assert run("align", "--collection", own_trained_path).stdout == "all in step\n"
    assert list(own_trained_path.glob("derived/*/semantic.npz"))


def test_reindex_brings_the_semantic_index_in_step_in_silence(own_trained_path: Path) -> None:
    shutil.rmtree(own_trained_path / "derived")

    result = reindex(own_trained_path)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert list(own_trained_path.glob("derived/*/semantic.npz"))


def test_reindex_trains_both_heads_anew_on_request(own_trained_path: Path) -> None:
    result = reindex(own_trained_path, "--train")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    heads = {str(path.relative_to(own_trained_path)) for path in own_trained_path.glob("heads/*/*")}
    assert heads == {f"heads/{task}/00000{number}" for task in ("main", "detect") for number in (1, 2)}


def reindex(collection: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    script = Path(__file__).parents[1] / "scripts" / "reindex"
    arguments = [str(script), "--collection", str(collection), *more]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def test_query_tells_what_is_in_the_picture(trained_path: Path, pictures: Path) -> None:
    arguments = ["query", str(pictures / "a.jpg"), "--collection", str(trained_path), "-k", "2"]

    text = CliRunner().invoke(service, arguments).stdout
    semantic = json.loads(CliRunner().invoke(service, [*arguments, "--json"]).stdout)
    visual = json.loads(CliRunner().invoke(service, [*arguments, "--mode", "visual", "--json"]).stdout)

    assert " at " in text.splitlines()[0]
    assert (semantic["mode"], visual["mode"]) == ("semantic", "visual")
    assert semantic["localization"]["class"]

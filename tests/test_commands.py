"""The commands as a shell sees them: output, exit codes, one line for an error."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

import indexer.__main__
import search_service.__main__
from indexer import sample
from indexer.command_line import table

HOME = Path(__file__).parents[1]


def run_indexer(*arguments: object) -> Result:
    return CliRunner().invoke(indexer.__main__.main, list(map(str, arguments)))


def run_service(*arguments: object) -> Result:
    return CliRunner().invoke(search_service.__main__.main, list(map(str, arguments)))


def small_build(devkit: Path, collection: Path, weights: Path, *more: object) -> Result:
    backbone = ("--backbone", "resnet50", "--weights", weights, "--side", 64)
    return run_indexer("build", "--voc-root", devkit, "--collection", collection, *backbone, *more)


def test_build_says_what_it_did_in_json(own_devkit: Path, tmp_path: Path, resnet50_weights: Path) -> None:
    (own_devkit / "JPEGImages/000005.jpg").write_bytes(b"no picture")

    result = small_build(own_devkit, tmp_path / "c", resnet50_weights, "--json")

    summary = json.loads(result.stdout)
    assert result.exit_code == 0
    assert set(summary) >= {
        "embedded", "reused", "renamed", "removed", "skipped", "images",
        "generation", "seconds", "images_per_second",
    }  # fmt: skip
    assert (summary["embedded"], summary["images"], summary["generation"]) == (11, 11, 1)
    (skipped,) = summary["skipped"]
    assert set(skipped) == {"file", "reason"}
    assert skipped["file"] == "000005.jpg"


def test_build_says_what_it_did_to_people(own_devkit: Path, tmp_path: Path, resnet50_weights: Path) -> None:
    result = small_build(own_devkit, tmp_path / "c", resnet50_weights)

    assert "12 embedded, 0 reused, 0 renamed, 0 removed, 0 skipped" in result.stdout
    assert "generation 1 published: 12 images" in result.stdout


def test_quiet_build_says_nothing(own_devkit: Path, tmp_path: Path, resnet50_weights: Path) -> None:
    result = small_build(own_devkit, tmp_path / "c", resnet50_weights, "--quiet")

    assert result.exit_code == 0
    assert result.output == ""


def test_inspect_lists_the_facts(collection_path: Path) -> None:
    facts = json.loads(run_indexer("inspect", "--collection", collection_path, "--json").stdout)
    text = run_indexer("inspect", "--collection", collection_path).stdout

    assert facts["images"] == 40
    assert facts["splits"] == {"train": 27, "val": 13}
    assert facts["backbone"] == "resnet50"
    assert facts["map_shape"] == [128, 2, 2]
    assert facts["fine_map_shape"] == [32, 4, 4]
    assert (facts["index"], facts["index_asked"], facts["recall_at_10"]) == ("flat", "auto", 1.0)
    assert 0 < facts["query_ms"] < 1_000
    assert sum(facts["classes"].values()) == facts["objects"]
    assert facts["bytes"] > 40 * facts["vector_dim"] * 4
    assert facts["embedded_with"] in (["openvino bf16"], ["openvino fp32"])
    assert all(name in text for name in facts)
    assert f"embedded_with       {facts['embedded_with'][0]}\n" in text
    assert "object_index        no\n" in text


def test_build_takes_what_is_asked_of_the_index(own_devkit: Path, tmp_path: Path, resnet50_weights: Path) -> None:
    asked = ("--index", "hnsw", "--recall", 0.8, "--storage", "float32")

    refused = small_build(own_devkit, tmp_path / "c", resnet50_weights, "--recall", 0)
    built = small_build(own_devkit, tmp_path / "c", resnet50_weights, *asked)

    facts = json.loads(run_indexer("inspect", "--collection", tmp_path / "c", "--json").stdout)
    text = run_indexer("inspect", "--collection", tmp_path / "c").stdout
    assert (refused.exit_code, built.exit_code) == (2, 0)
    assert (facts["index"], facts["index_storage"], facts["recall_asked"]) == ("hnsw", "float32", 0.8)
    assert "links 16, candidates 100, to 16: 16" in text


def test_evaluate_prints_scores_beside_chance(tmp_path: Path, collection_path: Path) -> None:
    path = shutil.copytree(collection_path, tmp_path / "collection")

    report = json.loads(run_indexer("evaluate", "--collection", path, "--json").stdout)
    text = run_indexer("evaluate", "--collection", path, "--queries", "train").stdout

    for part in ("main_class", "shares_class"):
        assert set(report[part]) >= {
            "precision_at_1", "precision_at_5", "precision_at_10", "map", "chance", "per_class",
        }  # fmt: skip
        assert set(report[part]["chance"]) == {"precision_at_1", "precision_at_5", "precision_at_10", "map"}
    assert "same main class, " in text
    assert "chance" in text


def test_query_finds_without_http(collection_path: Path, devkit: Path) -> None:
    picture = devkit / "JPEGImages/000009.jpg"

    body = json.loads(run_service("query", picture, "--collection", collection_path, "-k", 3, "--json").stdout)
    text = run_service("query", picture, "--collection", collection_path, "-k", 3).stdout

    assert body["results"][0]["filename"] == "000009.jpg"
    assert len(body["results"]) == 3
    assert text.splitlines()[0].split() == ["file", "score", "classes"]
    assert text.splitlines()[1].startswith("000009.jpg  1.000")


def test_sample_draws_a_devkit(tmp_path: Path) -> None:
    result = run_indexer("sample", "--into", tmp_path / "VOCdevkit", "--images", 3)

    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "VOCdevkit/JPEGImages").iterdir()) == [
        "000000.jpg", "000001.jpg", "000002.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("build", "--collection", "none"), "give --voc-root"),
        (("build", "--collection", "none", "--voc-root", "nowhere"), "expected a folder JPEGImages in nowhere"),
        (("inspect", "--collection", "none"), "expected a collection in none, found none"),
        (("evaluate", "--collection", "none"), "expected a collection in none, found none"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = run_indexer(*arguments)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr


def test_serving_what_is_not_there_is_one_line_too(tmp_path: Path) -> None:
    result = run_service("serve", "--collection", tmp_path / "c")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: expected a collection in {tmp_path}/c")


def test_a_query_with_what_is_no_picture_is_one_line(collection_path: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")

    result = run_service("query", tmp_path / "a.jpg", "--collection", collection_path)

    assert result.exit_code == 1
    assert result.stderr.startswith("error: expected a picture")


def test_a_busy_collection_has_an_exit_code_of_its_own(
    own_devkit: Path, tmp_path: Path, resnet50_weights: Path
) -> None:
    (tmp_path / "c").mkdir()

    with FileLock(tmp_path / "c/build.lock"):
        result = small_build(own_devkit, tmp_path / "c", resnet50_weights)

    assert result.exit_code == 75
    assert "another build is running" in result.stderr


def test_reindex_is_quiet_without_a_terminal_and_brings_a_collection_in_step(
    own_devkit: Path, tmp_path: Path, resnet50_weights: Path
) -> None:
    small_build(own_devkit, tmp_path / "c", resnet50_weights)
    (own_devkit / "JPEGImages/000001.jpg").unlink()

    run = subprocess.run(
        [HOME / "scripts/reindex", "--collection", "c"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert json.loads(run_indexer("inspect", "--collection", tmp_path / "c", "--json").stdout)["images"] == 11


def test_ctrl_c_stops_in_one_line_and_the_work_is_taken_up(tmp_path: Path) -> None:
    devkit = sample.draw_devkit(tmp_path / "VOCdevkit", images=200, seed=1)  # enough to be at work for a while
    arguments = ["build", "--voc-root", devkit, "--collection", tmp_path / "c", "--backbone", "efficientnet_lite2"]
    arguments += ["--runtime", "torch"]  # the slower one
    build = subprocess.Popen(
        [sys.executable, "-m", "indexer", *map(str, arguments)], stderr=subprocess.PIPE, text=True, cwd=HOME
    )
    staged = tmp_path / "c" / "building"
    deadline = time.monotonic() + 180
    while not list(staged.glob("*/piece-*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)

    os.kill(build.pid, signal.SIGINT)
    _, said = build.communicate(timeout=180)
    summary = json.loads(run_indexer(*arguments, "--json").stdout)

    assert build.returncode == 130
    assert said.splitlines()[-1] == "Stopped; what is done is kept. Run the same command to go on."
    assert summary["resumed"] > 0
    assert summary["images"] == 200


def test_a_table_aligns_its_columns() -> None:
    assert table([("a", 1), ("bcd", 100)], ("name", "n")) == "name    n\na       1\nbcd   100"

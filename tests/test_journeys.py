"""The whole way with real parts: pictures to answers, by the commands a user would type."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from search_service.engine import SearchEngine
from search_service.records import IndexedPicture, Query, Wishes
from search_service.settings import Settings

HOME = Path(__file__).parents[1]


def run(*command: object) -> str:
    finished = subprocess.run(list(map(str, command)), cwd=HOME, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def run_module(*arguments: object) -> str:
    return run(sys.executable, "-m", *arguments)


def test_the_way_of_quickstart_from_nothing_to_an_answer(tmp_path: Path) -> None:
    devkit, collection = tmp_path / "VOCdevkit", tmp_path / "collection"

    run_module("indexer", "sample", "--into", devkit, "--images", 120)
    built = json.loads(
        run_module(
            "indexer", "build", "--voc-root", devkit, "--collection", collection,
            "--backbone", "efficientnet_lite2", "--json",
        )
    )  # fmt: skip
    answer = json.loads(
        run_module(
            "search_service", "query", devkit / "JPEGImages/000011.jpg", "--collection", collection, "--json"
        )
    )
    report = json.loads(run_module("indexer", "evaluate", "--collection", collection, "--json"))

    assert (built["embedded"], built["skipped"]) == (120, [])
    assert answer["results"][0]["filename"] == "000011.jpg"
    assert answer["results"][0]["score"] > 0.99
    assert report["main_class"]["map"] > 2 * report["main_class"]["chance"]["map"]


@pytest.mark.skipif("VOC_ROOT" not in os.environ, reason="VOC_ROOT names no Pascal VOC devkit")
def test_real_pictures_find_pictures_of_their_kind(tmp_path: Path) -> None:
    collection = tmp_path / "collection"
    build = (
        "indexer", "build", "--voc-root", os.environ["VOC_ROOT"], "--collection", collection,
        "--backbone", "efficientnet_lite2", "--json",
    )  # fmt: skip

    built = json.loads(run_module(*build))
    again = json.loads(run_module(*build))
    report = json.loads(run_module("indexer", "evaluate", "--collection", collection, "--json"))
    run_module("localizer", "train", "--collection", collection, "--epochs", "4", "--quiet")
    run_module("localizer", "train", "--collection", collection, "--task", "detect", "--epochs", "3", "--quiet")
    heads = json.loads(run_module("localizer", "evaluate", "--collection", collection, "--json"))
    held = json.loads(run_module("indexer", "evaluate", "--collection", collection, "--gallery", "val", "--json"))

    assert built["embedded"] == built["images"] == again["reused"]
    assert again["embedded"] == 0
    assert report["shares_class"]["precision_at_10"] >= 0.87
    assert report["main_class"]["map"] >= 0.50
    assert heads["main_object"]["class_and_iou_50"] >= 0.6
    assert heads["detector"]["map_50"] >= 0.33
    assert held["semantic"]["shares_class"]["map"] >= 0.8 > held["shares_class"]["map"]
    least = {"half_size": 0.95, "middle_quarter": 0.85, "grey": 0.99, "mirror": 0.99, "crop": 0.99}
    assert all(held["copies"]["semantic"][kind]["first"] >= share for kind, share in least.items())
    assert all(
        held["copies"]["near_duplicates"]["recall"][kind] >= 0.95 for kind in least.keys() - {"middle_quarter"}
    )
    assert held["copies"]["near_duplicates"]["false_share"] <= 0.05
    plain, negated = precisions_with_and_without_a_negative(collection)
    assert negated >= 0.9 * plain


def precisions_with_and_without_a_negative(collection: Path) -> tuple[float, float]:
    """Precision@10 of "the same main class" in semantic mode, and with one negative of the query's own class."""
    engine = SearchEngine.open(Settings(collection=collection))
    mains = engine.collection.main_classes()
    lot = np.random.default_rng(0)
    val = [image.image_id for image in engine.collection.all_images() if image.split == "val" and image.objects]
    shares: list[list[float]] = [[], []]
    for query in lot.permutation(val)[:60].tolist():
        others = [one for one in val if one != query and mains[one] == mains[query]]
        if len(others) < 10:
            continue
        for place, negatives in enumerate(((), (IndexedPicture(int(lot.choice(others))),))):
            answer = engine.answer(Query((IndexedPicture(query),), negatives), Wishes(localize=False))
            shares[place].append(
                float(np.mean([mains[match.image.image_id] == mains[query] for match in answer.matches]))
            )
    engine.close()
    return float(np.mean(shares[0])), float(np.mean(shares[1]))

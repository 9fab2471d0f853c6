"""A report tells what an evaluation found, shows pictures where they can be had, and links to nothing else."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from indexer import plane
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.records import Box
from localizer import drawing
from localizer.drawing import PREDICTED, TRUE, Mark
from localizer.errors import NoHeadError
from localizer.evaluate import evaluate
from localizer.gallery import choose
from localizer.nearest_pairs import closest_pairs
from localizer.publish import train_and_publish
from localizer.report import write_report
from localizer.settings import Settings


def train(path: Path, task: str) -> None:
    train_and_publish(path, task, "train", Settings(epochs=2), lambda *_: None)


def report_on(path: Path, out: Path, split: str = "val") -> list[Path]:
    with Collection.open(path) as collection:
        return write_report(collection, out, split)


def links_of(out: Path) -> set[str]:
    return set(re.findall(r'(?:src|href)="([^"#][^"]*)"', (out / "index.html").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def trained(collection_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection with both heads; nobody may change it."""
    path = shutil.copytree(collection_path, tmp_path_factory.mktemp("trained") / "collection")
    train(path, "main")
    train(path, "detect")
    return path


@pytest.fixture(scope="module")
def report(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report on it."""
    out = tmp_path_factory.mktemp("reports") / "new" / "report"
    report_on(trained, out)
    return out


def test_all_files_of_a_report_are_told(trained: Path, tmp_path: Path) -> None:
    files = report_on(trained, tmp_path / "report")

    found = [path for path in (tmp_path / "report").rglob("*") if path.is_file()]
    assert sorted(files) == sorted(found)


def test_all_that_the_page_shows_is_in_its_folder(report: Path) -> None:
    links = links_of(report)

    assert len(links) > 20
    assert all((report / link).is_file() for link in links)


def test_a_report_can_be_moved(report: Path) -> None:
    assert not [link for link in links_of(report) if link.startswith("/") or ":" in link]


def test_the_figures_are_those_of_the_evaluation(trained: Path, report: Path) -> None:
    with Collection.open(trained) as collection:
        expected = json.loads(json.dumps(evaluate(collection, "val").to_json()))

    assert json.loads((report / "figures.json").read_text(encoding="utf-8")) == expected


def test_the_page_tells_figures_intervals_and_baselines(report: Path) -> None:
    main = json.loads((report / "figures.json").read_text(encoding="utf-8"))["main_object"]

    page = (report / "index.html").read_text(encoding="utf-8")

    low, high = main["intervals"]["mean_iou"]
    assert f"<td>{main['mean_iou']:.3f}</td>" in page
    assert f"<td>{low:.3f} to {high:.3f}</td>" in page
    assert f"<td>{main['baselines']['nearest_neighbour']['mean_iou']:.3f}</td>" in page
    assert f"<td>{main['head_alone']['mean_iou']:.3f}</td>" in page


def test_the_places_on_the_plane_are_kept(trained: Path, report: Path) -> None:
    with Collection.open(trained) as collection:
        places = plane.load(collection)

    assert (report / "plane.png").is_file()
    assert places is not None


@pytest.mark.parametrize(
    ("task", "drawn", "lacking"),
    [("main", "confusion.png", "precision-recall.png"), ("detect", "precision-recall.png", "confusion.png")],
)
def test_one_head_is_enough(collection_path: Path, tmp_path: Path, task: str, drawn: str, lacking: str) -> None:
    path = shutil.copytree(collection_path, tmp_path / "collection")
    train(path, task)

    report_on(path, tmp_path / "report")

    links = links_of(tmp_path / "report")
    assert drawn in links
    assert lacking not in links
    assert "head alone" not in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_without_a_head_there_is_no_report(collection_path: Path, tmp_path: Path) -> None:
    with pytest.raises(NoHeadError, match="python -m localizer train"):
        report_on(collection_path, tmp_path / "report")

    assert not (tmp_path / "report").exists()


def test_pictures_that_are_gone_are_named_and_left_out(
    own_devkit: Path, request_build: Callable[..., BuildRequest], tmp_path: Path
) -> None:
    path = tmp_path / "collection"
    build(request_build(path, voc_root=own_devkit))
    train(path, "main")
    pictures = sorted(own_devkit.rglob("JPEGImages/*"))
    for picture in pictures[1:]:
        picture.unlink()
    pictures[0].write_bytes(b"no picture any more")

    report_on(path, tmp_path / "report")

    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "Left out, as their files cannot be read" in page
    assert "No picture could be read." in page
    assert not [link for link in links_of(tmp_path / "report") if link.startswith("pictures/")]


def test_a_class_is_text_and_never_markup(
    own_devkit: Path, request_build: Callable[..., BuildRequest], tmp_path: Path
) -> None:
    for annotation in own_devkit.rglob("Annotations/*.xml"):
        text = annotation.read_text(encoding="utf-8")
        name = re.findall("<name>(.*?)</name>", text)[0]
        annotation.write_text(
            text.replace(f"<name>{name}</name>", f"<name>&lt;b&gt;{name}</name>"), encoding="utf-8"
        )
    path = tmp_path / "collection"
    build(request_build(path, voc_root=own_devkit))
    train(path, "main")

    report_on(path, tmp_path / "report")

    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


@pytest.mark.parametrize(("answers", "cards"), [(1, 1), (2, 1), (10, 3), (100, 12)])
def test_the_best_the_median_and_the_worst_are_chosen(answers: int, cards: int) -> None:
    groups = choose(torch.linspace(1, 0, answers))

    assert [len(rows) for rows in groups.values()] == [cards] * 3
    assert groups["best"][0] == 0
    assert groups["worst"][0] == answers - 1
    assert groups["typical"] == sorted(groups["typical"])


def test_no_pair_has_a_higher_score_than_the_closest(collection: Collection) -> None:
    vectors = collection.vectors()
    scores = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]

    pairs = closest_pairs(collection, 12)

    assert [score for *_, score in pairs] == pytest.approx(np.sort(scores)[::-1][:12].tolist(), abs=1e-5)
    assert all(first < second for first, second, _ in pairs)


def test_both_boxes_are_drawn_in_their_colours() -> None:
    marks = [Mark(Box(20, 30, 80, 90), "cat", TRUE), Mark(Box(40, 50, 95, 99), "dog", PREDICTED, at_foot=True)]

    drawn = drawing.draw(Image.new("RGB", (200, 200), "white"), marks)

    assert drawn.getpixel((20, 60)) == (0xE5, 0x38, 0x3B)
    assert drawn.getpixel((95, 70)) == (0x25, 0x63, 0xEB)
    assert drawn.getpixel((41, 101)) == (0x25, 0x63, 0xEB)


def test_a_mark_goes_with_its_picture_to_another_size() -> None:
    mark = Mark(Box(20, 30, 80, 90), "cat", TRUE)

    assert mark.scaled(0.5, 2).box == Box(10, 60, 40, 180)

"""Each plot is drawn from whatever an evaluation may hold: many classes, none, one epoch, no detection at all."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from localizer import plots
from localizer.average_precision import Curve

CLASSES = [f"class {number}" for number in range(20)]


def is_drawn(path: Path) -> bool:
    with Image.open(path) as picture:
        low, high = picture.convert("L").getextrema()
        return picture.format == "PNG" and min(picture.size) >= 200 and low != high


def curve(hits: list[float], objects: int) -> Curve:
    right = np.cumsum(hits)
    return Curve(right / np.arange(1, len(hits) + 1), right / max(objects, 1), objects)


def epoch(number: int) -> dict[str, float]:
    return {"epoch": number, "train_loss": 3 / number, "held_loss": 4 / number, "class_accuracy": 0.5, "new": 0.1}


@pytest.mark.parametrize("names", [CLASSES * 3, [None] * 5, ["cat", None, "$a_b$", "$"], ["cat"]])
def test_places_are_drawn_with_any_number_of_classes(tmp_path: Path, names: list[str | None]) -> None:
    places = np.random.default_rng(0).normal(size=(len(names), 2)).astype(np.float32)

    plots.plot_plane(tmp_path / "plane.png", places, names)

    assert is_drawn(tmp_path / "plane.png")


@pytest.mark.parametrize("classes", [1, 20])
def test_confusions_are_drawn(tmp_path: Path, classes: int) -> None:
    plots.plot_confusion(tmp_path / "a.png", np.eye(classes, dtype=np.int64) * 7, CLASSES[:classes])

    assert is_drawn(tmp_path / "a.png")


def test_empty_classes_take_no_room_in_the_confusions(tmp_path: Path) -> None:
    few = np.zeros((20, 20), dtype=np.int64)
    few[3, 5] = 4

    plots.plot_confusion(tmp_path / "few.png", few, CLASSES)
    plots.plot_confusion(tmp_path / "all.png", np.ones((20, 20), dtype=np.int64), CLASSES)

    with Image.open(tmp_path / "few.png") as small, Image.open(tmp_path / "all.png") as large:
        assert small.width < large.width / 2


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_a_training_is_drawn_however_short(tmp_path: Path, epochs: int) -> None:
    history = [epoch(number) for number in range(1, epochs + 1)]

    plots.plot_history(tmp_path / "history.png", history, best=epochs)

    assert is_drawn(tmp_path / "history.png")


@pytest.mark.parametrize(
    "curves",
    [
        {},
        {"cat": curve([], 4)},
        {"cat": curve([1, 1, 0, 1], 30), "dog": curve([0, 1], 2)},
        {name: curve([1, 0], 25) for name in CLASSES},
    ],
    ids=["no class", "nothing found", "common and rare", "all classes"],
)
def test_precision_and_recall_are_drawn(tmp_path: Path, curves: dict[str, Curve]) -> None:
    plots.plot_precision_recall(tmp_path / "curves.png", curves)

    assert is_drawn(tmp_path / "curves.png")


@pytest.mark.parametrize("answers", [0, 1, 100])
@pytest.mark.parametrize("panels", [1, 3])
def test_calibration_is_drawn_for_any_number_of_answers(tmp_path: Path, answers: int, panels: int) -> None:
    said, came = np.linspace(0, 1, answers), np.ones(answers)

    plots.plot_reliability(tmp_path / "said.png", {f"panel {number}": (said, came) for number in range(panels)})

    assert is_drawn(tmp_path / "said.png")


@pytest.mark.parametrize("classes", [1, 20])
def test_classes_are_drawn_as_bars(tmp_path: Path, classes: int) -> None:
    plots.plot_class_bars(tmp_path / "bars.png", dict.fromkeys(CLASSES[:classes], (0.5, 3)), overall=0.4)

    assert is_drawn(tmp_path / "bars.png")


def test_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        plots.plot_class_bars(tmp_path / name, {"cat": (0.5, 3)}, overall=0.4)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_settings_of_others_stay_as_they_are(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)

    plots.plot_class_bars(tmp_path / "bars.png", {"cat": (0.5, 3)}, overall=0.4)

    assert dict(mpl.rcParams) == before

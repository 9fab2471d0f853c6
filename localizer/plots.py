"""Drawings of figures, as PNG files; the only matplotlib, and none of its global figures."""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, product
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType
from numpy.typing import NDArray

from localizer.average_precision import Curve
from localizer.calibration import Doubles, reliability
from localizer.detection_scoring import COMMON
from localizer.drawing import PREDICTED
from localizer.wording import FIGURE_TEXTS

_INK, _QUIET, _GRID = "#1c1e26", "#5d6272", "#e4e6ec"
# Okabe and Ito's, without black and the yellow that white swallows; eyes that see few colours tell them apart.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a5195")
_MARKERS, _LINES = ("o", "^", "s", "D"), ("-", "--", ":", "-.")
_DOTS_PER_INCH = 150
_BINS = 10
_STYLE: dict[RcKeyType, Any] = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": "#b6bac6",
    "axes.labelcolor": _QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "savefig.bbox": "tight",
    "text.color": _INK,
    "text.parse_math": False,  # a class may be called "$a$"
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "lines.linewidth": 2,
}


def plot_plane(path: Path, places: NDArray[np.float32], names: Sequence[str | None]) -> None:
    """Each image as a dot where t-SNE put it.

    Args:
        path: of the PNG.
        places: (N, 2).
        names: N classes of main objects; None, drawn grey, for an image without objects.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        counts = _counts(names)
        looks = cycle(product(_MARKERS, _COLOURS))
        for name, amount in counts.items():
            marker, colour = next(looks) if name is not None else (".", "#b0b4c0")
            rows = np.array([other == name for other in names])
            look: dict[str, Any] = {"s": 22, "marker": marker, "color": colour, "alpha": 0.8, "linewidths": 0}
            axes.scatter(places[rows, 0], places[rows, 1], label=f"{name or 'no objects'} ({amount})", **look)
        axes.set(xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=1.6, borderaxespad=0)

    _save(path, (9.5, 7), draw)


def plot_confusion(path: Path, counts: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Which class (row) was taken for which (column), shaded by share of the row, with counts written.

    Args:
        path: of the PNG.
        counts: (classes, classes); classes without any picture in row and column are left out.
        classes: their names.
    """
    kept = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1)).tolist()
    shown, names = counts[np.ix_(kept, kept)], [classes[number] for number in kept]
    shares = shown / np.maximum(shown.sum(axis=1, keepdims=True), 1)
    side = 2.6 + 0.44 * len(names)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(shown), strict=True):
            ink = "white" if shares[row, column] > 0.65 else _INK  # noqa: PLR2004 - where the blue turns dark
            axes.text(column, row, str(shown[row, column]), ha="center", va="center", color=ink)
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="predicted class", ylabel="true class")
        axes.grid(visible=False)
        axes.tick_params(length=0)

    _save(path, (side + 0.6, side), draw)


def plot_history(path: Path, history: Sequence[Mapping[str, float]], best: int) -> None:
    """Losses of a training by epoch, and beside them the figures of the pictures held aside.

    Args:
        path: of the PNG.
        history: of each epoch "epoch", "train_loss", "held_loss", and figures in [0, 1] by name.
        best: the epoch that was chosen.
    """
    epochs = [one["epoch"] for one in history]
    figures = [name for name in history[0] if name not in ("epoch", "train_loss", "held_loss")]

    def draw(figure: Figure) -> None:
        losses, shares = figure.subplots(1, 2)
        looks = (("train_loss", "trained on", _QUIET), ("held_loss", "held aside", PREDICTED))
        for name, label, colour in looks:
            losses.plot(epochs, [one[name] for one in history], color=colour, label=label)
        for name, colour in zip(figures, cycle(_COLOURS)):
            shares.plot(epochs, [one[name] for one in history], color=colour, label=FIGURE_TEXTS.get(name, name))
        losses.set(title="Loss", xlabel="epoch", ylim=(0, None))
        shares.set(title="Figures of the pictures held aside", xlabel="epoch", ylim=(0, 1))
        for axes in (losses, shares):
            axes.axvline(best, color=_QUIET, linestyle=":", linewidth=1.5, label=f"best epoch: {best}")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend()

    _save(path, (10, 4), draw)


def plot_precision_recall(path: Path, curves: Mapping[str, Curve]) -> None:
    """Precision of a detector against its recall, for each class; faint where few objects say little."""
    ordered = sorted(curves.items(), key=lambda pair: -pair[1].average_precision)
    common = [pair for pair in ordered if pair[1].objects >= COMMON]
    rare = [pair for pair in ordered if pair[1].objects < COMMON]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        looks = cycle(product(_LINES, _COLOURS))
        for name, curve in common:
            line, colour = next(looks)
            _plot_curve(axes, curve, name, color=colour, linestyle=line)
        for name, curve in rare:
            line, colour = next(looks)
            _plot_curve(axes, curve, name, color=colour, linestyle=line, linewidth=1, alpha=0.45)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        if ordered:
            title = "class, AP (objects)"
            axes.legend(
                loc="center left", bbox_to_anchor=(1.02, 0.5), borderaxespad=0, title=title, alignment="left"
            )

    _save(path, (9.5, max(5.5, 1 + 0.26 * len(ordered))), draw)


def plot_reliability(path: Path, panels: Mapping[str, tuple[Doubles, Doubles]]) -> None:
    """What was said against what came about, in ten bins, and below how many were in each.

    Args:
        path: of the PNG.
        panels: title -> said (N,) and came (N,), both in [0, 1].
    """

    def draw(figure: Figure) -> None:
        grid = figure.subplots(2, len(panels), sharex=True, squeeze=False, height_ratios=(3, 1))
        for (title, (said, came)), upper, lower in zip(panels.items(), *grid, strict=True):
            bins = np.array(reliability(said, came, _BINS)).reshape(-1, 3)
            upper.plot([0, 1], [0, 1], color=_QUIET, linestyle=":", linewidth=1.5, label="ideal")
            upper.plot(bins[:, 0], bins[:, 1], color=PREDICTED, marker="o", label="found")
            upper.set(
                title=title, ylabel="what came about", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal"
            )
            upper.legend(loc="upper left")
            lower.hist(said, bins=_BINS, range=(0, 1), color="#b8ccf9", rwidth=0.9)
            lower.set(xlabel="what was said", ylabel="how many", ylim=(0, max(1, lower.get_ylim()[1])))
            lower.yaxis.get_major_locator().set_params(integer=True)

    _save(path, (4.2 * len(panels), 5.6), draw)


def plot_class_bars(path: Path, shares: Mapping[str, tuple[float, int]], overall: float) -> None:
    """A bar for each class, longest first.

    Args:
        path: of the PNG.
        shares: class -> share in [0, 1], and how many pictures it is of.
        overall: share of all pictures, drawn as a line.
    """
    ordered = sorted(shares.items(), key=lambda pair: (pair[1][0], pair[1][1]))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        values = [share for _, (share, _) in ordered]
        axes.barh([name for name, _ in ordered], values, color=PREDICTED, height=0.68)
        axes.axvline(overall, color=_QUIET, linestyle=":", linewidth=1.5, label=f"all: {overall:.2f}")
        for place, (_, (share, images)) in enumerate(ordered):
            axes.text(1.02, place, f"{share:.2f} of {images}", va="center")
        axes.set(xlabel="share of the pictures with the right class and an IoU of at least 0.5", xlim=(0, 1))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="lower right")

    _save(path, (8, 1.4 + 0.36 * len(ordered)), draw)


def _plot_curve(axes: Axes, curve: Curve, name: str, **look: Any) -> None:  # noqa: ANN401 - matplotlib's own
    label = f"{name}, {curve.average_precision:.2f} ({curve.objects})"
    axes.plot(curve.recall, curve.precision, label=label, **look)


def _counts(names: Sequence[str | None]) -> dict[str | None, int]:
    """Class -> how many images, most first, those without objects last."""
    present = sorted(set(names), key=lambda name: (name is None, -names.count(name), name or ""))
    return {name: names.count(name) for name in present}


def _save(path: Path, inches: tuple[float, float], draw: Callable[[Figure], None]) -> None:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=inches, dpi=_DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(path)

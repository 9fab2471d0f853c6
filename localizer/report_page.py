"""The page of a report, from what there is to tell; the only caller of the template engine here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from indexer.manifest import Manifest
from localizer.checkpoint import DETECT, MAIN
from localizer.detection_scoring import COMMON
from localizer.gallery import Card
from localizer.nearest_pairs import Pair
from localizer.scoring import FIGURES
from localizer.wording import FIGURE_TEXTS

_TEMPLATES = Path(__file__).parent / "templates"
_HEADS = {MAIN: "Main object", DETECT: "Detector"}
_BASELINES = {
    "majority_class": "majority class",
    "mean_box": "mean box",
    "class_mean_box": "mean box of the class",
    "nearest_neighbour": "nearest neighbour",
}
_GALLERY = {"best": "Best", "typical": "Typical", "worst": "Worst"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """What a report tells.

    Attributes:
        manifest: of the collection.
        figures: `Evaluation.to_json`.
        heads: task -> card of the head in use.
        plots: name -> file within the report.
        gallery: "best", "typical", "worst" -> cards; empty without a head for main objects.
        pairs: the closest, closest first.
        unreadable: names of the pictures that are left out.
    """

    manifest: Manifest
    figures: Mapping[str, Any]
    heads: Mapping[str, Mapping[str, Any]]
    plots: Mapping[str, str]
    gallery: Mapping[str, Sequence[Card]]
    pairs: Sequence[Pair]
    unreadable: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of text; the first of each row names it."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def render(page: ReportPage) -> str:
    """HTML that needs nothing but the files beside it."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    main, detector = page.figures["main_object"], page.figures["detector"]
    return environment.get_template("report.html").render(
        page=page,
        split=page.figures["split"],
        trained_on=dict.fromkeys(card["train_split"] for card in page.heads.values()),
        main=main,
        detector=detector,
        common=COMMON,
        tiles=_tiles(main, detector),
        figures=_figures_table(main, together=bool(detector)) if main else None,
        main_classes=_main_classes(main) if main else None,
        detector_classes=_detector_classes(detector) if detector else None,
        trainings=[
            (_HEADS[task], page.plots[f"training-{task}"], _facts(card)) for task, card in page.heads.items()
        ],
        gallery=[(_GALLERY[name], cards) for name, cards in page.gallery.items()],
    )


def _tiles(main: Mapping[str, Any] | None, detector: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    """Text, figure and what stands below it, of the few figures that matter most."""
    tiles = []
    if main:
        names = ("class_and_iou_50", "class_accuracy", "mean_iou")
        spreads = main["intervals"]
        tiles += [(FIGURE_TEXTS[name], _share(main[name]), f"95 %: {_interval(spreads[name])}") for name in names]
    if detector:
        below = (
            f"classes of {COMMON} objects or more; {_share(detector['map_50_all_classes'])} over all "
            f"{len(detector['per_class'])}"
        )
        tiles.append((f"detector, {FIGURE_TEXTS['map_50']}", _share(detector["map_50"]), below))
    return tiles


def _figures_table(main: Mapping[str, Any], *, together: bool) -> Table:
    """A row for each figure, with its interval, and what each baseline reaches."""
    others = {"head alone": main["head_alone"]} if together else {}
    others |= {_BASELINES.get(name, name): figures for name, figures in main["baselines"].items()}
    rows = [
        (
            FIGURE_TEXTS[name],
            _share(main[name]),
            _interval(main["intervals"][name]),
            *(_share(figures[name]) for figures in others.values()),
        )
        for name in FIGURES
    ]
    return Table(("", "both heads" if together else "head", "95 % interval", *others), rows)


def _main_classes(main: Mapping[str, Any]) -> Table:
    names = ("class_accuracy", "mean_iou", "class_and_iou_50")
    ordered = sorted(main["per_class"].items(), key=lambda pair: -pair[1]["images"])
    rows = [(name, str(one["images"]), *(_share(one[figure]) for figure in names)) for name, one in ordered]
    return Table(("class", "images", *(FIGURE_TEXTS[name] for name in names)), rows)


def _detector_classes(detector: Mapping[str, Any]) -> Table:
    ordered = sorted(detector["per_class"].items(), key=lambda pair: -pair[1]["objects"])
    rows = [(name, str(one["objects"]), _share(one["ap_50"])) for name, one in ordered]
    return Table(("class", "objects", "AP at IoU 0.5"), rows)


def _facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a head's card says of its training."""
    held = card["held_out"]
    figures = ", ".join(
        f"{FIGURE_TEXTS.get(name, name)} {_share(value)}" for name, value in held["figures"].items()
    )
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in card["settings"].items())
    inputs = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in card["inputs"].items())
    return [
        ("trained on", f"{card['examples']:,} images of {card['train_split']}, in {card['seconds']:.0f} s"),
        ("epochs", f"{card['epochs']} were best of {len(card['history'])}"),
        ("held aside", f"{held['images']:,} images: {figures}"),
        ("inputs", inputs),
        ("settings", settings),
        ("trained at", card["created"]),
    ]


def _share(value: float) -> str:
    return f"{value:.3f}"


def _interval(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"

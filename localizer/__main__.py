"""`python -m localizer`: train heads on a collection, judge them, and have them look at pictures.

Commands import what they need when they run: `--help` must not wait for torch.
"""

# ruff: noqa: PLC0415

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.command_line import (
    EXISTING_FOLDER,
    EXIT_ERROR,
    EXIT_STOPPED,
    FOLDER,
    Commands,
    collection_option,
    inference_options,
    json_option,
    table,
)

if TYPE_CHECKING:
    from indexer.inference import Inference
    from localizer.tasks import Judgement
    from localizer.training import Epoch

weights_option = click.option("--weights", metavar="NAME|FILE", help="The backbone's weights, if they moved.")
quiet_option = click.option("--quiet", is_flag=True, help="Say nothing but errors.")
split_option = click.option(
    "--split", help="Split to ask about.  [default: val, or the only one that was not learned from]"
)


@click.group(cls=Commands)
def main() -> None:
    """Tell what is in a picture, and where, from the embeddings of a collection."""


@main.command()
@collection_option
@click.option(
    "--task", type=click.Choice(["main", "detect"]), default="main", show_default=True,
    help="Find the main object, or several.",
)  # fmt: skip
@click.option(
    "--train-split", help="Split to learn from.  [default: train, or the only one, or that of last time]"
)
@click.option(
    "--input", "given", type=click.Choice(["map", "vector"]), default="map", show_default=True,
    help="What the head sees of a picture.",
)  # fmt: skip
@click.option(
    "--box-loss", type=click.Choice(["mse", "l1", "giou"]), default="giou", show_default=True,
    help="What is made small for the box.",
)  # fmt: skip
@click.option(
    "--class-weight", type=click.FloatRange(min=0), default=1.0, show_default=True,
    help="What the class's loss counts.",
)  # fmt: skip
@click.option(
    "--box-weight", type=click.FloatRange(min=0), default=1.0, show_default=True,
    help="What the box's loss counts.",
)  # fmt: skip
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Passes over the examples, at most.  [default: 30; 24 to detect]"
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
    help="The same seed on the same collection gives the same head.",
)  # fmt: skip
@click.option("--ablation", is_flag=True, help="Instead, compare what is taught, each loss and each input.")
@quiet_option
@json_option
def train(collection: Path, *, ablation: bool, quiet: bool, as_json: bool, **asked: Any) -> None:  # noqa: ANN401
    """Train a head on a split of a collection, and publish it beside the collection."""
    from localizer.publish import train_and_publish
    from localizer.settings import EPOCHS, Settings

    if quiet:
        logging.getLogger().setLevel(logging.ERROR)
    task, split = asked.pop("task"), asked.pop("train_split")
    settings = Settings(epochs=asked.pop("epochs") or EPOCHS[task], **asked)
    if ablation:
        _print_ablation(collection, split, settings.epochs, as_json=as_json)
        return
    summary = train_and_publish(collection, task, split, settings, _silent if quiet else _show_epoch)
    if as_json:
        click.echo(json.dumps(summary.to_json()))
    elif not quiet:
        click.echo(f"{summary.text(_figures_text(summary.held))}\npublished: {summary.folder}")
    if summary.stopped:
        sys.exit(EXIT_STOPPED)


@main.command()
@collection_option
@split_option
@json_option
def evaluate(collection: Path, split: str | None, *, as_json: bool) -> None:
    """Measure how well the heads do on a split, beside what needs no head."""
    from indexer.collection import Collection
    from localizer import evaluation_record
    from localizer.evaluate import evaluate as run_evaluation
    from localizer.evaluation_recording import make_record
    from localizer.evaluation_text import to_text

    with Collection.open(collection) as opened:
        record = make_record(run_evaluation(opened, split))
        evaluation_record.keep(opened, record)
    found = record.figures
    click.echo(json.dumps(found) if as_json else to_text(found))


@main.command()
@click.argument("image", nargs=-1, required=True, type=click.Path(path_type=Path))
@collection_option
@click.option(
    "--out", type=FOLDER, default=Path("predictions"), show_default=True, metavar="DIR",
    help="Folder for the pictures with their boxes drawn.",
)  # fmt: skip
@weights_option
@inference_options
@json_option
def predict(image: tuple[Path, ...], collection: Path, out: Path, *, as_json: bool, **run: Any) -> None:  # noqa: ANN401
    """Tell what is in each IMAGE and where, and draw it."""
    from indexer.collection import Collection
    from indexer.embedder import Embedder
    from localizer.looking import look_at

    with Collection.open(collection) as opened:
        embedder = Embedder.for_collection(opened.manifest, **run)
        seen, refused = look_at(list(image), opened, embedder, out)
    if as_json:
        click.echo(json.dumps([{"file": str(one.path), **one.localization.to_json()} for one in seen]))
    else:
        click.echo(table([one.row() for one in seen], ("file", "class", "probability", "IoU", "box", "drawn")))
    for path, reason in refused:
        click.echo(f"error: {path}: {reason}", err=True)
    if refused:
        sys.exit(EXIT_ERROR)


@main.command()
@click.argument("folder", type=EXISTING_FOLDER)
@collection_option
@click.option(
    "--format", "kind", type=click.Choice(["voc", "yolo", "coco", "label-studio", "csv"]), default="voc",
    show_default=True, help="VOC or YOLO (a file for each picture), COCO's or Label Studio's JSON, or CSV.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="PATH",
    help="Folder for VOC and YOLO, else file.",
)  # fmt: skip
@click.option(
    "--min-probability", "least", type=click.FloatRange(0, 1), default=0.5, show_default=True,
    help="What an object must have to be told of.",
)  # fmt: skip
@weights_option
@inference_options
@quiet_option
def tag(
    folder: Path,
    collection: Path,
    weights: str | None,
    inference: "Inference",
    *,
    quiet: bool,
    **asked: Any,  # noqa: ANN401
) -> None:
    """Tag every picture of FOLDER, and of the folders in it.

    Hidden files and folders are passed over, and links to folders are not followed. Where the work ends early,
    what is done is kept.
    """
    from indexer.collection import Collection
    from indexer.embedder import Embedder
    from localizer.tagging import Tagger, TagRequest, TagSummary, tag_folder

    summary = TagSummary()
    try:
        with Collection.open(collection) as opened:
            embedder = Embedder.for_collection(opened.manifest, weights, inference, bulk=True)
            tag_folder(TagRequest(folder=folder, quiet=quiet, **asked), Tagger(opened, embedder), summary)
    except KeyboardInterrupt:
        click.echo("Stopped before the end; what is done is kept.", err=True)
        sys.exit(EXIT_STOPPED)
    finally:
        for one in summary.skipped:
            click.echo(f"skipped {one.name}: {one.reason}", err=True)
        if summary.pictures and not quiet:
            click.echo(
                f"{summary.objects} objects in {summary.pictures} pictures, {len(summary.skipped)} skipped: "
                f"{click.format_filename(asked['out'])}"
            )


@main.command()
@collection_option
@click.option("--out", type=FOLDER, required=True, metavar="DIR", help="Folder for the pages and pictures.")
@split_option
def report(collection: Path, out: Path, split: str | None) -> None:
    """Write pictures to look at: boxes, map of the collection, curves; with a page that shows them."""
    from indexer.collection import Collection
    from localizer.report import write_report

    with Collection.open(collection) as opened:
        files = write_report(opened, out, split)
    click.echo(f"{len(files)} files; open {out / 'index.html'}")


@main.command()
@collection_option
@quiet_option
def align(collection: Path, *, quiet: bool) -> None:
    """Bring semantic index, map and evaluations in step, after a build or a training."""
    from localizer.alignment import bring_in_step

    done = bring_in_step(collection)
    if not quiet:
        click.echo(f"worked out anew: {', '.join(done)}" if done else "all in step")


def _show_epoch(epoch: "Epoch", judged: "Judgement | None") -> None:
    held = "on all examples" if judged is None else f"held aside: loss {judged.loss:7.3f}  {_figures_text(judged)}"
    click.echo(f"epoch {epoch.number:3} of {epoch.planned}  loss {epoch.loss:7.3f}  {held}", err=True)


def _silent(_: "Epoch", __: "Judgement | None") -> None:
    """Say nothing."""


def _figures_text(judged: "Judgement") -> str:
    names = {"class_accuracy": "class right", "mean_iou": "mean IoU", "class_and_iou_50": "both right"}
    return "  ".join(f"{names.get(name, name)} {value:.3f}" for name, value in judged.figures.items())


def _print_ablation(collection: Path, split: str | None, epochs: int, *, as_json: bool) -> None:
    from indexer.collection import Collection
    from localizer.ablation import run_ablation

    with Collection.open(collection) as opened:
        rows = run_ablation(opened, split, epochs)
    if as_json:
        click.echo(json.dumps([row.to_json() for row in rows]))
    else:
        click.echo(
            table([row.cells() for row in rows], ("taught, loss, input", "class", "mean IoU", "IoU>=0.5", "both"))
        )


if __name__ == "__main__":
    main(prog_name="python -m localizer")

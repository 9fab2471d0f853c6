"""`python -m localizer`: train heads on a collection, judge them, and have them look at pictures.

Commands import what they need when they run: `--help` must not wait for torch.
"""

# ruff: noqa: PLC0415

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.command_line import (
    EXIT_STOPPED,
    Commands,
    collection_option,
    json_option,
)

if TYPE_CHECKING:
    from localizer.publish import TrainSummary
    from localizer.tasks import Judgement
    from localizer.training import Epoch

weights_option = click.option("--weights", metavar="NAME|FILE", help="The backbone's weights, if they moved.")
quiet_option = click.option("--quiet", is_flag=True, help="Say nothing but errors.")


@click.group(cls=Commands)
def main() -> None:
    """Tell what is in a picture, and where, from the embeddings of a collection."""


@main.command()
@collection_option
@click.option("--task", type=click.Choice(["main", "detect"]), default="main", show_default=True,
              help="Find the main object, or several.")  # fmt: skip
@click.option("--train-split", default="train", show_default=True, help="Split to learn from.")
@click.option("--input", "given", type=click.Choice(["map", "vector"]), default="map", show_default=True,
              help="What the head sees of a picture.")  # fmt: skip
@click.option("--box-loss", type=click.Choice(["mse", "l1", "giou"]), default="giou", show_default=True,
              help="What is made small for the box.")  # fmt: skip
@click.option("--class-weight", type=click.FloatRange(min=0), default=1.0, show_default=True,
              help="What the class's loss counts.")  # fmt: skip
@click.option("--box-weight", type=click.FloatRange(min=0), default=1.0, show_default=True,
              help="What the box's loss counts.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1),
              help="Passes over the examples, at most.  [default: 30; 24 to detect]")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
              help="The same seed on the same collection gives the same head.")  # fmt: skip
@click.option("--ablation", is_flag=True, help="Instead, compare what is taught, each loss and each input.")
@quiet_option
@json_option
def train(
    collection: Path, task: str, train_split: str, epochs: int | None, *, ablation: bool, quiet: bool,
    as_json: bool, **choices: Any,  # noqa: ANN401 - click hands them over
) -> None:  # fmt: skip
    """Train a head on a split of a collection, and publish it beside the collection."""
    from localizer.publish import train_and_publish
    from localizer.settings import EPOCHS, Settings

    if quiet:
        logging.getLogger().setLevel(logging.ERROR)
    settings = Settings(epochs=epochs or EPOCHS[task], **choices)

    def watch(epoch: "Epoch", judged: "Judgement | None") -> None:
        if not quiet:
            click.echo(_epoch_text(epoch, judged), err=True)

    summary = train_and_publish(collection, task, train_split, settings, watch)
    if as_json:
        click.echo(json.dumps({**asdict(summary), "folder": str(summary.folder)}))
    elif not quiet:
        click.echo(_summary_text(summary))
    if summary.stopped:
        sys.exit(EXIT_STOPPED)


@main.command()
@collection_option
def align(collection: Path) -> None:
    """Work out the semantic index anew, after a build that changed the collection."""
    from localizer.predict import align as run_align

    click.echo(f"semantic index of {run_align(collection)} images aligned with the head")


def _epoch_text(epoch: "Epoch", judged: "Judgement | None") -> str:
    line = f"epoch {epoch.number:3}  loss {epoch.loss:7.3f}"
    if judged is None:
        return f"{line}  on all examples"
    return f"{line}  held aside: loss {judged.loss:7.3f}  {_figures_text(judged)}"


def _figures_text(judged: "Judgement") -> str:
    return "  ".join(f"{_FIGURES[name]} {value:.3f}" for name, value in judged.figures.items())


_FIGURES = {
    "class_accuracy": "class right",
    "mean_iou": "mean IoU",
    "class_and_iou_50": "class and IoU >= 0.5",
    "map_50": "mAP at IoU 0.5",
}


def _summary_text(summary: "TrainSummary") -> str:
    how = "stopped, best so far" if summary.stopped else "trained"
    return (
        f"{how}: {summary.epochs} epochs over {summary.examples} pictures in {summary.seconds:.0f} s; of those "
        f"held aside: {_figures_text(summary.held)}\npublished: {summary.folder}"
    )


if __name__ == "__main__":
    main(prog_name="python -m localizer")

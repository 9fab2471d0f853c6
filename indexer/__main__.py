"""`python -m indexer`: fetch or draw a devkit, build a collection from it, look into it, judge it.

Commands import what they need when they run: `--help` must not wait for torch.
"""

# ruff: noqa: PLC0415

import json
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.command_line import (
    EXIT_ERROR,
    FOLDER,
    PLACE,
    Commands,
    collection_option,
    engine_options,
    index_options,
    inference_options,
    json_option,
    store_options,
    table,
)

if TYPE_CHECKING:
    from indexer.copy_evaluation import CopyReport
    from indexer.evaluate import RelevanceReport, RetrievalReport, Scores
    from indexer.records import IndexedImage
    from indexer.retrieval_record import RetrievalRecord


@click.group(cls=Commands)
def main() -> None:
    """Index the pictures of a VOC devkit."""


@main.command()
@click.argument("name", type=click.Choice(["voc2007", "voc2012"]))
@click.option(
    "--into", type=FOLDER, default=Path("data"), show_default=True, metavar="DIR", help="Where to put it."
)
def fetch(name: str, into: Path) -> None:
    """Download Pascal VOC, check it and unpack it; run again to go on with an interrupted download."""
    from indexer import voc_download

    click.echo(voc_download.fetch(name, into))


@main.command()
@click.option("--into", type=FOLDER, required=True, metavar="DIR", help="Folder to make the devkit in.")
@click.option("--images", type=click.IntRange(min=1), default=600, show_default=True, help="How many pictures.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same bytes.")
def sample(into: Path, images: int, seed: int) -> None:
    """Draw a small VOC devkit of all 20 classes."""
    from indexer.sample import draw_devkit

    click.echo(draw_devkit(into, images, seed))


@main.command()
@collection_option
@click.option(
    "--voc-root", type=PLACE, metavar="DIR|URL", help="The devkit.  [default: the one of the last build]"
)
@click.option(
    "--split", help="train, val, trainval, test, another list's name, all, or unannotated.  [default: all]"
)
@click.option(
    "--backbone",
    type=click.Choice(["resnet50", "efficientnet_lite2", "auto"]),
    help="auto takes resnet50 where its weights can be had.  [default: that of the last build, or resnet50]",
)
@click.option("--weights", metavar="NAME|FILE", help="IMAGENET1K_V2, IMAGENET1K_V1, or a state dict.")
@click.option(
    "--side", type=click.IntRange(32, 1024), help="Pixels a picture is squashed to.  [default: backbone's]"
)
@click.option("--reduction/--no-reduction", "reduce", default=None, help="Whether vectors and maps are reduced.")
@click.option("--maps/--no-maps", "keep_maps", default=None, help="Whether maps are stored, to train on.")
@click.option("--objects/--no-objects", "index_objects", default=None, help="Whether each object is indexed, too.")
@inference_options
@engine_options
@index_options
@store_options
@click.option(
    "--annotated-frame",
    type=click.Choice(["upright", "stored"]),
    help="What the boxes of a turned photograph are of, where its annotation does not tell: the picture as shown, "
    "or as stored.  [default: that of the last build, or upright]",
)
@click.option("--strict", is_flag=True, help="Fail where the devkit gives anything that cannot be used.")
@click.option(
    "--allow-removals", is_flag=True, help="Go on where more than half of the collection's pictures are gone."
)
@click.option("--from-scratch", is_flag=True, help="Embed everything anew, and learn the reduction anew.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@json_option
def build(*, quiet: bool, as_json: bool, **request: Any) -> None:  # noqa: ANN401 - click hands them over
    """Build a collection from a devkit, or bring it up to date."""
    from indexer.build import build as run_build
    from indexer.build_settings import BuildRequest

    if quiet:
        logging.getLogger().setLevel(logging.ERROR)
    summary = run_build(BuildRequest(quiet=quiet, **request))
    if as_json:
        click.echo(json.dumps(summary.to_json()))
    elif not quiet:
        click.echo(summary.text())


@main.command()
@collection_option
@json_option
def inspect(collection: Path, *, as_json: bool) -> None:
    """Show what is in a collection."""
    from indexer.accounting import account_text, notice_lines
    from indexer.inspection import describe
    from indexer.records import Notice

    facts = describe(collection)
    if as_json:
        click.echo(json.dumps(facts))
        return
    notices = [Notice(**notice) for notice in facts["notices"]]
    facts |= {"notices": len(notices), "used": account_text(facts["used"])}
    lines = [f"{name:<20}{_short(value)}" for name, value in facts.items()]
    click.echo("\n".join([*lines, *notice_lines(notices)]))


@main.command()
@collection_option
@click.option("--repair", "mend", is_flag=True, help="Mend what is damaged; only what is lost is embedded again.")
@json_option
def verify(collection: Path, *, mend: bool, as_json: bool) -> None:
    """Look for all damage of a collection, and mend it if asked to; exit code 1 where damage is left."""
    from indexer import repair, verify

    repaired = repair.repair(collection) if mend else None
    verdict = repaired.after if repaired else verify.verify(collection)
    told = repaired or verdict
    click.echo(json.dumps(told.to_json()) if as_json else told.text())
    if not verdict.whole:
        sys.exit(EXIT_ERROR)


@main.command()
@collection_option
@click.option("--queries", help="Split whose images are searched with.  [default: val, or the only other one]")
@click.option("--gallery", help="Split whose images are searched in.  [default: train, or the only one]")
@json_option
def evaluate(collection: Path, queries: str | None, gallery: str | None, *, as_json: bool) -> None:
    """Measure how much of what a search finds is of the query's kind, beside chance, in each mode there is."""
    from indexer import retrieval_record
    from indexer.collection import Collection

    with Collection.open(collection) as opened:
        record = retrieval_record.measure(opened, queries, gallery)
        retrieval_record.keep(opened, record)
    click.echo(json.dumps(_record_json(record)) if as_json else _record_text(record))


@main.command(name="map")
@collection_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="CSV file to write.")
@json_option
def map_(collection: Path, out: Path | None, *, as_json: bool) -> None:
    """Lay the images out on a plane, so that what looks alike lies together, and keep their places."""
    from indexer import plane
    from indexer.collection import Collection

    started = time.monotonic()
    with Collection.open(collection) as opened:
        places = plane.store(opened)
        images = opened.all_images()
    rows = [_place_row(image, *place) for image, place in zip(images, places.tolist(), strict=True)]
    if out:
        _write_places(out, rows)
    done = f"{len(rows)} images laid out in {time.monotonic() - started:.1f} s"
    click.echo(json.dumps(rows) if as_json else done)


def _place_row(image: "IndexedImage", x: float, y: float) -> dict[str, Any]:
    """Where an image lies, with the class of its main object."""
    class_name = image.main_object.class_name if image.main_object else None
    known = {"image_id": image.image_id, "filename": image.filename, "class": class_name, "split": image.split}
    return {**known, "x": x, "y": y}


def _write_places(path: Path, rows: list[dict[str, Any]]) -> None:
    from indexer.csv_rows import format_rows

    path.parent.mkdir(parents=True, exist_ok=True)
    places = ([row["filename"], row["class"], row["split"], row["x"], row["y"]] for row in rows)
    path.write_bytes(format_rows([("file", "class", "split", "x", "y"), *places]))


def _short(value: object) -> str:
    """A fact in one cell."""
    if isinstance(value, dict):
        return ", ".join(f"{key or '(none)'} {amount}" for key, amount in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _record_json(record: "RetrievalRecord") -> dict[str, Any]:
    """The visual mode at the top, as it is always there."""
    semantic = record.modes.get("semantic")
    return {
        **_report_json(record.modes["visual"]),
        "semantic": _report_json(semantic) if semantic else None,
        "objects": record.objects.to_json() if record.objects else None,
        "copies": asdict(record.copies) if record.copies else None,
    }


def _record_text(record: "RetrievalRecord") -> str:
    parts = [_report_text(mode, report) for mode, report in record.modes.items()]
    if record.objects:
        parts.append(_relevance_text("objects, same class", record.objects))
    if record.copies:
        parts.append(_copies_text(record.copies))
    return "\n\n".join(parts)


def _copies_text(report: "CopyReport") -> str:
    modes = {"visual": report.visual, "semantic": report.semantic or {}}
    duplicates = report.near_duplicates
    rows = [
        (
            kind.replace("_", " "),
            *(
                f"{kinds[kind].first:.3f} / {kinds[kind].among_10:.3f}" if kinds else "-"
                for kinds in modes.values()
            ),
            f"{duplicates.recall[kind]:.3f}",
        )
        for kind in report.visual
    ]
    copies = max(found.copies for found in report.visual.values())
    header = (f"copies of {copies} images: first / among ten", *modes, "told as near-duplicate")
    told = f"of the pairs told as near-duplicates, by {duplicates.by}, false: {duplicates.false_share:.3f}"
    missing = (
        "" if report.semantic else "\nin semantic mode not measured: train a head, or: python -m localizer align"
    )
    return f"{table(rows, header)}\n{told}{missing}"


def _report_json(report: "RetrievalReport") -> dict[str, Any]:
    return {"main_class": report.main_class.to_json(), "shares_class": report.shares_class.to_json()}


def _report_text(mode: str, report: "RetrievalReport") -> str:
    parts = [(f"{mode}, same main class", report.main_class), (f"{mode}, shares a class", report.shares_class)]
    return "\n\n".join(_relevance_text(title, part) for title, part in parts)


def _relevance_text(title: str, part: "RelevanceReport") -> str:
    rows = [("all", part.overall), ("chance", part.chance), *part.per_class.items()]
    header = (f"{title}, {part.queries} queries", "p@1", "p@5", "p@10", "mAP")
    return table([(name, *_figures(scores)) for name, scores in rows], header)


def _figures(scores: "Scores") -> list[str]:
    return [f"{value:.3f}" for value in asdict(scores).values()]


if __name__ == "__main__":
    main(prog_name="python -m indexer")

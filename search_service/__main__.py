"""`python -m search_service`: serve a collection over HTTP, or ask it from the shell.

Commands import what they need when they run: `--help` must not wait for torch.
"""

# ruff: noqa: PLC0415

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.command_line import (
    PLACE,
    Commands,
    collection_option,
    inference_options,
    json_option,
    table,
)
from search_service.access_options import access_options
from search_service.settings import MAX_BATCH

if TYPE_CHECKING:
    from search_service.records import Answer

weights_option = click.option("--weights", metavar="NAME|FILE", help="The backbone's weights, if they moved.")


def log_options(command: Callable[..., None]) -> Callable[..., None]:
    """Have a command log as its options say."""

    @functools.wraps(command)
    def with_log(*, log_format: str, log_level: str, **rest: Any) -> None:  # noqa: ANN401 - click's
        from search_service.request_log import configure_logging

        configure_logging(log_format, log_level)
        command(**rest)

    style, level = click.Choice(["text", "json"]), click.Choice(["debug", "info", "warning", "error"])
    for name, choices, default, told in (
        ("--log-level", level, "info", "The least that is logged."),
        ("--log-format", style, "text", "Log lines for people, or for programs."),
    ):
        with_log = click.option(name, type=choices, default=default, show_default=True, help=told)(with_log)
    return with_log


@click.group(cls=Commands)
def main() -> None:
    """Answer a picture with those that look like it."""


@main.command()
@collection_option
@access_options
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen at.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Requests of each process at work at once.",
)
@click.option(
    "--queue",
    type=click.IntRange(0, 1_000),
    default=64,
    show_default=True,
    help="Requests of each process that wait for that, at most; further ones are told to come again.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="In which a request has to be answered.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="To finish what was begun, when told to stop.",
)
@click.option(
    "--max-batch",
    type=click.IntRange(min=1),
    default=MAX_BATCH,
    show_default=True,
    help="Pictures of concurrent requests that are embedded at once, at most.",
)
@click.option("--voc-root", type=PLACE, metavar="DIR|URL", help="The devkit with the pictures, if it moved.")
@click.option("--vectors", metavar="URI", help="Milvus, where the collection's folder does not tell.")
@click.option("--metadata", metavar="URL", help="PostgreSQL, where the collection's folder does not tell.")
@weights_option
@inference_options
@log_options
def serve(**options: Any) -> None:  # noqa: ANN401 - click's
    """Serve a collection, in a browser and over JSON, until stopped."""
    from dataclasses import fields

    from indexer.collection import Collection
    from indexer.errors import EmptyCollectionError
    from search_service.serve import serve as run_server
    from search_service.settings import ServerSettings, Settings

    server = ServerSettings(**{field.name: options.pop(field.name) for field in fields(ServerSettings)})
    settings = Settings(**options)
    settings.keep_addresses()
    try:
        Collection.open(settings.collection).close()
    except EmptyCollectionError as error:
        click.echo(f"Nothing is indexed yet: {error}", err=True)
    run_server(settings, server)


@main.command()
@click.argument("image", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@collection_option
@click.option("-k", type=int, default=10, show_default=True, help="How many results, 1 to 100.")
@click.option(
    "--mode", type=click.Choice(["visual", "semantic"]), help="By looks alone, or also by what is in them.  "
    "[default: semantic where a head is trained]",
)  # fmt: skip
@weights_option
@inference_options
@json_option
def query(
    image: Path,
    k: int,
    mode: str | None,
    *,
    as_json: bool,
    **settings: Any,  # noqa: ANN401 - click's
) -> None:
    """Find the pictures that look most like IMAGE, and tell what is in it."""
    from search_service.answer_schemas import AnswerSchema
    from search_service.engine import SearchEngine
    from search_service.records import Query, UploadedPicture, Wishes
    from search_service.settings import Settings

    engine = SearchEngine.open(Settings(**settings))
    answer = engine.answer(Query((UploadedPicture(image.read_bytes()),)), Wishes(k=k, mode=mode))
    click.echo(json.dumps(AnswerSchema().dump(answer)) if as_json else _answer_text(answer))


def _answer_text(answer: "Answer") -> str:
    rows = [
        (match.image.filename, f"{match.score:.3f}", ", ".join(match.image.class_names) or "-")
        for match in answer.matches
    ]
    return "\n".join([*_localization_lines(answer), table(rows, ("file", "score", "classes"))])


def _localization_lines(answer: "Answer") -> list[str]:
    found = answer.localization.told() if answer.localization else ()
    return [
        f"{one.class_name} {one.probability:.2f} at {' '.join(f'{corner:.0f}' for corner in one.box.corners)}"
        for one in found
    ]


if __name__ == "__main__":
    main(prog_name="python -m search_service")

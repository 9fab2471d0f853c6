"""What all commands share: how an error, a stop and a table look on a terminal."""

import io
import logging
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from indexer.engine_settings import ENGINES, LOCAL, Engine
from indexer.errors import CollectionBusyError, LookalikeError
from indexer.index_settings import KINDS, STORAGES
from indexer.inference import AUTO, DEVICES, PRECISIONS, RUNTIMES, Inference
from indexer.memory import ran_out
from indexer.places import place
from indexer.store_addresses import CONSISTENCIES

EXIT_ERROR, EXIT_BUSY, EXIT_STOPPED = 1, 75, 130  # 75 is EX_TEMPFAIL of sysexits.h: try again later

FOLDER = click.Path(file_okay=False, path_type=Path)


class _Place(click.ParamType[Path]):
    """A folder, or an address as `places.place` takes them."""

    name = "place"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ARG002 - click's
        """The place that a text names."""
        return place(value) if isinstance(value, str) else value


PLACE = _Place()
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

collection_option = click.option(
    "--collection", type=FOLDER, required=True, metavar="DIR", help="Folder of the collection."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def inference_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options for how the backbone is run; the command gets them as one `inference`."""

    @wraps(command)
    def with_inference(*, device: str, runtime: str, precision: str, **rest: Any) -> None:  # noqa: ANN401 - click's
        command(inference=Inference(device=device, runtime=runtime, precision=precision), **rest)

    asked = {"device": (DEVICES, "Where the backbone runs."), "runtime": (RUNTIMES, "What runs it.")}
    asked["precision"] = (PRECISIONS, "Of its arithmetic; auto is bf16 where the processor has it.")
    for name, (choices, told) in reversed(asked.items()):
        option = click.option(f"--{name}", type=click.Choice(choices), default=AUTO, show_default=True, help=told)
        with_inference = option(with_inference)
    return with_inference


def index_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options for the indexes of vectors; the command gets None for each that is not given."""
    for option in (
        click.option("--candidates", type=click.IntRange(8, 4096),
                     help="Of hnsw: for links, while it is built.  [default: that of the last build, or 100]"),
        click.option("--links", type=click.IntRange(4, 128),
                     help="Of hnsw: of a node, on each layer.  [default: that of the last build, or 16]"),
        click.option("--lists", type=click.IntRange(0, 65536),
                     help="Of ivf; 0: as find most soonest.  [default: that of the last build, or 0]"),
        click.option("--storage", type=click.Choice(STORAGES),
                     help="How ivf and hnsw keep numbers.  [default: that of the last build, or float16]"),
        click.option("--recall", type=click.FloatRange(0, 1, min_open=True),
                     help="Share of the true results to find, at least.  "
                     "[default: that of the last build, or 0.99]"),
        click.option("--index", "index_kind", type=click.Choice(KINDS),
                     help="auto is exact while that is quick, and ivf above.  "
                     "[default: that of the last build, or auto]"),
    ):  # fmt: skip
        command = option(command)
    return command


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options for where vectors and records lie; the command gets None for each that is not given."""
    for option in (
        click.option("--store-timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
                     help="In which servers have to answer.  [default: that of the last build, or 10]"),
        click.option("--consistency", type=click.Choice(CONSISTENCIES, case_sensitive=False),
                     help="Of searches in Milvus.  [default: that of the last build, or Bounded]"),
        click.option("--metadata", metavar="sqlite|URL",
                     help="Where records lie: postgresql://USER@HOST/DATABASE.  [default: as now, or sqlite]"),
        click.option("--vectors", metavar="faiss|URI",
                     help="Where vectors lie: http://HOST:19530 of Milvus.  [default: as now, or faiss]"),
    ):  # fmt: skip
        command = option(command)
    return command


def engine_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options for where pictures are embedded; the command gets them as one `engine`."""

    @click.option(
        "--engine",
        "name",
        type=click.Choice(ENGINES),
        default=LOCAL,
        show_default=True,
        help="Where to embed: in this process, or spread over a Ray cluster.",
    )
    @click.option(
        "--ray-address",
        envvar="RAY_ADDRESS",
        metavar="HOST:PORT|auto",
        help="The cluster's head; auto: that of this machine.  [default: a cluster started for the build]",
    )
    @click.option(
        "--ray-actors", type=click.IntRange(min=1), help="Processes that embed there.  [default: one per node]"
    )
    @wraps(command)
    def with_engine(*, name: str, ray_address: str | None, ray_actors: int | None, **rest: Any) -> None:  # noqa: ANN401 - click's
        command(engine=Engine(name=name, address=ray_address, actors=ray_actors), **rest)

    return with_engine


class Commands(click.Group):
    """A group of commands that ends an expected error in one line and an exit code of its own."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command asked for."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(
                errors="backslashreplace"
            )  # as of stderr: names may have any letters, and bytes
        logging.basicConfig(format="%(message)s", level=logging.INFO)
        for chatty in ("faiss.loader", "alembic", "matplotlib"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Stopped; what is done is kept. Run the same command to go on.", err=True)
            sys.exit(EXIT_STOPPED)
        except (LookalikeError, MemoryError, RuntimeError, ImportError, OSError) as error:
            told = _told(error)
            if told is None:
                raise
            click.echo(f"error: {told}", err=True)
            sys.exit(EXIT_BUSY if isinstance(error, CollectionBusyError) else EXIT_ERROR)


def _told(error: Exception) -> str | None:
    """What a user is told of an error; None of one that is ours to mend."""
    if ran_out(error):
        return "memory ran out; what is stored is kept; give it more"
    if isinstance(error, LookalikeError):
        return str(error)
    if isinstance(error, OSError):
        where = f" at {error.filename}" if error.filename else ""
        return f"the system refused{where}: {error.strerror or error}; what is stored is kept"
    return None


def table(rows: Sequence[Sequence[object]], header: Sequence[str] = ()) -> str:
    """Rows as aligned columns: the first to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in ([header] if header else []) + list(rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)

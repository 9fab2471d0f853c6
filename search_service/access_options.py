"""Options of `serve` for who may ask."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from search_service.access import NO_LIMIT, RATE_ELSEWHERE, Access
from search_service.api_keys import read_keys

_OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at."),
    click.option(
        "--api-key-file", "key_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
        help="Keys that callers are let in by: one `read KEY` or `admin KEY` a line.",
    ),
    click.option("--insecure", is_flag=True, help="Listen beyond this machine without keys."),
    click.option(
        "--allow-host", "hosts", multiple=True, metavar="NAME", help="Also answer to this name.  [repeatable]"
    ),
    click.option(
        "--allow-origin", "origins", multiple=True, metavar="ORIGIN",
        help="Let pages of this origin use the API, such as https://example.org.  [repeatable]",
    ),
    click.option(
        "--rate-limit", "rate", metavar="RATE",
        help=f"Searches of one client, such as 60/minute, or {NO_LIMIT}.  "
        f"[default: {NO_LIMIT} on this machine alone, else {RATE_ELSEWHERE}]",
    ),
    click.option(
        "--trusted-proxies", "proxies", type=click.IntRange(min=0), default=0, show_default=True,
        help="Proxies before the service, which tell clients' addresses in X-Forwarded-For.",
    ),
)  # fmt: skip


def access_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options for where to listen and to whom; the command gets them as `host` and one `access`."""

    @wraps(command)
    def with_access(*, host: str, key_file: Path | None, insecure: bool, **rest: Any) -> None:  # noqa: ANN401 - click's
        asked = {name: rest.pop(name) for name in ("hosts", "origins", "rate", "proxies")}
        access = Access(keys=read_keys(key_file) if key_file else None, **asked)
        command(host=host, access=access.at(host, insecure=insecure), **rest)

    for option in reversed(_OPTIONS):
        with_access = option(with_access)
    return with_access

"""plotly's own JavaScript, out of its package: nothing is asked of other servers."""

import re
from functools import cache
from pathlib import Path

import plotly

from search_service.packed import Packed

_STYLE_GUARD = re.compile(rb'document\.getElementById\("([0-9a-f]{64})"\)')


@cache
def plotly_script() -> Packed:
    """The script; read once."""
    return Packed(_read(), "text/javascript; charset=utf-8")


@cache
def style_guards() -> tuple[str, ...]:
    """Ids of elements that keep the script from writing stylesheets into the page, which the policy forbids.

    It writes one, of geographic maps, wherever no element of that id is there yet.
    """
    return tuple(sorted({found.decode() for found in _STYLE_GUARD.findall(_read())}))


def _read() -> bytes:
    return (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()

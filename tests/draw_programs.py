"""Writes `static/map-programs.js`: what plotly would compile in the browser, which the page's policy forbids.

plotly's WebGL layer makes a few functions out of text, always the same for one version of it. They are taken from
it once, in a browser that allows that, and served as a script. After an upgrade of plotly that changes them:
`python -m tests.draw_programs`.
"""

import json
from pathlib import Path
from typing import Any

import plotly
from playwright.sync_api import Page, sync_playwright

from tests import browsing

PROGRAMS = Path(__file__).parents[1] / "search_service" / "static" / "map-programs.js"
_SCRIPT = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_DRAW = """async () => {
  const area = document.body.appendChild(document.createElement("div"));
  const places = { type: "scattergl", mode: "markers", x: [1, 2, 3], y: [1, 2, 4] };
  const shapes = ["circle", "diamond", "circle-open", "star"];
  const traces = shapes.map((symbol) => ({ ...places, marker: { symbol, size: 9, line: { width: 1 } } }));
  await Plotly.newPlot(area, traces, { width: 300, height: 300, dragmode: "lasso" });
  await Plotly.restyle(area, { selectedpoints: [[1]], "marker.size": 5 });
  await Plotly.relayout(area, { "xaxis.range": [0, 9] });
  const layers = area._fullLayout._glcanvas.data().filter((layer) => layer.regl);
  const programs = Object.assign({}, ...layers.map((layer) => layer.regl.getCachedCode()));
  return Object.entries(programs).map(([name, program]) => [name, program.toString()]);
}"""


def written(page: Page) -> str:
    """The file as the installed plotly has it.

    Args:
        page: of a browser context that bypasses policies.
    """
    page.set_content("<body></body>")
    page.add_script_tag(path=_SCRIPT)
    programs: list[tuple[str, str]] = page.evaluate(_DRAW)
    lines = [f"  {json.dumps(name)}: {_in_one_line(program)},\n" for name, program in sorted(programs)]
    head = "// Made by tests/draw_programs.py out of plotly.js (MIT licence): what it would compile itself.\n\n"
    return f"{head}export const PROGRAMS = {{\n{''.join(lines)}}};\n"


def _in_one_line(program: str) -> str:
    """A function as an expression; every line of those ends where a statement or a block does."""
    return " ".join(program.replace("function anonymous", "function ").split())


def main() -> None:
    """Write the file."""
    with sync_playwright() as playwright:
        browser = browsing.launch(playwright)
        context: Any = browser.new_context()
        PROGRAMS.write_text(written(context.new_page()), encoding="utf-8")
        browser.close()


if __name__ == "__main__":
    main()

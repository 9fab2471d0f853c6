"""The page with the map: every picture as a point, what looks alike close together, and a query among them."""

from dataclasses import dataclass, replace

from flask import Blueprint, Response, render_template, request

from search_service.api import engine, picture_map
from search_service.caching import packed
from search_service.errors import RequestError
from search_service.page_state import MapPageSchema, PageState
from search_service.plotly_script import plotly_script, style_guards

maps = Blueprint("map", __name__)

_NEIGHBOURS = 10  # ringed around a query


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOnMap:
    """A query, as the page draws it.

    Attributes:
        name: of its first picture's file; None for one that was sent.
        place: x and y on the map; None where nothing says where it lies.
        neighbours: image ids of its nearest results, best first.
    """

    name: str | None
    place: tuple[float, float] | None
    neighbours: tuple[int, ...]


@maps.get("/map")
def map_page() -> str:
    """The map, with the query that the address holds; or how to make one."""
    engine()  # which must be there for a map to be missing
    state = PageState.read(request.args, MapPageSchema())
    try:
        picture_map().places  # noqa: B018 - whether they are there
    except RequestError as error:
        return render_template("map.html", problem=str(error), state=state)
    return render_template(
        "map.html",
        state=state,
        query=_find(state) if state.positives else None,
        script_version=plotly_script().sha256[:12],
        style_guards=style_guards(),
    )


@maps.get("/map/plotly.min.js")
def script() -> Response:
    """What draws the map in the browser."""
    return packed(plotly_script())


def _find(state: PageState) -> QueryOnMap:
    answer = engine().answer(state.query, replace(state.wishes, k=_NEIGHBOURS, offset=0, localize=False))
    return QueryOnMap(
        name=answer.positives[0].filename,
        place=picture_map().place_of(state.query, answer),
        neighbours=tuple(match.image.image_id for match in answer.matches),
    )

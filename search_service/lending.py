"""Each request is answered from one published state, from its beginning to its end."""

from flask import Flask, current_app, g

from search_service.errors import RequestError
from search_service.served import Opened, Served


def add_lending(app: Flask, served: Served) -> None:
    """Have the requests of an application answered from what is served when they first ask."""
    app.extensions["lookalike"] = served

    @app.teardown_appcontext
    def give_back(_: BaseException | None) -> None:
        lent: Opened | None = g.pop("lent", None)
        if lent is not None:
            served.give_back(lent)


def served() -> Served:
    """What the app that answers this request serves."""
    found: Served = current_app.extensions["lookalike"]
    return found


def lent_or_none() -> Opened | None:
    """What this request is answered from; None, then to its end, where nothing was served when it first asked."""
    if "lent" not in g:
        g.lent = served().borrow()
    lent: Opened | None = g.lent
    return lent


def lent() -> Opened:
    """What this request is answered from.

    Raises:
        RequestError: nothing is served yet.
    """
    found = lent_or_none()
    if found is None:
        raise RequestError(503, "empty_collection", f"nothing is served yet: {served().failure}")
    return found

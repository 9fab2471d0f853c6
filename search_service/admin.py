"""Routes for those who run the service: look for what is newly published, and tell how it is with the service."""

from dataclasses import asdict
from typing import Any

from flask import current_app
from flask_smorest import Blueprint

from search_service.admin_schemas import ServedSchema, StatsSchema
from search_service.errors import RequestError
from search_service.examples import samples
from search_service.lending import lent, lent_or_none, served
from search_service.processes import this_process
from search_service.reloader import Reloader
from search_service.served import Opened

admin = Blueprint("admin", __name__, description="For those who run the service.")


@admin.post("/api/v1/admin/reload")
@admin.response(200, ServedSchema)
@admin.doc(**samples("reload"))
def reload() -> dict[str, Any]:
    """Look at once for what is newly published, and tell what is served now; 409 where it cannot be served."""
    reloader: Reloader | None = current_app.extensions.get("lookalike_reloader")
    if reloader is not None:
        reloader.reload()
    failure = served().failure
    if failure is not None and served().current is not None:
        raise RequestError(409, "not_loaded", failure)
    return _tell(lent())


@admin.get("/api/v1/admin/stats")
@admin.response(200, StatsSchema)
@admin.doc(**samples("stats"))
def stats() -> dict[str, Any]:
    """What is served, how often that changed, and what the process takes."""
    now = served()
    opened = lent_or_none()
    return {
        "served": opened and _tell(opened),
        "reloads": {"done": now.reloads_done, "failed": now.reloads_failed, "failure": now.failure},
        "leases": now.leases,
        "open_states": now.open_states,
        "process": asdict(this_process()),
    }


def _tell(opened: Opened) -> dict[str, Any]:
    manifest = opened.manifest
    return {
        "generation": manifest.generation,
        "images": manifest.images,
        "fingerprint": manifest.fingerprint,
        "heads": opened.engine.heads,
        "since": opened.since,
    }

"""A real service whose eyes can be held shut: `python -m tests.held_service COLLECTION PORT FOLDER OPTIONS`.

OPTIONS are the fields of its `ServerSettings`, as JSON. While a file `hold` is in FOLDER nothing is seen. What
happens adds a line to a file there: to `held` each batch that waits, to `asked` each request, to `hung-up` each
SIGHUP.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from flask import Flask

from search_service.app import create_app
from search_service.engine import SearchEngine
from search_service.micro_batching import MicroBatcher
from search_service.query_embedding import Prepared
from search_service.records import Sight, Timings
from search_service.serve import Server
from search_service.settings import ServerSettings, Settings


def open_held(collection: Path, folder: Path) -> Flask:
    """The application over a collection."""
    engine = SearchEngine.open(Settings(collection=collection))
    see = engine._embedder.see  # noqa: SLF001 - what is held is the real thing

    def see_when_free(pictures: Sequence[Prepared], timings: Timings) -> list[Sight]:
        if (folder / "hold").exists():
            note(folder / "held")
        while (folder / "hold").exists():
            time.sleep(0.01)
        return see(pictures, timings)

    engine._batcher = MicroBatcher(see_when_free, 1)  # noqa: SLF001
    app = create_app(engine)
    app.before_request(lambda: note(folder / "asked"))
    app.extensions["lookalike_hang_up"] = lambda: note(folder / "hung-up")
    return app


def note(path: Path) -> None:
    """Add a line to a file."""
    with path.open("a") as file:
        file.write("noted\n")


if __name__ == "__main__":
    path, port, held_in, options = sys.argv[1:]
    server = ServerSettings(port=int(port), **json.loads(options))
    counts = Path(held_in) / "counts"
    counts.mkdir()
    Server(lambda: open_held(Path(path), Path(held_in)), server, counts).run()

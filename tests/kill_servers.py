"""Kills builds on servers, at random moments: `python -m tests.kill_servers [KILLS] [--seed N]`.

Each kill comes just before a change to the collection's folder or to a server, of which the last, by which
something is published or deleted, are met most. After it, a reader finds the generation before or the one after,
whole; the next build ends as an undisturbed one would, and leaves nothing behind, neither here nor there.
"""

import argparse
import random
import shutil
import sys
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path

from indexer import sample
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.catalogue import Catalogue
from indexer.collection import Collection
from indexer.generations import generations
from indexer.inference import Inference
from indexer.milvus_server import MilvusServer
from tests import postgres
from tests.kill_phases import change
from tests.killing import SERVER_CALL, Death, run
from tests.milvus import serving
from tests.servers import Servers
from tests.wholeness import digest_of_generation

_PICTURES, _SIDE = 16, 64
_CALLS = {
    Catalogue: ("write_records", "publish", "share", "drop"),
    MilvusServer: ("create", "upsert", "flush", "build", "load", "point", "drop"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What so many kills came to.

    Attributes:
        met: kills that came before the end of their build.
        before: of these, those after which all was as before.
    """

    met: int
    before: int


def build_audibly(request: BuildRequest, path: Path) -> None:
    """Build there; each call that changes something on a server is an audit event first."""
    for kind, names in _CALLS.items():
        for name in names:
            setattr(kind, name, _audible(getattr(kind, name), path))
    build(replace(request, collection=path))


def _audible(call, path: Path):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - any method
    @wraps(call)
    def told(*arguments: object, **keywords: object) -> object:
        sys.audit(SERVER_CALL, str(path))
        return call(*arguments, **keywords)

    return told


class Trial:
    """One collection on servers, built now of one devkit and now of another, and killed on the way."""

    def __init__(self, folder: Path, servers: Servers) -> None:
        root = sample.draw_devkit(folder / "first" / "VOCdevkit", _PICTURES, seed=5)
        changed = Path(shutil.copytree(root, folder / "then" / "VOCdevkit"))
        change(changed)
        self.path = folder / f"k{uuid.uuid4().hex[:12]}"
        self._servers = servers
        ask = partial(
            BuildRequest, collection=self.path, backbone="efficientnet_lite2", side=_SIDE, quiet=True,
            inference=Inference(device="cpu", runtime="openvino", precision="fp32"), index_objects=True,
            vectors=servers.vectors, metadata=servers.metadata,
        )  # fmt: skip
        self._acts = [partial(build_audibly, ask(voc_root=one)) for one in (root, changed)]
        self._events, self._whole = [], []
        for act in (*self._acts, self._acts[0]):
            self._events.append(run(act, self.path).events)
            self._whole.append(self._content())
        assert self._whole[0] == self._whole[2]

    def kill(self, number: int, lot: random.Random) -> tuple[bool, bool]:
        """Kill the build of the other devkit, and look; whether that came before its end, and changed nothing."""
        to = 1 - number % 2
        events = self._events[2 if to == 0 else 1]
        event = lot.randint(1, events) if lot.random() < 0.5 else lot.randint(events * 2 // 3, events)
        killed = run(self._acts[to], self.path, Death(event=event)).killed
        found = self._content()
        assert found in self._whole[:2], f"killed before change {event}: neither of the two is published"
        run(self._acts[to], self.path)
        assert self._content() == self._whole[to], f"killed before change {event}: the next build ends otherwise"
        self._assert_tidy()
        return killed, found != self._whole[to]

    def _content(self) -> str:
        with Collection.open(self.path) as collection:
            assert collection.nearest(collection.vector(0), 1)[0].score > 0.999
            return digest_of_generation(collection)

    def _assert_tidy(self) -> None:
        kept = [int(folder.name) for folder in generations(self.path)]
        wanted = {f"{self.path.name}__{one:06d}__{kind}" for one in kept for kind in ("images", "objects")}
        with ExitStack() as opened:
            catalogue = opened.enter_context(closing(Catalogue(self._servers.metadata, self.path.name)))
            milvus = opened.enter_context(closing(MilvusServer(self._servers.vectors)))
            assert catalogue.numbers() == kept
            assert set(milvus.names(f"{self.path.name}__")) == wanted
            assert milvus.pointed(self.path.name) == f"{self.path.name}__{kept[-1]:06d}__images"


def kill_all(folder: Path, servers: Servers, kills: int, seed: int) -> Outcome:
    """Kill so many builds."""
    lot = random.Random(seed)  # noqa: S311 - no secret
    trial = Trial(folder, servers)
    seen = [trial.kill(number, lot) for number in range(kills)]
    return Outcome(met=sum(met for met, _ in seen), before=sum(met and before for met, before in seen))


def main(arguments: Sequence[str]) -> int:
    """Kill as often as is asked, on servers of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill_servers", description=__doc__)
    parser.add_argument("kills", nargs="?", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    programs = postgres.programs()
    if programs is None:
        print("PostgreSQL is not installed (Debian: postgresql)", file=sys.stderr)  # noqa: T201
        return 1
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        metadata = opened.enter_context(postgres.running_server(programs))
        vectors, _ = opened.enter_context(serving(folder))
        outcome = kill_all(folder, Servers(vectors, metadata), asked.kills, asked.seed)
    print(f"{asked.kills} kills, {outcome.met} before the end of a build: nothing lost; after "  # noqa: T201
          f"{outcome.before} of them all was as before, after the others as after a whole build")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

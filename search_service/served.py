"""What is served, lent to requests; closed once another took its place and the last request gave it back."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from indexer.allocator import give_back_freed_memory
from indexer.manifest import Manifest
from search_service.decoders import Decoders
from search_service.engine import SearchEngine
from search_service.errors import ReloadError
from search_service.map_data import PictureMap
from search_service.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """One published state of a collection, opened: all that a request is answered from.

    Attributes:
        engine: with the generation and its heads.
        picture_map: of the same generation.
        since: when it was opened, UTC.
    """

    engine: SearchEngine
    picture_map: PictureMap
    since: datetime

    @classmethod
    def around(cls, engine: SearchEngine) -> "Opened":
        """All that belongs to an engine."""
        return cls(engine, PictureMap(engine.collection), datetime.now(UTC))

    @classmethod
    def open(cls, settings: Settings, decoders: Decoders, former: "Opened | None" = None) -> "Opened":
        """What is published now, tried out; the embedder of the former is shared where it fits.

        Raises:
            LookalikeError: it cannot be opened, or does not answer.
            ReloadError: a head that the former has for the same vectors is damaged or gone.
        """
        engine = SearchEngine.open(settings, former.engine.embedder if former else None, decoders)
        try:
            if former:
                _check_heads(engine, former.engine)
            engine.warm_up()
        except BaseException:
            engine.close()
            raise
        return cls.around(engine)

    @property
    def manifest(self) -> Manifest:
        """Of its generation."""
        return self.engine.collection.manifest


@dataclass(slots=True, eq=False)
class Served:
    """What is served now; to be asked from any number of threads.

    Attributes:
        path: the collection's folder.
        current: what requests are lent; None before the first build.
        failure: why what is published since could not be opened; None where the newest is served.
        reloads_done: how often another was opened, and took its place.
        reloads_failed: how often another could not be opened.
        on_reload: called after each of these, with `done` telling which.
    """

    path: Path
    current: Opened | None
    failure: str | None = None
    reloads_done: int = 0
    reloads_failed: int = 0
    on_reload: Callable[..., object] = lambda *, done: done
    _borrowed: Counter[Opened] = field(default_factory=Counter)
    _replaced: list[Opened] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def borrow(self) -> Opened | None:
        """What is served now, kept open until it is given back."""
        with self._lock:
            if self.current is not None:
                self._borrowed[self.current] += 1
            return self.current

    def give_back(self, opened: Opened) -> None:
        """End what `borrow` began."""
        with self._lock:
            self._borrowed[opened] -= 1
            if not self._borrowed[opened]:
                del self._borrowed[opened]

    def replace(self, opened: Opened) -> None:
        """Lend this one from now on."""
        with self._lock:
            self._retire()
            self.current, self.failure = opened, None
            self.reloads_done += 1
        self.on_reload(done=True)

    def refuse(self, failure: str) -> None:
        """Go on with what is served, and tell why the newest is not."""
        with self._lock:
            self.failure = failure
            self.reloads_failed += 1
        self.on_reload(done=False)

    def stop(self) -> None:
        """Lend nothing any more."""
        with self._lock:
            self._retire()
            self.current = None

    def close_unused(self) -> None:
        """Close those that were replaced and that nobody has borrowed, and give their memory back."""
        unused = self._take_unused()
        if unused:
            while unused:
                unused.pop().engine.close()  # popped: no name may keep it beyond this line
            give_back_freed_memory()

    @property
    def leases(self) -> int:
        """How many requests have borrowed one at this moment."""
        with self._lock:
            return self._borrowed.total()

    @property
    def open_states(self) -> int:
        """How many are open: what is served, and those replaced that are not closed yet."""
        with self._lock:
            return len(self._replaced) + (self.current is not None)

    def _retire(self) -> None:
        if self.current is not None:
            self._replaced.append(self.current)

    def _take_unused(self) -> list[Opened]:
        with self._lock:
            unused = [one for one in self._replaced if one not in self._borrowed]
            self._replaced = [one for one in self._replaced if one in self._borrowed]
        return unused


def _check_heads(newest: SearchEngine, former: SearchEngine) -> None:
    """Without this, a head damaged while it was published would take localization away from a service."""
    lost = sorted(former.heads.keys() - newest.heads.keys())
    if lost and newest.collection.manifest.fingerprint == former.collection.manifest.fingerprint:
        raise ReloadError(
            f"expected a usable head for the task {' and '.join(lost)} in {newest.collection.path}, as is served, "
            "found none; train it anew, or start the service again to go on without"
        )

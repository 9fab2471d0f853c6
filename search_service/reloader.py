"""Keeps what is served in step with what is published: a thread looks, opens, tries out, and swaps."""

import logging
from queue import Empty, SimpleQueue
from threading import Event, Thread

from indexer.errors import EmptyCollectionError, LookalikeError
from search_service.decoders import Decoders
from search_service.published import Lookout, Published
from search_service.served import Opened, Served
from search_service.settings import Settings

LOOK_EVERY = 1.0  # seconds; half of what is promised, so that the rest is left for opening

logger = logging.getLogger(__name__)


class Reloader:
    """Opens what is published now, and whatever is published later beside it; one thread opens and closes it all.

    What cannot be opened leaves the former serving, and is tried again when it changes, or when it is asked for.

    Attributes:
        served: what is served at any moment.

    Raises:
        LookalikeError: what is published now cannot be opened; nothing at all may be, before the first build.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.keep_addresses()
        self._lookout = Lookout(settings.collection)
        # Before it is opened: what comes meanwhile is a change.
        self._seen: Published | None = self._lookout.look()
        self._decoders = Decoders()
        self.served = _open_first(settings, self._decoders)
        self._wishes: SimpleQueue[Event] = SimpleQueue()
        self._closing = False
        self._thread = Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have the thread look at once; may be called by the handler of a signal."""
        self._wishes.put(Event())  # which, unlike an event that threads share, takes no lock

    def reload(self) -> None:
        """Look at once, and wait until what was found is served, or refused."""
        looked = Event()
        self._wishes.put(looked)
        while self._thread.is_alive() and not looked.wait(LOOK_EVERY):
            pass

    def close(self) -> None:
        """End the thread, and close what no request is answered from any more."""
        self._closing = True
        self.wake()
        self._thread.join()
        self.served.stop()
        self.served.close_unused()
        self._decoders.close()
        self._lookout.close()

    def _run(self) -> None:
        while not self._closing:
            wishes = self._wait_for_wishes()
            self._look(again=bool(wishes))
            self.served.close_unused()
            for looked in wishes:
                looked.set()

    def _wait_for_wishes(self) -> list[Event]:
        """All that are there; none after `LOOK_EVERY` seconds without one."""
        try:
            wishes = [self._wishes.get(timeout=LOOK_EVERY)]
        except Empty:
            return []
        while not self._wishes.empty():
            wishes.append(self._wishes.get())
        return wishes

    def _look(self, *, again: bool) -> None:
        """Open what is published, if it is not what was tried last; `again`: also if that was refused."""
        try:
            found = self._lookout.look()
        except LookalikeError as error:  # to go on with what is served, and look again
            self._miss(str(error))
            return
        if found != self._seen or (again and self.served.failure):
            self._seen = found
            self._swap()

    def _miss(self, failure: str) -> None:
        """Tell once that nothing can be seen; whatever is seen next is opened."""
        self._seen = None
        if failure != self.served.failure:
            logger.error("What is published now cannot be seen: %s", failure)
            self.served.refuse(failure)

    def _swap(self) -> None:
        try:
            opened = Opened.open(self._settings, self._decoders, self.served.current)
        except Exception as error:  # whatever it is, what is served goes on being served
            failure = str(error) or type(error).__name__
            self.served.refuse(failure)
            unforeseen = not isinstance(error, LookalikeError | OSError)
            logger.log(logging.ERROR, "What is published now cannot be served: %s", failure, exc_info=unforeseen)
        else:
            self.served.replace(opened)
            logger.info("Serving generation %d, %d images", opened.manifest.generation, opened.manifest.images)


def _open_first(settings: Settings, decoders: Decoders) -> Served:
    """What is published now, or why nothing is: a service may be started before the first build."""
    try:
        return Served(settings.collection, Opened.open(settings, decoders))
    except EmptyCollectionError as error:
        return Served(settings.collection, None, failure=str(error))

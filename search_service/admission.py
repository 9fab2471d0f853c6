"""At the door of the application: how many requests are at work at once, and how many wait for that."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from threading import Event, Lock
from typing import TYPE_CHECKING

from search_service.deadline import Deadline
from search_service.errors import DeadlineError, OverloadedError, RequestError
from search_service.refusals import Refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DEADLINE = "lookalike.deadline"
"""Where a request's environment holds its `Deadline`."""
_LIGHT = re.compile(
    r"/(healthz|readyz|metrics|quality|static/.*|map/plotly\.min\.js|api/docs"
    r"|api/v1/(openapi\.json|map|images/\d+(/file|/thumbnail)?))"
)


class Places:
    """So many may be in; as many more as there is room for wait in line, each for its turn.

    Args:
        count: how many may be in at once.
        line: how many may wait.

    Attributes:
        on_refusal: called with the code of each refusal.
    """

    def __init__(self, count: int, line: int) -> None:
        self._free = count
        self._longest = line
        self._line: deque[Event] = deque()
        self._lock = Lock()
        self.on_refusal: Callable[[str], object] = lambda _: None

    @property
    def waiting(self) -> int:
        """How many wait at this moment."""
        return len(self._line)

    @contextmanager
    def taken(self, deadline: Deadline) -> Iterator[None]:
        """Be in, once it is one's turn.

        Raises:
            OverloadedError: there is no room in the line.
            DeadlineError: it did not come to one's turn in time.
        """
        try:
            self._enter(deadline)
        except RequestError as error:
            self.on_refusal(error.code)
            raise
        try:
            yield
        finally:
            self._leave()

    def _enter(self, deadline: Deadline) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._line) >= self._longest:
                raise OverloadedError
            turn = Event()
            self._line.append(turn)
        if not turn.wait(deadline.remaining()):
            self._give_up(turn)

    def _give_up(self, turn: Event) -> None:
        with self._lock:
            if not turn.is_set():  # it may have come just now
                self._line.remove(turn)
                raise DeadlineError

    def _leave(self) -> None:
        """Hand the place over to the first in line."""
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._free += 1


class Admission:
    """A WSGI application in front of another.

    What takes little passes by, so that it is answered whatever else goes on. The rest takes a place, or waits for
    one, or is turned away before anything of its body is read. What has a place finds in its environment until
    when it has to be answered; the time that it waited counts.

    Args:
        application: what answers.
        places: how many may be at work, and wait.
        seconds: in which a request has to be answered.
    """

    def __init__(self, application: "WSGIApplication", places: Places, seconds: float) -> None:
        self._application = application
        self._places = places
        self._seconds = seconds

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Called by the server."""
        if is_light(environ["PATH_INFO"]):
            return self._application(environ, start_response)
        deadline = Deadline.after(self._seconds)
        try:
            with self._places.taken(deadline):
                return self._application({**environ, DEADLINE: deadline}, start_response)
        except RequestError as error:
            return _refuse(error, environ["PATH_INFO"], start_response)


def is_light(path: str) -> bool:
    """Whether what is at a path takes so little that it need not wait; routes not known of may take much."""
    return _LIGHT.fullmatch(path) is not None


def _refuse(error: RequestError, path: str, start_response: "StartResponse") -> list[bytes]:
    headers, body = Refusal(error.status, error.code, str(error)).write(path)
    start_response(f"{error.status} {HTTPStatus(error.status).phrase}", headers)
    return [body]

"""What a request can be refused for; translated once, in `app.py`, into JSON or a page."""

from indexer.errors import LookalikeError


class AddressError(LookalikeError):
    """The service cannot listen where it is told to."""


class ReloadError(LookalikeError):
    """What is published now would serve less than what is served."""


class RequestError(LookalikeError):
    """A request that cannot be answered.

    Attributes:
        status: of HTTP.
        code: a word for programs, stable; the message is for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

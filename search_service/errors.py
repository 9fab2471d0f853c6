"""What a request can be refused for; translated once, in `app.py`, into JSON or a page."""

from collections.abc import Mapping

from indexer.errors import LookalikeError

Headers = Mapping[str, str | list[str]]


class AccessError(LookalikeError):
    """A setting of who may ask makes no sense."""


class AddressError(LookalikeError):
    """The service cannot listen where it is told to."""


class ReloadError(LookalikeError):
    """What is published now would serve less than what is served."""


class KeyFileError(LookalikeError):
    """A file of keys is not as it should be."""


class RequestError(LookalikeError):
    """A request that cannot be answered.

    Attributes:
        status: of HTTP.
        code: a word for programs, stable; the message is for people.
        headers: further ones of the response.
    """

    def __init__(self, status: int, code: str, message: str, headers: Headers | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


class OverloadedError(RequestError):
    """As many requests are being answered, and wait to be, as may."""

    def __init__(self) -> None:
        super().__init__(
            503, "overloaded", "expected room for one more request, found none; try again in a moment"
        )


class DeadlineError(RequestError):
    """The time in which a request has to be answered is over."""

    def __init__(self) -> None:
        message = "expected an answer in time, found the service too busy for it; try again in a moment"
        super().__init__(503, "deadline", message)

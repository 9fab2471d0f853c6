"""How often a client may ask; each process counts by itself, in its memory."""

import time
from ipaddress import IPv6Address, ip_address, ip_network

from flask import Flask, Response, current_app, g, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit
from limits import parse

from search_service.errors import RequestError

WRONG_KEYS = "20/minute"
"""From one address; after so many, no key of its is looked at."""

_SEARCHING = frozenset(
    {
        "api.localize", "api.search", "api.search_batch", "api.similar",
        "map.map_page", "pages.picture_page", "pages.search_page", "pages.upload_page",
    }
)  # fmt: skip
_EXTENSION = "lookalike_rate_limits"
_NETWORK_BITS = 64  # of an IPv6 address: what one subscriber has all addresses of


class RateLimits:
    """How many searches each client asked for, and how many wrong keys came from each address."""

    def __init__(self, rate: str | None) -> None:
        search = ApplicationLimit(
            rate or "", exempt_when=lambda: request.endpoint not in _SEARCHING, on_breach=_refuse
        )
        self._limiter = Limiter(
            _client,
            application_limits=[search] if rate else [],
            strategy="moving-window",
            storage_uri="memory://",
        )
        self._wrong_keys = parse(WRONG_KEYS)

    def count(self, app: Flask) -> None:
        """Count the requests to an application, after what was asked to be done before."""
        self._limiter.init_app(app)
        app.extensions[_EXTENSION] = self
        app.after_request(self._add_headers)

    def refuse_guesser(self) -> None:
        """Look at no more keys from where too many wrong ones came.

        Raises:
            RequestError: too many came from the address of this request.
        """
        counted = self._wrong_keys, "wrong key", client_address()
        if not self._limiter.limiter.test(*counted):
            wait = _seconds_until(self._limiter.limiter.get_window_stats(*counted)[0])
            raise _too_many(f"at most {WRONG_KEYS.replace('/', ' wrong keys a ')}", wait)

    def count_wrong_key(self) -> None:
        """Note that this request came with one."""
        self._limiter.limiter.hit(self._wrong_keys, "wrong key", client_address())

    def count_further(self, searches: int) -> None:
        """Count what this request asks for beyond one search.

        Raises:
            RequestError: they are more than the client may ask for.
        """
        current = self._limiter.current_limit
        if (
            current
            and searches
            and not self._limiter.limiter.hit(current.limit, *current.request_args, cost=searches)
        ):
            _refuse(current)

    def _add_headers(self, response: Response) -> Response:
        """As the IETF's draft has them, "RateLimit header fields for HTTP", versions 0 to 7."""
        if current := self._limiter.current_limit:
            response.headers["RateLimit-Limit"] = str(current.limit.amount)
            response.headers["RateLimit-Remaining"] = str(current.remaining)
            response.headers["RateLimit-Reset"] = str(_seconds_until(current.window[0]))
        return response


def count_further(searches: int) -> None:
    """`RateLimits.count_further` of the app that answers this request."""
    limits: RateLimits = current_app.extensions[_EXTENSION]
    limits.count_further(searches)


def client_address() -> str:
    """Where the request comes from: the address, of IPv6 the network that one client has to itself."""
    address = request.remote_addr or ""
    try:
        is_wide = isinstance(ip_address(address), IPv6Address)
    except ValueError:  # a Unix socket's has none
        return address
    return str(ip_network(f"{address}/{_NETWORK_BITS}", strict=False)) if is_wide else address


def _client() -> str:
    return str(g.get("key_name") or client_address())


def _refuse(limit: RequestLimit) -> Response:
    """Called by flask-limiter, which would take a response as well."""
    rate = f"at most {limit.limit.amount} searches in {limit.limit.get_expiry()} seconds"
    raise _too_many(rate, _seconds_until(limit.window[0]))


def _too_many(expected: str, wait: int) -> RequestError:
    message = f"expected {expected}, found more; ask again in {wait} seconds, or for less at once"
    return RequestError(429, "rate_limited", message, {"Retry-After": str(wait)})


def _seconds_until(moment: float) -> int:
    """Whole seconds, at least one; moment in seconds since 1970."""
    return max(1, int(moment + 1 - time.time()))

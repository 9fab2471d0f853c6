"""Who may ask the service, from where and how often; settled before anything listens."""

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from search_service.api_keys import ApiKeys
from search_service.errors import AccessError, AddressError

NO_LIMIT = "none"
RATE_ELSEWHERE = "600/minute"
"""What a client may ask where the service listens to other machines, and nothing else is said."""
ANY_ORIGIN = "*"

_RATE = re.compile(r"[1-9]\d{0,8}/(second|minute|hour|day)")
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may ask.

    Attributes:
        keys: those by which callers are let in; None lets in all who reach the service, but for administration.
        hosts: names that a request may have in `Host`, beside those of this machine; None for whatever it has.
        origins: of web pages whose scripts may use the API; `*` for all.
        rate: how many searches a client may ask for in which time, such as `600/minute`; None for any number,
            which `none` says as well.
        proxies: how many proxies stand before the service, each of which adds to `X-Forwarded-For`
            and `X-Forwarded-Proto`.
    """

    keys: ApiKeys | None = None
    hosts: tuple[str, ...] | None = None
    origins: tuple[str, ...] = ()
    rate: str | None = None
    proxies: int = 0

    def __post_init__(self) -> None:
        for origin in self.origins:
            if origin != ANY_ORIGIN and not _ORIGIN.fullmatch(origin):
                raise AccessError(f"expected an origin such as https://example.org, found {origin!r:.80}; mend it")
        if self.keys and ANY_ORIGIN in self.origins:
            raise AccessError(
                f"expected origins by name beside keys, found {ANY_ORIGIN}; name them, or drop the keys"
            )
        if self.rate not in (None, NO_LIMIT) and not _RATE.fullmatch(self.rate):
            raise AccessError(
                f"expected a rate such as 60/minute (second, minute, hour, day), or {NO_LIMIT}, "
                f"found {self.rate!r:.40}; mend it"
            )

    def at(self, host: str, *, insecure: bool = False) -> "Access":
        """The same where the service listens at this address, which settles what is not said.

        Who listens on loopback answers to its names alone; else any web page could have its own name resolved to
        this machine, and then read the answers.

        Raises:
            AddressError: all who reach the address would be let in, which nobody asked for.
        """
        within = is_loopback(host)
        if not (within or self.keys or insecure):
            raise AddressError(
                f"expected --api-key-file FILE, or --insecure, to listen at {host!r:.80}, open to others; "
                "found neither; 127.0.0.1 is this machine alone"
            )
        rate = self.rate or (NO_LIMIT if within else RATE_ELSEWHERE)
        return replace(self, hosts=self.hosts or (() if within else None), rate=None if rate == NO_LIMIT else rate)

    def answers_to(self, host: str) -> bool:
        """Whether a request's `Host`, with or without its port, is one that this service goes by."""
        if self.hosts is None:
            return True
        try:
            name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
        except ValueError:  # brackets without an address in them
            return False
        return is_loopback(name) or name in map(str.lower, self.hosts)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, which no other reaches."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

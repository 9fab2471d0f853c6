"""What every request passes before any route: is it meant for this service, by whom is it sent, may they."""

from typing import Any

from flask import Flask, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from search_service.access import Access
from search_service.api_keys import ADMIN, ApiKey, ApiKeys
from search_service.cross_origin import allow_origins
from search_service.errors import RequestError
from search_service.rate_limits import RateLimits
from search_service.refusals import for_programs
from search_service.security_headers import add_security_headers

ADMIN_ROUTES = "/api/v1/admin/"

_OPEN = frozenset({"static", "api.alive", "api.ready"})
_BEARER = 'Bearer realm="Lookalike"'
_BASIC = 'Basic realm="Lookalike", charset="UTF-8"'
_HOW_PROGRAMS = "send it as the header Authorization: Bearer KEY, or X-API-Key: KEY"
_HOW_PEOPLE = "load the page again, and give any name, with the key as the password"


def guard(app: Flask, access: Access) -> None:
    """Have an application answer only whom it may, no more often than it may, and tell browsers what they may."""
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=access.proxies, x_proto=access.proxies)  # type: ignore[method-assign]
    limits = RateLimits(access.rate)
    app.before_request(lambda: _check_host(access))
    app.before_request(lambda: _check_key(access.keys, limits))
    limits.count(app)  # after these, and by the key that they found
    allow_origins(app, access.origins)
    add_security_headers(app)


def is_let_in() -> bool:
    """Whether this request passed, so that a refusal may be worded on a page that tells of the collection."""
    return "let_in" in g


def describe_security(access: Access) -> dict[str, Any]:
    """What the specification says of keys."""
    schemes = {
        "Bearer": {"type": "http", "scheme": "bearer"},
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    return {
        "components": {"securitySchemes": schemes},
        "security": [{name: []} for name in schemes] if access.keys else [],
    }


def _check_host(access: Access) -> None:
    if not access.answers_to(request.host):
        message = f"expected a host that this service goes by, found {request.host!r:.80}; name it by --allow-host"
        raise RequestError(400, "unknown_host", message)


def _check_key(keys: ApiKeys | None, limits: RateLimits) -> None:
    administers = request.path.startswith(ADMIN_ROUTES)
    if request.endpoint in _OPEN or request.method == "OPTIONS":  # by which browsers ask before they send a key
        return
    if keys:
        key = _find_key(keys, limits, by_browser=not administers)
        if administers and key.role != ADMIN:
            raise RequestError(403, "not_allowed", f"expected a key with the role {ADMIN}, found {key.role}")
        g.key_name, g.role = key.name, key.role
    elif administers:
        message = "expected a service with keys to administrate, found one without; start it with --api-key-file"
        raise RequestError(403, "not_allowed", message)
    g.let_in = True


def _find_key(keys: ApiKeys, limits: RateLimits, *, by_browser: bool) -> ApiKey:
    """The key that was sent."""
    sent = _sent_key(by_browser=by_browser)
    how = _HOW_PROGRAMS if for_programs(request.path) else _HOW_PEOPLE
    challenge = {"WWW-Authenticate": _challenge(by_browser=by_browser)}
    if sent is None:
        raise RequestError(401, "no_key", f"expected a key, found none; {how}", challenge)
    limits.refuse_guesser()
    key = keys.find(sent)
    if key is None:
        limits.count_wrong_key()
        raise RequestError(401, "wrong_key", f"expected a key of this service, found another; {how}", challenge)
    return key


def _sent_key(*, by_browser: bool) -> str | None:
    """What a request has as its key; a password, which browsers add by themselves, only where that is taken."""
    if (key := request.headers.get("X-API-Key")) is not None:
        return key
    sent = request.authorization
    if sent and sent.type == "bearer":
        return sent.token
    return sent.password if sent and sent.type == "basic" and by_browser else None


def _challenge(*, by_browser: bool) -> list[str]:
    """How to send a key: browsers ask people for it where they are told of `Basic`.

    That goes for pages, and for the pictures in them: a browser that was told so for `/images/3` knows of nothing
    outside of `/images/`, and is to be told again.
    """
    if not request.path.startswith("/api/v"):
        return [_BASIC]
    return [_BEARER, _BASIC] if by_browser and request.method == "GET" else [_BEARER]

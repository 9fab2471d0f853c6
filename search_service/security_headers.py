"""What browsers are told that they may do with a response; on every one, errors and files included."""

from flask import Flask, Response, request

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
"""Of all that is no page: whatever it holds, nothing in it runs, even where it is opened by itself."""

_NOT_MODIFIED = 304  # only of files here; it says no type, and what it says goes for what the browser has

_UNUSED = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "serial", "usb")
"""What no page of this service asks a browser for; taking a picture by a form's field asks for no camera."""

_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in _UNUSED),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OF_NO_PAGE = {**_HEADERS, "Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
"""What a response has that is made before the application is asked."""


def add_security_headers(app: Flask) -> None:
    """Have every response of an application carry them."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    is_page = response.mimetype == "text/html" and response.status_code != _NOT_MODIFIED
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY if is_page else _POLICY)
    response.headers.setdefault("Cache-Control", _caching(response))
    return response


def _caching(response: Response) -> str:
    """Of a response that says nothing of it: no cache shows it to others, and what is refused to nobody."""
    hidden = response.status_code >= 400 or request.path.startswith("/api/v1/admin/")  # noqa: PLR2004 - errors
    return "no-store" if hidden else "private"

"""Asking quickly whether a host answers, before a library waits for it much longer."""

import queue
import threading
import urllib.error
import urllib.request
from http.client import HTTPException

from indexer.errors import DownloadError

TIMEOUT = 4.5  # seconds for the connection and its answer; looking up the name gets as long again


def check_reachable(url: str) -> None:
    """Return once the host answers a request for `url`, through a proxy where the environment names one.

    Raises:
        DownloadError: no answer within 2 x `TIMEOUT` seconds, or a refusal.
    """
    answers: queue.Queue[str | None] = queue.Queue()
    # Looking up a name cannot be given a time limit; a daemon thread can be left behind.
    threading.Thread(target=lambda: answers.put(_problem(url)), daemon=True).start()
    try:
        problem = answers.get(timeout=2 * TIMEOUT)
    except queue.Empty:
        problem = "no answer in time"
    if problem is not None:
        raise DownloadError(f"expected an answer from {url}, found none ({problem})")


def _problem(url: str) -> str | None:
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "lookalike"})  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310 - the caller's own constant
            return None
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, HTTPException) as error:
        return str(error)

"""The clients of a soak: some ask on and on, some send a byte a second."""

import http.client
import random
import socket
import time
from contextlib import suppress

from tests.soak_diary import ANSWERED, BROKEN, REFUSED, SERVER_ERROR, TURNED_AWAY, UNEXPECTED, WRONG, Diary, Met
from tests.soak_questions import Question, Questions

_PATIENCE = 120  # seconds until an answer counts as none
_BAD = 0.15  # share of the requests that are to be refused
_PAUSE = 1.0  # seconds that a client waits who was turned away
_SLOW = b"POST /api/v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nX-Slow: " + b"x" * 4_000


def ask_on(port: int, questions: Questions, lot: random.Random, diary: Diary) -> None:
    """Ask until the time is over."""
    while not diary.over:
        question = questions.bad() if lot.random() < _BAD else questions.good()
        began = diary.now
        outcome, told = ask(port, question)
        diary.met.append(Met(began, diary.now, question.kind, outcome, told))
        if outcome in (TURNED_AWAY, BROKEN):
            time.sleep(_PAUSE)


def ask(port: int, question: Question) -> tuple[str, str]:
    """Ask one question over a connection of its own: the outcome, and what was not as it should be."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request(question.method, question.path, question.body, question.headers)
        response = connection.getresponse()
        return judge(question, response.status, response.read(), response.getheader("Retry-After"))
    except (OSError, http.client.HTTPException) as error:
        return BROKEN, f"{question.method} {question.path:.60}: {error!r}"
    finally:
        connection.close()


def judge(question: Question, status: int, body: bytes, retry_after: str | None = None) -> tuple[str, str]:
    """The outcome of an answer, and what was not as it should be."""
    found = f"{question.kind}: {question.method} {question.path:.60}: {status} {body[:200]!r}"
    if status in (429, 503) and retry_after:
        return TURNED_AWAY, found
    if status >= 500:
        return SERVER_ERROR, found
    if status not in question.statuses:
        return UNEXPECTED, found
    if status >= 400:
        return REFUSED, ""
    return (ANSWERED, "") if question.is_right(body) else (WRONG, found)


def dawdle(port: int, clients: int, diary: Diary) -> None:
    """So many clients that each send a byte of a request a second; who is hung up on begins again."""
    sent: dict[socket.socket, int] = {}
    while not diary.over:
        for _ in range(clients - len(sent)):
            with suppress(OSError):  # there may be no room for one more just now
                sent[socket.create_connection(("127.0.0.1", port), timeout=1)] = 0
        for connection, count in list(sent.items()):
            try:
                connection.sendall(_SLOW[count : count + 1])
                sent[connection] = (count + 1) % len(_SLOW)
            except OSError:
                connection.close()
                del sent[connection]
        time.sleep(1)
    for connection in sent:
        connection.close()

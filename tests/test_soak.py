"""The soak itself, made small; and that its verdict sees what is wrong."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.soak import Plan, soak
from tests.soak_clients import judge
from tests.soak_diary import (
    ANSWERED,
    BROKEN,
    GRACE,
    REFUSED,
    SERVER_ERROR,
    TURNED_AWAY,
    UNEXPECTED,
    WRONG,
    Diary,
    Held,
    Met,
)
from tests.soak_questions import Question, Questions
from tests.soak_verdict import Ending, describe, objections

GOOD = Ending(exit_code=0, processes=(2, 2), reloads=(3, 0), generations=(4, 4))
QUESTION = Question(kind="page", path="/", is_right=lambda body: body == b"right")


def test_a_service_in_trouble_keeps_answering(own_trained_path: Path, tmp_path: Path) -> None:
    plan = Plan(seconds=20, clients=4, slow_clients=3, publish_every=4, kill_every=8, watch_every=2)

    diary, ending = soak(plan, own_trained_path, tmp_path / "log")

    counted, _ = diary.outcomes()
    assert not objections(diary, ending), describe(diary, ending)
    assert counted[ANSWERED] >= 20
    assert counted[REFUSED]
    assert diary.kills
    assert diary.held[0].resident > 0


def diary_of(*met: Met, seconds: float = 600) -> Diary:
    diary = Diary(seconds)
    diary.met += [Met(1, 1.1, "page", ANSWERED)] * 100
    diary.met += met
    diary.held += [Held(10, 100, 50, 20), Held(590, 110, 60, 22)]
    return diary


def test_a_quiet_diary_is_no_objection() -> None:
    assert objections(diary_of(), GOOD) == []
    assert describe(diary_of(), GOOD).endswith("verdict: good")


@pytest.mark.parametrize("outcome", [SERVER_ERROR, BROKEN, WRONG, UNEXPECTED])
def test_one_wrong_outcome_spoils_the_verdict(outcome: str) -> None:
    diary = diary_of(Met(300, 301, "page", outcome, "told"))

    assert objections(diary, GOOD) == [f"1 {outcome} that no kill explains"]
    assert "page: told" in describe(diary, GOOD)


@pytest.mark.parametrize(
    ("moment", "excused"), [(299, True), (300.5, True), (300 - GRACE - 1, False), (302, False)]
)
@pytest.mark.parametrize("outcome", [SERVER_ERROR, BROKEN])
def test_a_kill_explains_what_breaks_during_it_and_shortly_after(
    outcome: str, moment: float, *, excused: bool
) -> None:
    diary = diary_of(Met(300, 301, "page", outcome, "told"))
    diary.kills.append(moment)

    assert (objections(diary, GOOD) == []) is excused


def test_no_kill_explains_a_wrong_answer() -> None:
    diary = diary_of(Met(300, 301, "page", WRONG, "told"))
    diary.kills.append(300)

    assert objections(diary, GOOD)


@pytest.mark.parametrize(
    ("ending", "objection"),
    [
        (replace(GOOD, exit_code=1), "exit code 1"),
        (replace(GOOD, processes=(2, 1)), "2 workers before, 1 after"),
        (replace(GOOD, reloads=(3, 1)), "1 failed reloads"),
        (replace(GOOD, generations=(5, 4)), "generation 5 published, 4 served"),
    ],
)
def test_a_bad_ending_spoils_the_verdict(ending: Ending, objection: str) -> None:
    assert objections(diary_of(), ending) == [objection]


@pytest.mark.parametrize(
    ("held", "grown"),
    [
        (Held(590, 126, 50, 20), "memory"),
        (Held(590, 100, 110, 20), "open files"),
        (Held(590, 100, 50, 90), "threads"),
    ],
)
def test_growth_spoils_the_verdict_on_a_long_soak_alone(held: Held, grown: str) -> None:
    long, short = diary_of(), diary_of(seconds=60)
    long.held[-1] = held
    short.held[:] = [Held(0, 100, 50, 20), replace(held, moment=59)]

    assert objections(long, GOOD) == [f"{grown} grew by more than a quarter"]
    assert objections(short, GOOD) == []


def test_a_service_that_turns_many_away_is_too_busy() -> None:
    away = Met(5, 6, "page", TURNED_AWAY, "told")

    assert objections(diary_of(away), GOOD) == []
    assert objections(diary_of(*[away] * 10), GOOD) == ["10 of 110 requests turned away"]


@pytest.mark.parametrize(
    ("status", "body", "retry_after", "outcome"),
    [
        (200, b"right", None, ANSWERED),
        (200, b"wrong", None, WRONG),
        (500, b"", None, SERVER_ERROR),
        (503, b"", None, SERVER_ERROR),
        (503, b"", "1", TURNED_AWAY),
        (429, b"", "1", TURNED_AWAY),
        (404, b"", None, UNEXPECTED),
    ],
)
def test_an_answer_is_judged_by_its_status_and_by_what_it_says(
    status: int, body: bytes, retry_after: str | None, outcome: str
) -> None:
    assert judge(QUESTION, status, body, retry_after)[0] == outcome


def test_what_should_be_refused_must_be() -> None:
    bad = replace(QUESTION, statuses=(400,))

    assert judge(bad, 400, b"")[0] == REFUSED
    assert judge(bad, 200, b"right")[0] == UNEXPECTED


def test_the_same_seed_asks_the_same(devkit: Path) -> None:
    pictures = sorted((devkit / "JPEGImages").iterdir())

    def draw() -> list[tuple[str, bytes]]:
        questions = Questions(pictures, 10, random.Random(4))  # noqa: S311 - no secret
        return [(one.path, one.body) for _ in range(30) for one in (questions.good(), questions.bad())]

    assert draw() == draw()

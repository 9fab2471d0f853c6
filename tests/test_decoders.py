"""Decoder processes: pictures come back; whatever one falls over takes nothing else along."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image

from indexer import images
from indexer.errors import BoxError, ImageError, TooLargeError
from indexer.records import Box
from search_service.decoders import Decoders
from search_service.errors import RequestError
from tests.test_images import black_png, encoded

Found = TypeVar("Found")
Started = Callable[[], list[int]]
HOME = Path(__file__).parents[1]
NOISE = encoded(Image.effect_noise((320, 240), 80).convert("RGB"), "JPEG")
SLOW = encoded(Image.linear_gradient("L").resize((3_900, 3_900)).convert("LA"), compress_level=1)


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    """Two processes, started when they are needed."""
    pool = Decoders(count=2)
    yield pool
    pool.close()


@pytest.fixture
def started() -> Started:
    """Tells the decoder processes that this test started and that still run."""
    before = children_of(os.getpid())
    return lambda: [pid for pid in children_of(os.getpid()) if pid not in before]


def children_of(pid: int) -> list[int]:
    """The running decoder processes of a process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and b"search_service.decoder_process" in command:
            found.append(int(folder.name))
    return found


def wait_for(condition: Callable[[], Found]) -> Found:
    """What a condition gives, once that is something."""
    until = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < until, "waited for a minute"
        time.sleep(0.005)
    return found


def is_gone(pid: int) -> bool:
    """Whether a process ended, be it not yet waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def square(decoders: Decoders, data: bytes = NOISE) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return decoders.square(data, 64, "bicubic").pixels


def test_a_picture_is_the_same_as_decoded_here(decoders: Decoders) -> None:
    here = images.decode(NOISE, 64)

    there = decoders.square(NOISE, 64, "bicubic")

    assert (there.width, there.height) == (here.width, here.height) == (320, 240)
    assert np.array_equal(there.pixels, images.fit_square(here, 64, "bicubic"))
    assert decoders.thumbnail(NOISE, 64) == images.thumbnail(here, 64)


def test_a_part_is_the_same_as_decoded_here(decoders: Decoders) -> None:
    box = Box(10.5, 20, 200, 120)

    there = decoders.square(NOISE, 64, "bilinear", box)

    assert (there.width, there.height) == (320, 240)
    assert np.array_equal(there.pixels, images.fit_square(images.decode(NOISE, 64, box), 64, "bilinear"))


@pytest.mark.parametrize(
    ("data", "box", "error", "message"),
    [
        (b"hello", None, ImageError, "expected a picture"),
        (NOISE[:-400], None, ImageError, "damaged or cut off"),
        (NOISE, Box(400, 300, 500, 400), BoxError, "inside the picture of 320 x 240"),
        (black_png(10_000, 9_000), None, TooLargeError, "at most 80,000,000 pixels, found 10000 x 9000"),
    ],
    ids=["text", "cut off", "box outside", "too large"],
)
def test_a_refusal_is_the_same_as_here(
    decoders: Decoders, data: bytes, box: Box | None, error: type[ImageError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        decoders.square(data, 64, "bicubic", box)

    assert type(caught.value) is error


def test_a_large_picture_is_decoded(decoders: Decoders) -> None:
    large = decoders.square(black_png(5_000, 4_000), 64, "bicubic")

    assert (large.width, large.height) == (5_000, 4_000)
    assert not large.pixels.any()


def test_however_many_ask_only_so_many_processes_decode(decoders: Decoders, started: Started) -> None:
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda _: square(decoders), range(48)))

    assert all(np.array_equal(answers[0], one) for one in answers)
    assert 1 <= len(started()) <= 2


def test_they_start_when_told_to_and_end_when_closed(decoders: Decoders, started: Started) -> None:
    assert started() == []

    decoders.start()
    wait_for(lambda: len(started()) == 2)
    decoders.close()

    assert started() == []


def test_they_end_when_nobody_holds_them(started: Started) -> None:
    decoders = Decoders(count=1)
    square(decoders)

    del decoders

    assert started() == []


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT])
def test_a_crash_refuses_the_picture_it_is_at_and_no_other(decoders: Decoders, number: signal.Signals) -> None:
    with ThreadPoolExecutor(8) as clients:
        crashing = clients.submit(end_at_work, decoders, number)
        others = [clients.submit(square, decoders) for _ in range(20)]

        with pytest.raises(ImageError, match=f"one that crashes the decoder \\({number.name}\\)"):
            crashing.result()
        assert all(one.result().shape == (64, 64, 3) for one in others)
    assert square(decoders).shape == (64, 64, 3)


def test_a_decoder_killed_from_outside_says_to_try_again(decoders: Decoders) -> None:
    with pytest.raises(RequestError, match="ended from outside; try again") as caught:
        end_at_work(decoders, signal.SIGKILL)

    assert (caught.value.status, caught.value.code) == (503, "decoder_ended")
    assert square(decoders).shape == (64, 64, 3)


def test_one_that_died_while_it_had_nothing_to_do_is_not_missed(decoders: Decoders, started: Started) -> None:
    square(decoders)
    [idle] = started()

    os.kill(idle, signal.SIGKILL)
    wait_for(partial(is_gone, idle))

    assert square(decoders).shape == (64, 64, 3)


def test_what_takes_too_long_is_ended_and_the_next_answered() -> None:
    decoders = Decoders(count=1, seconds=0.1)
    with pytest.raises(ImageError, match=r"decodes within 0\.1 s, found one that takes longer"):
        square(decoders, SLOW)
    decoders.close()


def test_one_that_was_stopped_counts_as_taking_too_long(started: Started) -> None:
    decoders = Decoders(count=1, seconds=2)
    square(decoders)
    [stopped] = started()
    os.kill(stopped, signal.SIGSTOP)

    with pytest.raises(ImageError, match="takes longer"):
        square(decoders)

    assert square(decoders).shape == (64, 64, 3)
    assert stopped not in started()
    decoders.close()


def test_who_has_less_time_than_that_is_told_to_come_again(decoders: Decoders) -> None:
    with pytest.raises(RequestError, match="try again") as caught:
        decoders.thumbnail(SLOW, 64, seconds=0.05)

    assert (caught.value.status, caught.value.code) == (503, "busy")


def test_who_waits_for_a_process_waits_no_longer_than_asked() -> None:
    decoders = Decoders(count=1)
    square(decoders)
    with ThreadPoolExecutor(1) as other:
        slow = other.submit(square, decoders, SLOW)
        wait_for(at_work)

        with pytest.raises(RequestError, match="found all at other pictures"):
            decoders.square(NOISE, 64, "bicubic", seconds=0.001)

        assert slow.result().shape == (64, 64, 3)
    decoders.close()


def test_what_takes_too_much_memory_is_refused_and_the_next_answered() -> None:
    decoders = Decoders(count=1, megabytes=32)
    with pytest.raises(ImageError, match="takes at most 32 MB to decode, found one that takes more"):
        square(decoders, SLOW)

    assert square(decoders).shape == (64, 64, 3)
    decoders.close()


def test_fifty_crashes_leak_no_file_and_no_process(started: Started) -> None:
    decoders = Decoders(count=1)
    square(decoders)
    before = open_files()

    for _ in range(50):
        [process] = started()
        os.kill(process, signal.SIGSEGV)
        wait_for(partial(is_gone, process))
        square(decoders)

    assert open_files() == before
    assert len(started()) == 1
    decoders.close()


def test_none_is_left_after_the_service_itself_is_killed() -> None:
    program = (
        "import sys; from search_service.decoders import Decoders; decoders = Decoders(2); decoders.start();"
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as service:
        assert service.stdout is not None
        service.stdout.readline()
        wait_for(lambda: len(children_of(service.pid)) == 2)
        left = children_of(service.pid)
        service.kill()

    wait_for(lambda: all(map(is_gone, left)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_meant_for_the_service_does_not_end_them(
    decoders: Decoders, number: signal.Signals, started: Started
) -> None:
    square(decoders)
    [process] = started()

    os.kill(process, number)
    square(decoders)

    assert started() == [process]


def test_they_import_what_decoding_needs_and_no_more() -> None:
    program = "import sys; import search_service.decoder_process; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=True)

    assert not {"torch", "flask", "faiss", "sqlalchemy", "openvino", "click"} & set(loaded.stdout.split())


def end_at_work(decoders: Decoders, number: signal.Signals) -> None:
    """Ask for a picture that takes long, and send a signal to the process that is at it."""
    with ThreadPoolExecutor(1) as killer:
        killer.submit(lambda: os.kill(wait_for(at_work) or 0, number))
        square(decoders, SLOW)


def at_work() -> int | None:
    """A decoder process of ours that has the pixels of `SLOW` in memory."""
    return next((pid for pid in children_of(os.getpid()) if megabytes_of(pid) > 80), None)


def megabytes_of(pid: int) -> float:
    """Of a process, in memory."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * os.sysconf("SC_PAGESIZE") / 2**20

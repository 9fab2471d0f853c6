"""Telling that memory ran out, whichever library says so."""

import errno
from collections.abc import Iterator

# As observed under limits: of torch and OpenVINO, of C++ (faiss, too), of a thread that cannot be started, of
# oneDNN, and of a library that cannot be loaded.
_SAID = (
    "can't alloc", "bad_alloc", "can't start new thread", "could not create a primitive", "failed to map segment",
)  # fmt: skip


def ran_out(error: BaseException) -> bool:
    """Whether an error is of memory, or came of one that is."""
    return any(map(_tells, _causes(error)))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it came of, each once: pymilvus raises errors that are told to come of themselves."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _tells(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError | ImportError) and any(said in str(error) for said in _SAID)

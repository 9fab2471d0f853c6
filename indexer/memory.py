"""Telling that memory ran out, whichever library says so."""

import errno

# Of torch, of the C++ library (faiss, OpenVINO), and of Python where no thread can be started.
_SAID = ("can't allocate memory", "bad_alloc", "can't start new thread")


def ran_out(error: BaseException) -> bool:
    """Whether an error is of memory."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID)

"""Memory that ran out is known by whichever error tells of it, however deep."""

import errno

import pytest

from indexer.memory import ran_out


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("std::bad_alloc"), True),
        (ValueError("std::bad_alloc"), False),
        (caused(ValueError("wrong"), MemoryError()), True),
        (caused(ValueError("wrong"), KeyError("x")), False),
    ],
)
def test_an_error_tells_it_itself_or_by_what_it_came_of(error: Exception, told: bool) -> None:  # noqa: FBT001
    assert ran_out(error) == told


def test_an_error_that_came_of_itself_is_looked_at_once() -> None:
    error = ValueError("raised from itself")
    error.__cause__ = error

    assert not ran_out(caused(ValueError("wrong"), error))

"""The system's own locks (flock), and the file systems that have none: some network mounts and volumes."""

import errno
import fcntl
from pathlib import Path

from indexer.errors import StorageError

# Of a descriptor that is open, EBADF is what file systems say that emulate flock by locks of another kind.
_HAS_NONE = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}


class NoLocksError(StorageError):
    """A file system has no locks; the message says which, and what to do."""


def lock(descriptor: int, operation: int, path: Path) -> None:
    """Have the system lock what a descriptor of `path` is open on: see flock(2).

    Raises:
        BlockingIOError: another holds it, and it was not to be waited for.
        NoLocksError: the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, operation)
    except OSError as error:
        refuse_lack_of_locks(path, error)
        raise


def refuse_lack_of_locks(path: Path, error: OSError) -> None:
    """Return where an error of locking `path` is another one.

    Raises:
        NoLocksError: the file system has no locks.
    """
    if error.errno in _HAS_NONE:
        raise NoLocksError(
            f"expected a file system with locks (flock) at {path}, found one without ({error.strerror}), where "
            "two writers would spoil each other's work; write on a local disk, or mount it with locks"
        ) from error

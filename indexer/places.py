"""Where a devkit lies: a folder of this machine, or an address that fsspec reads from."""

import errno
import importlib
import io
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Self, cast
from urllib.parse import urlsplit

from indexer.errors import DatasetError

_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*(::[A-Za-z][\w+.-]*)*://")
_READERS = 16  # files that are asked for at once from afar, where the way takes longer than the reading
# Told to S3: what does not answer is given up within half a minute; and what was listed once may change.
_S3 = {
    "config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}},
    "use_listings_cache": False,
}
_OPTIONS: dict[str, dict[str, Any]] = {"s3": _S3, "s3a": _S3}

_opening = threading.Lock()


def place(text: str) -> Path:
    """The folder that a text names: a path, or an address such as `s3://bucket/VOC2012`.

    What comes of an address has what is used of a Path here, no more. Endpoint, keys and region are those of the
    standard settings of its protocol (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...), and are never kept.

    Raises:
        DatasetError: there is a name or a password in the address.
    """
    if not _ADDRESS.match(text):
        return Path(text)
    if "@" in urlsplit(text).netloc:
        raise DatasetError(
            "expected an address without name and password, found one with them, which would be kept with the "
            "collection; give them by the standard settings instead, such as AWS_ACCESS_KEY_ID"
        )
    return cast("Path", _Remote(text.rstrip("/") if PurePosixPath(text).name else text))


def absolute(folder: Path) -> str:
    """The text by which `place` finds a folder again from anywhere, by the links that it was named by.

    A link that is switched to another folder is so followed there.
    """
    return str(_remote(folder) or folder.absolute())


def listing(folder: Path) -> dict[str, bool]:
    """Names in a folder -> whether it is a file, by links too; empty where there is no such folder."""
    try:
        remote = _remote(folder)
        if remote:
            return remote.listing()
        with os.scandir(folder) as entries:
            return {entry.name: _is_file(entry) for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def readers(folder: Path) -> int:
    """How many threads should read files of a folder at once."""
    return _READERS if _remote(folder) else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, order=True)
class _Remote:
    """A file or folder by its address; can be sent to another process."""

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> Self:
        return type(self)(f"{self.address.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        return self.address.rstrip("/").rpartition("/")[2]

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Self:
        return type(self)(self.address.rstrip("/").rpartition("/")[0])

    def is_dir(self) -> bool:
        return self._kind() == "directory"

    def is_file(self) -> bool:
        return self._kind() == "file"

    def read_bytes(self) -> bytes:
        with self._told() as (files, path):
            return bytes(files.cat_file(path))

    def read_text(self, encoding: str) -> str:
        return self.read_bytes().decode(encoding)

    def open(self, _: str) -> BinaryIO:
        """To be read; in memory at once, as a picture is anyway."""
        return io.BytesIO(self.read_bytes())

    def iterdir(self) -> Iterator[Self]:
        return (self / name for name in self.listing())

    def listing(self) -> dict[str, bool]:
        """See the function of that name."""
        with self._told() as (files, path):
            found = files.ls(path, detail=True)
            own = path.rstrip("/")  # some list the folder itself, as an object without a name
            kinds = {one["name"].rstrip("/"): one["type"] == "file" for one in found}
            return {PurePosixPath(name).name: is_file for name, is_file in kinds.items() if name != own}

    def _kind(self) -> str | None:
        """None where there is nothing; fsspec's own questions say so of what cannot be reached, too."""
        try:
            with self._told() as (files, path):
                return str(files.info(path)["type"])
        except FileNotFoundError:
            return None

    @contextmanager
    def _told(self) -> Iterator[tuple[Any, str]]:
        """The file system, and the path there; what is not there is told as the system tells it.

        Raises:
            DatasetError: for every other reason: each protocol has errors of its own, and few are of one file.
        """
        try:
            yield _opened(self.address)
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.address) from None
        except IsADirectoryError:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.address) from None
        except (DatasetError, MemoryError):
            raise
        except Exception as error:  # botocore's, aiohttp's, of an unknown protocol
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DatasetError(
                f"expected to read {self.address}, found that it cannot be read ({reason:.200}); check address, "
                "network, and the settings of its protocol, such as AWS_ENDPOINT_URL and AWS_ACCESS_KEY_ID"
            ) from error


def _remote(folder: object) -> _Remote | None:
    return folder if isinstance(folder, _Remote) else None


def _opened(address: str) -> tuple[Any, str]:
    with _opening:  # fsspec would make a client for each thread that comes first
        path = _path_class()(address, **_OPTIONS.get(urlsplit(address).scheme, {}))
        return path.fs, path.path


@cache
def _path_class() -> Any:  # noqa: ANN401 - upath's
    try:
        return importlib.import_module("upath").UPath
    except ImportError as error:
        raise DatasetError(
            "expected universal-pathlib to be installed, found none; pip install '.[s3]'"
        ) from error

"""What readers on other machines need of a collection's folder beside vectors and records: small files, shared.

They are those of the published generation, the heads, and what was worked out; activation maps stay where the
collection was built. A folder that is a number never changes, so that a look at its name is enough.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from itertools import groupby
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from indexer import head_files
from indexer.durable import make_folder, settle, settle_folder
from indexer.errors import CollectionError
from indexer.generation_files import REDUCTION_FILE
from indexer.generations import MIRRORED, discard, generations, is_mirrored
from indexer.layout import BUILDING, DERIVED, GENERATIONS, KEPT_GENERATIONS, derived_folder
from indexer.manifest import COPY, FILENAME, Manifest
from indexer.writers_lock import only_writer

_PART = ".part"

Read = Callable[[str], bytes]
"""A path inside the collection -> the content that is shared of it."""


def files_to_share(folder: Path) -> dict[str, bytes]:
    """Path inside the collection -> content, of what readers elsewhere need of a generation's folder."""
    names = (FILENAME, COPY, REDUCTION_FILE)
    return {f"{GENERATIONS}/{folder.name}/{name}": (folder / name).read_bytes() for name in names}


def shared_manifest(number: int, read: Read) -> Manifest:
    """The manifest that is shared of a generation."""
    with TemporaryDirectory() as folder:
        (Path(folder) / FILENAME).write_bytes(read(f"{GENERATIONS}/{number:06d}/{FILENAME}"))
        return Manifest.load(Path(folder))


def files_beside(path: Path, folder: Path) -> tuple[str, dict[str, bytes]]:
    """Prefix, and path -> content, of all that lies in a folder beside the generations and is not half written."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != _PART)
    told = {file.relative_to(path).as_posix(): file for file in files}
    prefix = f"{folder.relative_to(path).as_posix()}/"
    return prefix, {name: file.read_bytes() for name, file in told.items() if f"/{BUILDING}/" not in name}


def bring_in(path: Path, shared: Mapping[str, str], read: Read) -> None:
    """Have a folder hold what is shared, path -> sha256, where it does not yet.

    Raises:
        CollectionError: the folder holds a generation of that number of another collection.
    """
    for folder, names in _by_folder(shared):
        if folder.parts[0] == DERIVED:
            _bring_files(path, names, shared, read)
        elif not (path / folder).is_dir():
            _bring_folder(path / folder, names, read)
    _check_same(path, shared)
    _prune(path)


def _by_folder(shared: Iterable[str]) -> list[tuple[PurePosixPath, list[str]]]:
    def folder(name: str) -> PurePosixPath:
        return PurePosixPath(name).parent

    return [(one, list(names)) for one, names in groupby(sorted(shared, key=folder), key=folder)]


def _bring_folder(folder: Path, names: list[str], read: Read) -> None:
    with only_writer(folder.parent):
        if folder.is_dir():
            return  # another process was quicker
        part = folder.parent / f"mirroring-{folder.name}"
        shutil.rmtree(part, ignore_errors=True)
        make_folder(part)
        if folder.parent.name == GENERATIONS:
            (part / MIRRORED).touch()
        for name in names:
            (part / PurePosixPath(name).name).write_bytes(read(name))
        settle_folder(part, folder)


def _bring_files(path: Path, names: list[str], shared: Mapping[str, str], read: Read) -> None:
    stale = [name for name in names if _digest(path / name) != shared[name]]
    if not stale:
        return
    with only_writer(path / DERIVED):
        for name in stale:
            file = path / name
            part = file.with_name(f"{file.name}{_PART}")
            make_folder(file.parent)
            part.write_bytes(read(name))
            settle(part, file)


def _check_same(path: Path, shared: Mapping[str, str]) -> None:
    for name, digest in shared.items():
        if name.endswith(f"/{FILENAME}") and _digest(path / name) != digest:
            raise CollectionError(
                f"expected {path / name} to be the one that is published, found another: the folder is of another "
                "collection, or was built apart from it; give an empty folder of the same name"
            )


def _prune(path: Path) -> None:
    """Delete former generations and heads that were brought in; those built here are the builder's to delete."""
    for folder in generations(path)[:-KEPT_GENERATIONS]:
        if is_mirrored(folder):
            discard(folder)
            shutil.rmtree(derived_folder(folder), ignore_errors=True)
    for task in head_files.tasks(path):
        with only_writer(task):
            head_files.prune(task)


def _digest(file: Path) -> str | None:
    try:
        return sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None

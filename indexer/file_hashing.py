"""The pictures of a devkit with the SHA-256 of their files, by which a build knows them again."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from indexer import images, places, voc
from indexer.memory import ran_out
from indexer.records import PICTURE, ListedImage, Notice


def hash_files(devkit: voc.DevkitImages, *, quiet: bool) -> tuple[list[tuple[ListedImage, str]], list[Notice]]:
    """The pictures with the sha256 of their files, and notices of files that cannot be read or lack their end."""
    listed, notices = [], []
    paths = [voc.picture_path(devkit.root, image.filename) for image in devkit.images]
    results = tqdm(read_files(paths), total=len(paths), unit=" files", desc="Reading", disable=quiet or None)
    for image, result in zip(devkit.images, results, strict=True):
        if isinstance(result, OSError):
            notices.append(Notice(PICTURE, image.filename, f"the file cannot be read ({result.strerror})"))
            continue
        listed.append((image, result.sha256))
        if result.lacks_end:
            reason = "the JPEG lacks its end marker; all of its rows are there"
            notices.append(Notice(PICTURE, image.filename, reason, used=True))
    return listed, notices


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file's sha256, 64 hexadecimal digits, and whether it is a JPEG without its end marker."""

    sha256: str
    lacks_end: bool


def read_files(paths: Sequence[Path]) -> Iterator[ReadFile | OSError]:
    """What is found in each file, in order, or why it cannot be read."""
    if not paths:
        return
    with ThreadPoolExecutor(places.readers(paths[0].parent)) as threads:
        yield from threads.map(_read, paths)


def _read(path: Path) -> ReadFile | OSError:
    try:
        data = path.read_bytes()
    except OSError as error:
        if ran_out(error):
            raise
        return error
    return ReadFile(hashlib.sha256(data).hexdigest(), images.lacks_end(data))

"""The pictures of a devkit with the SHA-256 of their files, by which a build knows them again."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from indexer import images, places, voc
from indexer.memory import ran_out
from indexer.records import PICTURE, ListedImage, Notice


def hash_files(devkit: voc.DevkitImages, *, quiet: bool) -> tuple[list[tuple[ListedImage, str]], list[Notice]]:
    """The pictures with the sha256 of their files, and notices of files that cannot be read or lack their end."""
    listed, notices = [], []
    paths = [voc.picture_path(devkit.root, image.filename) for image in devkit.images]
    with ThreadPoolExecutor(places.readers(devkit.root)) as threads:
        found = threads.map(_read, paths)
        results = tqdm(found, total=len(paths), unit=" files", desc="Reading", disable=quiet or None)
        for image, (sha256, told) in zip(devkit.images, results, strict=True):
            if told:
                notices.append(Notice(PICTURE, image.filename, told, used=sha256 is not None))
            if sha256 is not None:
                listed.append((image, sha256))
    return listed, notices


def _read(path: Path) -> tuple[str | None, str | None]:
    """The sha256 of a file, None where it cannot be read; and what is to be told of it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        if ran_out(error):
            raise
        return None, f"the file cannot be read ({error.strerror})"
    told = "the JPEG lacks its end marker; all of its rows are there" if images.lacks_end(data) else None
    return hashlib.sha256(data).hexdigest(), told

"""The pictures of a devkit with the SHA-256 of their files, by which a build knows them again."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from indexer import places, voc
from indexer.manifest import file_sha256
from indexer.memory import ran_out
from indexer.records import AnnotatedImage, SkippedImage


def hash_files(
    devkit: voc.DevkitImages, *, quiet: bool
) -> tuple[list[tuple[AnnotatedImage, str]], list[SkippedImage]]:
    """The pictures with the sha256 of their files, and those whose files cannot be read."""
    listed, unreadable = [], []
    paths = [voc.picture_path(devkit.root, image.filename) for image in devkit.images]
    results = tqdm(sha256_of_files(paths), total=len(paths), unit=" files", desc="Reading", disable=quiet or None)
    for image, result in zip(devkit.images, results, strict=True):
        if isinstance(result, OSError):
            unreadable.append(SkippedImage(image.filename, f"the file cannot be read ({result.strerror})"))
        else:
            listed.append((image, result))
    return listed, unreadable


def sha256_of_files(paths: Sequence[Path]) -> Iterator[str | OSError]:
    """The sha256 of each file, in order, or why it cannot be read."""
    if not paths:
        return
    with ThreadPoolExecutor(places.readers(paths[0].parent)) as threads:
        yield from threads.map(_sha256, paths)


def _sha256(path: Path) -> str | OSError:
    try:
        return file_sha256(path)
    except OSError as error:
        if ran_out(error):
            raise
        return error

"""A VOC devkit on disk <-> records: where its files lie, which pictures a split names, what annotations say.

Layout (VOC2012 devkit documentation, section 2): `JPEGImages/NAME.jpg`, `Annotations/NAME.xml`,
`ImageSets/Main/SPLIT.txt`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from indexer.annotation_xml import format_annotation, parse_objects
from indexer.errors import DatasetError
from indexer.images import SUFFIXES
from indexer.records import AnnotatedImage, SkippedImage

CLASS_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
ALL, UNANNOTATED = "all", "unannotated"
CREDITS_FILE = "CREDITS.txt"  # of a devkit's own, beside JPEGImages: whom its pictures are owed to

# A picture's own split is the last of these that names it.
_MEMBERSHIP_SPLITS = ("trainval", "train", "val", "test")


@dataclass(frozen=True, slots=True)
class DevkitImages:
    """The pictures of one split, sorted by filename, and those that it names but cannot give."""

    root: Path
    images: tuple[AnnotatedImage, ...]
    skipped: tuple[SkippedImage, ...]


def read_split(voc_root: Path, split: str = ALL) -> DevkitImages:
    """Read which pictures a split has and what their annotations say; decodes none of them.

    Args:
        voc_root: a folder with JPEGImages in it, or a VOCdevkit folder around exactly one such.
        split: a list's name in ImageSets/Main, "all" for every picture file, annotated or not,
            or "unannotated" for those without an annotation.

    Raises:
        DatasetError: no devkit there, an unknown split, or a split without any picture.
    """
    root = find_root(voc_root)
    files = _picture_files(root)
    stems = _stems(root, split, files)
    if not files:
        raise DatasetError(
            f"expected pictures in {root / 'JPEGImages'}, found none; formats: {', '.join(SUFFIXES)}"
        )
    if not stems:
        raise DatasetError(f"expected pictures in split {split!r} of {root}, found none; choose another split")
    split_of = _memberships(root, split)
    images, skipped = [], []
    for stem in sorted(stems):
        try:
            images.append(_read_image(root, stem, split_of.get(stem), files))
        except DatasetError as error:
            skipped.append(SkippedImage(_printable(files[stem].name if stem in files else stem), str(error)))
    return DevkitImages(root, tuple(sorted(images, key=lambda image: image.filename)), tuple(skipped))


def find_root(voc_root: Path) -> Path:
    """The folder that holds JPEGImages: `voc_root` itself, or the only VOC folder in it.

    Raises:
        DatasetError: there is none, or more than one to choose from.
    """
    if (voc_root / "JPEGImages").is_dir():
        return voc_root
    inner = sorted(path.parent for path in voc_root.glob("*/JPEGImages"))
    if len(inner) == 1:
        return inner[0]
    if inner:
        names = ", ".join(path.name for path in inner)
        raise DatasetError(f"{voc_root} holds several devkits ({names}); name one of them, e.g. {inner[0]}")
    raise DatasetError(f"expected a folder JPEGImages in {voc_root}, found none; give a folder in VOC layout")


def picture_path(root: Path, filename: str) -> Path:
    """Where a picture's file lies."""
    return root / "JPEGImages" / filename


def order_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once: the twenty of VOC in their own order, then any others by alphabet."""
    present = set(names)
    others = sorted(present.difference(CLASS_NAMES))
    return (*(name for name in CLASS_NAMES if name in present), *others)


def write_annotation(root: Path, image: AnnotatedImage, width: int, height: int) -> None:
    """Write `Annotations/NAME.xml` for a picture of `width` x `height` pixels."""
    path = _annotation_path(root, Path(image.filename).stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(format_annotation(image, root.name, width, height))


def write_lists(root: Path, images: Iterable[AnnotatedImage]) -> None:
    """Write `ImageSets/Main/SPLIT.txt` for each split that the images name, and `trainval.txt` for all of them."""
    images = sorted(images, key=lambda image: image.filename)
    lists = {split: [image for image in images if image.split == split] for split in ("train", "val", "test")}
    lists["trainval"] = [image for image in images if image.split in ("train", "val")]
    for name, members in lists.items():
        if members:
            path = _list_path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{Path(image.filename).stem}\n" for image in members), encoding="utf-8")


def _picture_files(root: Path) -> dict[str, Path]:
    """Name in lists and annotations -> file: the stem; the whole name for all but the first file of one stem."""
    paths = (path for path in (root / "JPEGImages").iterdir() if path.suffix.lower() in SUFFIXES)
    files: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (SUFFIXES.index(path.suffix.lower()), path.name)):
        if not path.name.startswith("."):
            files[path.name if path.stem in files else path.stem] = path
    return files


def _stems(root: Path, split: str, files: dict[str, Path]) -> set[str]:
    if split == ALL:
        return set(files)
    if split == UNANNOTATED:
        return {stem for stem in files if not _annotation_path(root, stem).is_file()}
    if Path(split).name != split or not _list_path(root, split).is_file():
        known = sorted(path.stem for path in (root / "ImageSets" / "Main").glob("*.txt") if path.is_file())
        raise DatasetError(
            f"expected a list ImageSets/Main/{split}.txt in {root}, found none; "
            f"splits there: {', '.join((*known, ALL, UNANNOTATED))}"
        )
    return _read_list(root, split)


def _memberships(root: Path, split: str) -> dict[str, str]:
    """Stem -> its split; a list of another name than VOC's counts for those that none of VOC's names."""
    split_of: dict[str, str] = {}
    for name in (split, *_MEMBERSHIP_SPLITS):
        if _list_path(root, name).is_file():
            split_of.update(dict.fromkeys(_read_list(root, name), name))
    return split_of


def _list_path(root: Path, split: str) -> Path:
    return root / "ImageSets" / "Main" / f"{split}.txt"


def _annotation_path(root: Path, stem: str) -> Path:
    return root / "Annotations" / f"{stem}.xml"


def _read_list(root: Path, split: str) -> set[str]:
    """Names are the first column; the lists of single classes have a second, -1, 0 or 1."""
    path = _list_path(root, split)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"expected names in {path}, one a line in UTF-8, found other bytes; mend it") from error
    return {columns[0] for columns in map(str.split, lines) if columns}


def _read_image(root: Path, stem: str, split: str | None, files: dict[str, Path]) -> AnnotatedImage:
    if stem not in files:
        raise DatasetError(f"expected a picture {stem} ({', '.join(SUFFIXES)}) in JPEGImages, found none")
    if not files[stem].is_file():
        raise DatasetError("expected a file, found a folder, a pipe, or a link that leads nowhere")
    if files[stem].name != _printable(files[stem].name):
        raise DatasetError("expected a file name in UTF-8, found other bytes; rename the file")
    annotation = _annotation_path(root, stem)
    try:
        objects = parse_objects(annotation.read_bytes()) if annotation.is_file() else ()
    except DatasetError as error:
        raise DatasetError(f"{annotation.name}: {error}") from error
    return AnnotatedImage(filename=files[stem].name, split=split, objects=objects)


def _printable(name: str) -> str:
    """The name itself; where its bytes are not UTF-8, with escapes in their place."""
    return name.encode("utf-8", "backslashreplace").decode()

"""A VOC devkit on disk <-> records: where its files lie, which pictures a split names, what annotations say.

Layout (VOC2012 devkit documentation, section 2): `JPEGImages/NAME.jpg`, `Annotations/NAME.xml`,
`ImageSets/Main/SPLIT.txt`.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath

from indexer import places
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
    devkit = _Devkit.list(root)
    files = devkit.files
    stems = _stems(devkit, split)
    if not files:
        raise DatasetError(
            f"expected pictures in {root / 'JPEGImages'}, found none; formats: {', '.join(SUFFIXES)}"
        )
    if not stems:
        raise DatasetError(f"expected pictures in split {split!r} of {root}, found none; choose another split")
    split_of = _memberships(devkit, split)
    with ThreadPoolExecutor(places.readers(root)) as threads:
        read = list(threads.map(lambda stem: _try_image(devkit, stem, split_of.get(stem)), sorted(stems)))
    images = sorted((one for one in read if isinstance(one, AnnotatedImage)), key=lambda image: image.filename)
    return DevkitImages(root, tuple(images), tuple(one for one in read if isinstance(one, SkippedImage)))


def find_root(voc_root: Path) -> Path:
    """The folder that holds JPEGImages: `voc_root` itself, or the only VOC folder in it.

    Raises:
        DatasetError: there is none, or more than one to choose from.
    """
    if (voc_root / "JPEGImages").is_dir():
        return voc_root
    inside = sorted(name for name, is_file in places.listing(voc_root).items() if not is_file)
    inner = [voc_root / name for name in inside if (voc_root / name / "JPEGImages").is_dir()]
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


@dataclass(frozen=True, slots=True)
class _Devkit:
    """What lies in a devkit, each folder listed once: to ask for each file by itself takes long where it is far.

    Attributes:
        root: the folder that holds JPEGImages.
        files: name in lists and annotations -> picture: its stem; its whole name where another has that stem.
        regular: names of the pictures that are files indeed.
        annotated: stems of the annotations.
        splits: names of the lists.
    """

    root: Path
    files: dict[str, Path]
    regular: frozenset[str]
    annotated: frozenset[str]
    splits: frozenset[str]

    @classmethod
    def list(cls, root: Path) -> "_Devkit":
        """Look into a devkit."""
        pictures = places.listing(root / "JPEGImages")
        annotated, splits = (
            frozenset(
                name.removesuffix(suffix)
                for name, is_file in places.listing(folder).items()
                if is_file and name.endswith(suffix)
            )
            for folder, suffix in ((root / "Annotations", ".xml"), (root / "ImageSets" / "Main", ".txt"))
        )
        regular = frozenset(name for name, is_file in pictures.items() if is_file)
        return cls(root, _picture_files(root, pictures), regular, annotated, splits)


def _picture_files(root: Path, names: Iterable[str]) -> dict[str, Path]:
    paths = [PurePath(name) for name in names]
    paths = [path for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    files: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (SUFFIXES.index(path.suffix.lower()), path.name)):
        files[path.name if path.stem in files else path.stem] = picture_path(root, path.name)
    return files


def _stems(devkit: _Devkit, split: str) -> set[str]:
    if split == ALL:
        return set(devkit.files)
    if split == UNANNOTATED:
        return set(devkit.files) - devkit.annotated
    if split not in devkit.splits:
        raise DatasetError(
            f"expected a list ImageSets/Main/{split}.txt in {devkit.root}, found none; "
            f"splits there: {', '.join((*sorted(devkit.splits), ALL, UNANNOTATED))}"
        )
    return _read_list(devkit.root, split)


def _memberships(devkit: _Devkit, split: str) -> dict[str, str]:
    """Stem -> its split; a list of another name than VOC's counts for those that none of VOC's names."""
    split_of: dict[str, str] = {}
    for name in (split, *_MEMBERSHIP_SPLITS):
        if name in devkit.splits:
            split_of.update(dict.fromkeys(_read_list(devkit.root, name), name))
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


def _try_image(devkit: _Devkit, stem: str, split: str | None) -> AnnotatedImage | SkippedImage:
    try:
        return _read_image(devkit, stem, split)
    except DatasetError as error:
        name = devkit.files[stem].name if stem in devkit.files else stem
        return SkippedImage(_printable(name), str(error))


def _read_image(devkit: _Devkit, stem: str, split: str | None) -> AnnotatedImage:
    files = devkit.files
    if stem not in files:
        raise DatasetError(f"expected a picture {stem} ({', '.join(SUFFIXES)}) in JPEGImages, found none")
    if files[stem].name not in devkit.regular:
        raise DatasetError("expected a file, found a folder, a pipe, or a link that leads nowhere")
    if files[stem].name != _printable(files[stem].name):
        raise DatasetError("expected a file name in UTF-8, found other bytes; rename the file")
    annotation = _annotation_path(devkit.root, stem)
    content = annotation.read_bytes() if stem in devkit.annotated else None
    try:
        objects = () if content is None else parse_objects(content)
    except DatasetError as error:
        raise DatasetError(f"{annotation.name}: {error}") from error
    return AnnotatedImage(filename=files[stem].name, split=split, objects=objects)


def _printable(name: str) -> str:
    """The name itself; where its bytes are not UTF-8, with escapes in their place."""
    return name.encode("utf-8", "backslashreplace").decode()

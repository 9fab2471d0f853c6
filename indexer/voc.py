"""A VOC devkit on disk <-> records: where its files lie, which pictures a split names, what annotations say.

Layout (VOC2012 devkit documentation, section 2): `JPEGImages/NAME.jpg`, `Annotations/NAME.xml`,
`ImageSets/Main/SPLIT.txt`. Annotations beside the pictures, where some tools leave them, and lists in `ImageSets`
itself count where the other folder has none.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path, PurePath

from indexer import places
from indexer.annotation_xml import Annotation, format_annotation, parse_annotation
from indexer.errors import DatasetError
from indexer.image_lists import ImageList, PictureNames, assign_splits, name_strangers, parse_list
from indexer.images import SUFFIXES
from indexer.memory import ran_out
from indexer.records import ANNOTATION, LINE, OBJECT, PICTURE, AnnotatedImage, ListedImage, Notice

CLASS_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
ALL, UNANNOTATED = "all", "unannotated"
CREDITS_FILE = "CREDITS.txt"  # of a devkit's own, beside JPEGImages: whom its pictures are owed to

_PICTURES, _ANNOTATIONS, _LISTS = "JPEGImages", "Annotations", ("ImageSets/Main", "ImageSets")
_SYSTEM_FILES = frozenset({"desktop.ini", "thumbs.db"})  # which Windows leaves in folders of pictures


@dataclass(frozen=True, slots=True)
class DevkitImages:
    """The pictures of one split, and an account of all that the devkit gives.

    Attributes:
        root: the folder that holds JPEGImages.
        images: sorted by filename.
        notices: what is not used, or not as it stands.
        given: kind -> how many of it there are; objects are those of the annotations that were read.
        used: kind -> how many of these are used, of annotations and lines.
        outside: annotations of pictures that are not of the split.
    """

    root: Path
    images: tuple[ListedImage, ...]
    notices: tuple[Notice, ...]
    given: Mapping[str, int]
    used: Mapping[str, int]
    outside: int


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
    pictures, annotation_of, notices = _list_files(root)
    if not pictures:
        raise DatasetError(
            f"expected pictures in {root / _PICTURES}, found none{_why(notices)}; formats: {', '.join(SUFFIXES)}; "
            "folders in it are not looked into: put the pictures, or links to them, into JPEGImages itself"
        )
    annotations = len(annotation_of) + sum(notice.kind == ANNOTATION for notice in notices)
    with ThreadPoolExecutor(places.readers(root)) as threads:
        lists, no_lists = _read_lists(root, PictureNames(pictures), threads)
        chosen = _choose(root, split, pictures, annotation_of, lists)
        split_of, doubled = assign_splits(lists, split)
        strangers = name_strangers(list(lists.values()))
        if not chosen:
            raise DatasetError(
                f"expected pictures in split {split!r} of {root}, found none{_why(strangers)}; "
                "mend its list, or choose another split"
            )
        paths = [annotation_of[name] for name in chosen if name in annotation_of]
        read = dict(zip(paths, threads.map(lambda path: _read_annotation(root, path), paths), strict=True))
    known = {path: found for path, found in read.items() if isinstance(found, Annotation)}
    notices += [Notice(ANNOTATION, path, found) for path, found in read.items() if isinstance(found, str)]
    for path, found in known.items():
        notices += [Notice(OBJECT, path, reason) for reason in found.refused]
        notices += [Notice(OBJECT, path, how, used=True) for how in found.changed]
    lines = sum(one.lines for one in lists.values())
    unused_lines = len(doubled) + sum(len(one.strangers) for one in lists.values())
    return DevkitImages(
        root,
        tuple(_listed(name, split_of.get(name), annotation_of.get(name), known) for name in chosen),
        tuple(sorted((*notices, *no_lists, *strangers, *doubled))),
        given={
            ANNOTATION: annotations,
            OBJECT: sum(len(found.objects) + len(found.refused) for found in known.values()),
            LINE: lines,
        },
        used={ANNOTATION: len(known), LINE: lines - unused_lines},
        outside=len(annotation_of) - len(paths),
    )


def find_root(voc_root: Path) -> Path:
    """The folder that holds JPEGImages: `voc_root` itself, or the only VOC folder in it.

    Raises:
        DatasetError: there is none, or more than one to choose from.
    """
    if (voc_root / _PICTURES).is_dir():
        return voc_root
    inside = sorted(name for name, is_file in places.listing(voc_root).items() if not is_file)
    inner = [voc_root / name for name in inside if (voc_root / name / _PICTURES).is_dir()]
    if len(inner) == 1:
        return inner[0]
    if inner:
        names = ", ".join(path.name for path in inner)
        raise DatasetError(f"{voc_root} holds several devkits ({names}); name one of them, e.g. {inner[0]}")
    raise DatasetError(f"expected a folder JPEGImages in {voc_root}, found none; give a folder in VOC layout")


def picture_path(root: Path, filename: str) -> Path:
    """Where a picture's file lies."""
    return root / _PICTURES / filename


def order_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once: the twenty of VOC in their own order, then any others by alphabet."""
    present = set(names)
    others = sorted(present.difference(CLASS_NAMES))
    return (*(name for name in CLASS_NAMES if name in present), *others)


def write_annotation(root: Path, image: AnnotatedImage, width: int, height: int) -> None:
    """Write `Annotations/NAME.xml` for a picture of `width` x `height` pixels."""
    path = root / _ANNOTATIONS / f"{Path(image.filename).stem}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(format_annotation(image, root.name, width, height))


def write_lists(root: Path, images: Iterable[AnnotatedImage]) -> None:
    """Write `ImageSets/Main/SPLIT.txt` for each split that the images name, and `trainval.txt` for all of them."""
    images = sorted(images, key=lambda image: image.filename)
    lists = {split: [image for image in images if image.split == split] for split in ("train", "val", "test")}
    lists["trainval"] = [image for image in images if image.split in ("train", "val")]
    for name, members in lists.items():
        if members:
            path = root / _LISTS[0] / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{Path(image.filename).stem}\n" for image in members), encoding="utf-8")


def _list_files(root: Path) -> tuple[list[str], dict[str, str], list[Notice]]:
    """Filenames of the pictures, filename -> path of its annotation, and notices of what is neither.

    Each folder is listed once: to ask for each file by itself takes long where it is far.
    """
    pictures: list[str] = []
    annotations: list[str] = []
    notices: list[Notice] = []
    for folder, kind in ((_ANNOTATIONS, ANNOTATION), (_PICTURES, PICTURE)):
        for name, is_file in sorted(places.listing(root / folder).items()):
            if name.startswith(".") or name.lower() in _SYSTEM_FILES:
                continue
            ending = PurePath(name).suffix.lower()
            trouble = _trouble(root / folder / name, is_file=is_file, known=ending in (*SUFFIXES, ".xml"))
            path = _printable(name) if folder == _PICTURES else f"{folder}/{_printable(name)}"
            if trouble:
                notices.append(Notice(kind, path, trouble))
            elif ending == ".xml":
                annotations.append(f"{folder}/{name}")
            elif folder == _PICTURES:
                pictures.append(name)
            else:
                notices.append(Notice(kind, path, "expected a VOC annotation (.xml), found a picture"))
    names = PictureNames(pictures)
    annotation_of: dict[str, str] = {}
    for path in annotations:
        picture = names.find(path.partition("/")[2][: -len(".xml")])
        if picture is None:
            notices.append(Notice(ANNOTATION, path, "no picture in JPEGImages has this name"))
        elif picture in annotation_of:
            notices.append(Notice(ANNOTATION, path, f"{annotation_of[picture]} is read for {picture} instead"))
        else:
            annotation_of[picture] = path
    return pictures, annotation_of, notices


def _trouble(path: Path, *, is_file: bool, known: bool) -> str | None:
    """Why a file, known by its ending or not, is neither read as a picture nor as an annotation."""
    if path.name != _printable(path.name):
        return "expected a file name in UTF-8, found other bytes; rename the file"
    if not is_file:
        if path.is_dir():
            return "expected a file, found a folder; move what is in it one folder up"
        return "expected a file, found a pipe, or a link that leads nowhere"
    return None if known else f"expected a known ending ({', '.join(SUFFIXES)}), found another"


def _read_lists(
    root: Path, names: PictureNames, threads: ThreadPoolExecutor
) -> tuple[dict[str, ImageList], list[Notice]]:
    """Split -> its list, and notices of files that are no lists."""
    paths: list[str] = []
    notices: list[Notice] = []
    for folder in _LISTS:
        for name, is_file in sorted(places.listing(root / folder).items()):
            path = f"{folder}/{name}"
            if is_file and name.lower().endswith(".txt") and not name.startswith("."):
                paths.append(path)
            elif folder == _LISTS[0] and not name.startswith(".") and name.lower() not in _SYSTEM_FILES:
                notices.append(
                    Notice(LINE, _printable(path), "expected a list (NAME.txt), found another kind of file")
                )
        if paths:
            break
    lists: dict[str, ImageList] = {}
    for path, content in zip(paths, threads.map(lambda path: _join(root, path).read_bytes(), paths), strict=True):
        split = PurePath(path).stem
        lists[split if split not in lists else PurePath(path).name] = parse_list(path, content, names)
    return lists, notices


def _choose(
    root: Path,
    split: str,
    pictures: Iterable[str],
    annotation_of: Mapping[str, str],
    lists: Mapping[str, ImageList],
) -> list[str]:
    """Filenames of the pictures of a split, sorted."""
    if split == ALL:
        return sorted(pictures)
    if split == UNANNOTATED:
        return sorted(set(pictures).difference(annotation_of))
    if split not in lists:
        raise DatasetError(
            f"expected a list {_LISTS[0]}/{split}.txt in {root}, found none; "
            f"splits there: {', '.join((*sorted(lists), ALL, UNANNOTATED))}"
        )
    return sorted(lists[split].members)


def _read_annotation(root: Path, path: str) -> Annotation | str:
    """What an annotation file says, or why it cannot be read."""
    try:
        return parse_annotation(_join(root, path).read_bytes())
    except DatasetError as error:
        return str(error)
    except OSError as error:
        if ran_out(error):
            raise
        return f"the file cannot be read ({error.strerror})"


def _listed(filename: str, split: str | None, path: str | None, known: Mapping[str, Annotation]) -> ListedImage:
    if path is None or path not in known:
        return ListedImage(filename=filename, split=split, objects=())
    found = known[path]
    return ListedImage(
        filename=filename, split=split, objects=found.objects, annotation=path, annotated_size=found.size
    )


def _join(root: Path, path: str) -> Path:
    """A path inside the devkit; a name at a time, as addresses are joined."""
    return reduce(lambda folder, name: folder / name, path.split("/"), root)


def _why(notices: Iterable[Notice]) -> str:
    """The first of notices, to be told with an error."""
    return next((f" ({notice.name}: {notice.reason})" for notice in notices), "")


def _printable(name: str) -> str:
    """The name itself; where its bytes are not UTF-8, with escapes in their place."""
    return name.encode("utf-8", "backslashreplace").decode()

"""Tagged pictures as files that other tools read: VOC XML, YOLO, COCO JSON, Label Studio JSON, CSV.

What is added is on the disk before the next is asked for, and what has its name is whole, however a run ends.
"""

import errno
import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import ClassVar, Self
from urllib.parse import quote

from indexer import durable
from indexer.annotation_xml import format_annotation
from indexer.csv_rows import format_rows
from indexer.errors import DatasetError, StorageError
from indexer.images import SUFFIXES
from indexer.records import AnnotatedImage, Box, ObjectLabel
from localizer.records import Prediction

# What can be wrong with the name of one file; whatever else is wrong is wrong with all.
_OF_ONE_NAME = {
    errno.EACCES, errno.EEXIST, errno.EILSEQ, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
    errno.ENOTDIR, errno.ENOTEMPTY, errno.EPERM,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedPicture:
    """One picture file and what was found in it.

    Attributes:
        name: path of the file inside its folder, with forward slashes.
        width: pixels, as shown.
        height: pixels, as shown.
        objects: best first.
    """

    name: str
    width: int
    height: int
    objects: tuple[Prediction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is known before the first picture is tagged.

    Attributes:
        folder: name of the folder that the pictures lie in.
        names: of all pictures that may come, as those of `TaggedPicture`, in the order in which they come.
        classes: all that may be found.
        model: which heads they are found by.
    """

    folder: str
    names: Sequence[str]
    classes: Sequence[str]
    model: str


class Export(ABC):
    """Where tagged pictures are written, one after the other; a context, whose end publishes what was added."""

    @abstractmethod
    def add(self, picture: TaggedPicture) -> None:
        """Write a picture.

        Raises:
            StorageError: its name can have no file here; others can.
            OSError: nothing more can be written; what was added before is whole.
        """

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...


class _FilePerPicture(Export):
    """A folder with a file for each picture, there as soon as it is added, in the place of a former one."""

    def __init__(self, out: Path, source: Source) -> None:
        """Name the files, and see whether files can be written.

        Raises:
            StorageError: there is a file in the folder's place.
            DatasetError: two pictures would have one file.
            OSError: nothing can be written there.
        """
        if out.exists() and not out.is_dir():
            raise StorageError(f"expected a folder to write to, found a file: {out}; name a folder")
        self._out = out
        self.files = self._distinct_files(source.names, str)
        out.mkdir(parents=True, exist_ok=True)
        if _ignores_case(out):
            self.files = self._distinct_files(source.names, str.casefold)

    def add(self, picture: TaggedPicture) -> None:
        """See `Export`."""
        try:
            self._write(self.files[picture.name], self._content(picture))
        except OSError as error:
            if error.errno not in _OF_ONE_NAME:
                raise
            raise StorageError(f"its file cannot be written ({error.strerror})") from error

    def __exit__(self, *_: object) -> None:
        """All is there already."""

    def _distinct_files(self, names: Sequence[str], fold: Callable[[str], str]) -> dict[str, str]:
        files = self._name_files(names, fold)
        pictures: dict[str, str] = {}
        for name, file in files.items():
            other = pictures.setdefault(fold(file), name)
            if other != name:
                raise DatasetError(
                    f"expected pictures that have files of their own in this format, found {other} and {name}, "
                    f"which would share {file}; rename one of them, or choose another format"
                )
        return files

    def _write(self, name: str, content: bytes) -> None:
        path = self._out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(_part_name())
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @abstractmethod
    def _name_files(self, names: Sequence[str], fold: Callable[[str], str]) -> dict[str, str]:
        """A picture's name -> that of its file; names that `fold` makes equal would be one file."""

    @abstractmethod
    def _content(self, picture: TaggedPicture) -> bytes:
        """Of a picture's file."""


class _OneFile(Export):
    """A file of all pictures, which has its name from the end on.

    Until then it lies beside, and is whole after each picture: what closes it is written behind each anew.
    """

    def __init__(self, out: Path, head: bytes, tail: bytes = b"") -> None:
        """Begin the file.

        Raises:
            StorageError: what has its name is no file, or may be a picture.
            OSError: it cannot be written there.
        """
        if out.exists() and not out.is_file():
            raise StorageError(f"expected a file to write to, found a folder or a device: {out}; name a file")
        if out.suffix.lower() in SUFFIXES:
            raise StorageError(f"expected a file to write to, found the name of a picture: {out}; name another")
        self._path = Path(os.path.realpath(out))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._part = self._path.with_name(f"{self._path.name}.part")
        self._file = self._part.open("wb", buffering=0)
        self._tail, self._end, self._added = tail, len(head), 0
        try:
            self._put(0, head + tail)
        except BaseException:
            self._drop()
            raise

    def add(self, picture: TaggedPicture) -> None:
        """See `Export`."""
        self._append(picture)
        self._added += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Give the file its name; where nothing was added before an error, leave a former one there."""
        if kind and not self._added:
            self._drop()
            return
        self._file.close()
        durable.settle(self._part, self._path)

    @abstractmethod
    def _append(self, picture: TaggedPicture) -> None:
        """Write a picture, or nothing of it."""

    def _drop(self) -> None:
        self._file.close()
        self._part.unlink()

    def _extend(self, content: bytes, blank: int = 0, filled: bytes = b"") -> None:
        """Write content behind the rest, and over what is blank at an offset; both, or none."""
        try:
            self._put(blank, filled)
            self._put(self._end, content + self._tail)
        except BaseException:
            self._put(blank, b" " * len(filled))  # all where it was before: this needs no room on the disk
            self._put(self._end, self._tail)
            self._file.truncate(self._end + len(self._tail))
            raise
        self._end += len(content)

    def _put(self, offset: int, content: bytes) -> None:
        self._file.seek(offset)
        while content:
            content = content[self._file.write(content) :]


class VocFolder(_FilePerPicture):
    """An XML file for each picture; corners in whole pixels, as labelling tools expect them."""

    def _name_files(self, names: Sequence[str], fold: Callable[[str], str]) -> dict[str, str]:
        """After the picture without its ending, as annotations are named; with it where that names another one.

        So it is what `indexer.image_lists.PictureNames` finds the picture by.
        """
        whole, short = {fold(name) for name in names}, set()
        files = {}
        for name in sorted(names, key=lambda name: (SUFFIXES.index(PurePath(name).suffix.lower()), name)):
            stem = fold(_stem(name))
            files[name] = f"{name}.xml" if stem in whole or stem in short else f"{_stem(name)}.xml"
            short.add(stem)
        return files

    def _content(self, picture: TaggedPicture) -> bytes:
        path = PurePath(picture.name)
        labels = tuple(
            ObjectLabel(one.class_name, _whole(one.box), pose="Unspecified", truncated=False, difficult=False)
            for one in picture.objects
        )
        image = AnnotatedImage(filename=path.name, split=None, objects=labels)
        probabilities = [one.probability for one in picture.objects]
        folder = path.parent.name or "JPEGImages"
        return format_annotation(image, folder, picture.width, picture.height, probabilities)


class YoloFolder(_FilePerPicture):
    """`labels/NAME.txt` for each picture, and `data.yaml`: https://docs.ultralytics.com/datasets/detect/.

    A line is class, centre and size, these as shares of the picture's size. It has no probability: what trains on
    such files takes lines of five numbers alone. Readers expect the pictures in a folder `images` beside `labels`.
    """

    def __init__(self, out: Path, source: Source) -> None:
        super().__init__(out, source)
        self._ids = {name: number for number, name in enumerate(source.classes)}
        names = "".join(f"  {number}: {_yaml(name)}\n" for name, number in self._ids.items())
        self._write("data.yaml", f"train: images\nval: images\nnames:\n{names}".encode())

    def _name_files(self, names: Sequence[str], _: Callable[[str], str]) -> dict[str, str]:
        """After the picture without its ending: readers look nowhere else."""
        return {name: f"labels/{_stem(name)}.txt" for name in names}

    def _content(self, picture: TaggedPicture) -> bytes:
        lines = []
        for one in picture.objects:
            xmin, ymin, xmax, ymax = one.box.corners
            across, down = (xmin + xmax) / 2 / picture.width, (ymin + ymax) / 2 / picture.height
            sides = f"{(xmax - xmin) / picture.width:.6f} {(ymax - ymin) / picture.height:.6f}"
            lines.append(f"{self._ids[one.class_name]} {across:.6f} {down:.6f} {sides}\n")
        return "".join(lines).encode()


class CocoFile(_OneFile):
    """JSON as of https://cocodataset.org/#format-data; each box has its `score`, as results have, and is its mask.

    An image is a line of its own, left blank until it comes, so that the annotations can follow all of them.
    """

    def __init__(self, out: Path, source: Source) -> None:
        self._ids = {name: number for number, name in enumerate(source.classes, start=1)}
        categories = [{"id": number, "name": name} for name, number in self._ids.items()]
        info = {"description": f"Predicted by {source.model}"}
        head = f'{{"info": {json.dumps(info)},\n"categories": {json.dumps(categories)},\n"images": [\n'
        self._images: dict[str, tuple[int, int, int]] = {}  # name -> offset, room, id
        offset = len(head)
        for number, name in enumerate(source.names, start=1):
            room = len(_coco_image(number, name, 10**9, 10**9)) + 1
            self._images[name] = (offset, room, number)
            offset += room + 1
        blank = "".join(f"{'':{room}}\n" for _, room, _ in self._images.values())
        self._annotations = 0
        super().__init__(out, f'{head}{blank}],\n"annotations": [\n'.encode(), b"]}\n")

    def _append(self, picture: TaggedPicture) -> None:
        offset, room, number = self._images[picture.name]
        image = ("," if self._added else "") + _coco_image(number, picture.name, picture.width, picture.height)
        annotations = [
            self._annotation(place, number, one)
            for place, one in enumerate(picture.objects, start=self._annotations + 1)
        ]
        self._extend(_records(annotations, first=not self._annotations), offset, image.ljust(room).encode())
        self._annotations += len(annotations)

    def _annotation(self, place: int, image_id: int, found: Prediction) -> dict[str, object]:
        xmin, ymin, xmax, ymax = (round(value, 2) for value in found.box.corners)
        return {
            "id": place,
            "image_id": image_id,
            "category_id": self._ids[found.class_name],
            "bbox": [xmin, ymin, round(xmax - xmin, 2), round(ymax - ymin, 2)],
            "segmentation": [[xmin, ymin, xmax, ymin, xmax, ymax, xmin, ymax]],  # empty, it fails in pycocotools
            "area": round((xmax - xmin) * (ymax - ymin), 2),
            "iscrowd": 0,
            "score": round(found.probability, 4),
        }


class LabelStudioFile(_OneFile):
    """Tasks with predictions: https://labelstud.io/guide/predictions; the names are those of its own converters.

    Pictures are those that it serves from local files where its document root is the folder around the tagged one.
    """

    def __init__(self, out: Path, source: Source) -> None:
        self._folder, self._model = source.folder, source.model
        super().__init__(out, b"[\n", b"]\n")

    def _append(self, picture: TaggedPicture) -> None:
        regions = [self._region(str(place), one, picture) for place, one in enumerate(picture.objects, start=1)]
        scores = [one.probability for one in picture.objects]
        score = round(sum(scores) / len(scores), 4) if scores else 0
        file = quote(os.fsencode(f"{self._folder}/{picture.name}"))
        predictions = [{"model_version": self._model, "score": score, "result": regions}]
        task = {"data": {"image": f"/data/local-files/?d={file}"}, "predictions": predictions}
        self._extend(_records([task], first=not self._added))

    def _region(self, place: str, found: Prediction, picture: TaggedPicture) -> dict[str, object]:
        box = found.box
        value = {
            "x": 100 * box.xmin / picture.width,
            "y": 100 * box.ymin / picture.height,
            "width": 100 * (box.xmax - box.xmin) / picture.width,
            "height": 100 * (box.ymax - box.ymin) / picture.height,
        }
        return {
            "id": place,
            "type": "rectanglelabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": picture.width,
            "original_height": picture.height,
            "image_rotation": 0,
            "value": {
                **{name: round(share, 4) for name, share in value.items()},
                "rotation": 0,
                "rectanglelabels": [found.class_name],
            },
            "score": round(found.probability, 4),
        }


class CsvFile(_OneFile):
    """A line for each object."""

    HEADER: ClassVar = (
        "file", "width", "height", "class", "probability", "predicted_iou", "xmin", "ymin", "xmax", "ymax",
    )  # fmt: skip

    def __init__(self, out: Path, _: Source) -> None:
        super().__init__(out, format_rows([self.HEADER]))

    def _append(self, picture: TaggedPicture) -> None:
        rows = [
            (
                *(picture.name, picture.width, picture.height, one.class_name),
                *(round(value, 4) for value in (one.probability, one.predicted_iou)),
                *(round(value, 1) for value in one.box.corners),
            )
            for one in picture.objects
        ]
        self._extend(format_rows(rows))


FORMATS: Mapping[str, Callable[[Path, Source], Export]] = {
    "voc": VocFolder,
    "yolo": YoloFolder,
    "coco": CocoFile,
    "label-studio": LabelStudioFile,
    "csv": CsvFile,
}
"""Name -> what writes to a path, a folder of VOC and YOLO, else a file."""


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 - of a path in a folder, as text; PurePath is slow


def _part_name() -> str:
    return f".lookalike-{os.getpid()}.part"


def _ignores_case(folder: Path) -> bool:
    """Whether names in a folder are equal where they differ in case alone; fails where it cannot be written to."""
    trial = folder / _part_name()
    trial.touch()
    try:
        return trial.with_name(trial.name.upper()).exists()
    finally:
        trial.unlink()


def _records(values: Sequence[object], *, first: bool) -> bytes:
    """Values, a line each, to follow others in a list of JSON."""
    lines = "\n,".join(map(json.dumps, values))
    return f"{'' if first else ','}{lines}\n".encode() if values else b""


def _coco_image(number: int, name: str, width: int, height: int) -> str:
    return json.dumps({"id": number, "file_name": name, "width": width, "height": height})


def _yaml(text: str) -> str:
    """A scalar of YAML 1.2 in double quotes."""
    escaped = "".join(one if one.isprintable() and one not in '"\\' else f"\\U{ord(one):08x}" for one in text)
    return f'"{escaped}"'


def _whole(box: Box) -> Box:
    """The smallest box of whole pixels around a box."""
    return replace(
        box,
        xmin=math.floor(box.xmin),
        ymin=math.floor(box.ymin),
        xmax=math.ceil(box.xmax),
        ymax=math.ceil(box.ymax),
    )

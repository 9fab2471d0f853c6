"""Tagged pictures as files that other tools read: VOC XML, COCO JSON, CSV."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from indexer.annotation_xml import format_annotation
from indexer.records import AnnotatedImage, Box, ObjectLabel
from localizer.records import Prediction

_CSV_HEADER = (
    "file", "width", "height", "class", "probability", "predicted_iou", "xmin", "ymin", "xmax", "ymax",
)  # fmt: skip


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


def voc_files(tagged: Sequence[TaggedPicture], _: Sequence[str]) -> dict[str, bytes]:
    """Name of an XML file -> its content; corners in whole pixels, as labelling tools expect them.

    Where two pictures differ only in their ending, the ending stays in the names.
    """
    names = [str(PurePath(one.name).with_suffix("")) for one in tagged]
    return {
        f"{name if names.count(name) == 1 else one.name}.xml": _voc_xml(one)
        for name, one in zip(names, tagged, strict=True)
    }


def coco_files(tagged: Sequence[TaggedPicture], classes: Sequence[str]) -> dict[str, bytes]:
    """One JSON file, under the empty name: https://cocodataset.org/#format-data, with a `score` to each box."""
    ids = {name: number for number, name in enumerate(classes, start=1)}
    found = [(number, one) for number, picture in enumerate(tagged, start=1) for one in picture.objects]
    content = {
        "info": {"description": "Predicted by Lookalike"},
        "images": [
            {"id": number, "file_name": one.name, "width": one.width, "height": one.height}
            for number, one in enumerate(tagged, start=1)
        ],
        "annotations": [
            _coco_annotation(place, image_id, one, ids) for place, (image_id, one) in enumerate(found, start=1)
        ],
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
    }
    return {"": (json.dumps(content, indent=1) + "\n").encode()}


def csv_files(tagged: Sequence[TaggedPicture], _: Sequence[str]) -> dict[str, bytes]:
    """One CSV file, under the empty name: a line for each object."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_HEADER)
    for picture in tagged:
        for one in picture.objects:
            writer.writerow(
                [
                    *(picture.name, picture.width, picture.height, one.class_name),
                    *(f"{value:.4f}" for value in (one.probability, one.predicted_iou)),
                    *(f"{value:.1f}" for value in one.box.corners),
                ]
            )
    return {"": text.getvalue().encode(errors="replace")}


FORMATS: Mapping[str, Callable[[Sequence[TaggedPicture], Sequence[str]], dict[str, bytes]]] = {
    "voc": voc_files,
    "coco": coco_files,
    "csv": csv_files,
}
"""Name -> function of tagged pictures and classes to files; an empty name stands for the output path itself."""


def check_writable(out: Path) -> None:
    """Make the folder that `out` is to lie in, and see whether a file can be written there: before long work.

    Raises:
        OSError: it cannot.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    trial = out.with_name(out.name + ".part")
    trial.touch()
    trial.unlink()


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Write files; each appears whole, in the place of a former one."""
    for name, content in files.items():
        path = out / name if name else out
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _voc_xml(tagged: TaggedPicture) -> bytes:
    path = PurePath(tagged.name)
    labels = tuple(
        ObjectLabel(
            one.class_name,
            _whole(one.box),
            pose="Unspecified",
            truncated=False,
            difficult=False,
        )
        for one in tagged.objects
    )
    image = AnnotatedImage(filename=path.name, split=None, objects=labels)
    return format_annotation(image, path.parent.name or "JPEGImages", tagged.width, tagged.height)


def _whole(box: Box) -> Box:
    """The smallest box of whole pixels around a box."""
    return replace(
        box,
        xmin=math.floor(box.xmin),
        ymin=math.floor(box.ymin),
        xmax=math.ceil(box.xmax),
        ymax=math.ceil(box.ymax),
    )


def _coco_annotation(
    annotation_id: int, image_id: int, found: Prediction, category_ids: Mapping[str, int]
) -> dict[str, object]:
    xmin, ymin, xmax, ymax = (round(value, 2) for value in found.box.corners)
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_ids[found.class_name],
        "bbox": [xmin, ymin, round(xmax - xmin, 2), round(ymax - ymin, 2)],
        "area": round((xmax - xmin) * (ymax - ymin), 2),
        "iscrowd": 0,
        "score": round(found.probability, 4),
    }

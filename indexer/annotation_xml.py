"""One VOC annotation file <-> object records; pure, no disk.

Corners in the files are 1-based and inclusive; in records they are half-open from 0, so that
`(xmin, ymin, xmax, ymax)` of the file becomes `(xmin - 1, ymin - 1, xmax, ymax)`.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import zip_longest

from indexer.errors import DatasetError
from indexer.records import AnnotatedImage, Box, ObjectLabel

_FLAGS = {"0": False, "1": True}
_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0; and CR, read as LF


def parse_objects(xml: bytes) -> tuple[ObjectLabel, ...]:
    """The objects of one annotation file, in its order; the parts (head, hand, foot) inside them are left out.

    Raises:
        DatasetError: not XML, or an object without a name or a usable box.
    """
    try:
        annotation = ET.fromstring(xml)  # noqa: S314 - expat bounds entity expansion, and the data set is the user's own
    except (ET.ParseError, ValueError, LookupError) as error:  # the latter two for encodings expat does not know
        raise DatasetError(f"expected an XML annotation, found {error}") from error
    return tuple(_parse_object(node, place) for place, node in enumerate(annotation.iterfind("object"), start=1))


def format_annotation(
    image: AnnotatedImage, folder: str, width: int, height: int, probabilities: Sequence[float] = ()
) -> bytes:
    """The XML of a picture of `width` x `height` pixels; attributes of None are left out.

    Probabilities, one for each object where there are any, are told in an element of their own, `probability`,
    that readers of VOC pass over. Characters that XML cannot hold become U+FFFD.
    """
    annotation = ET.Element("annotation")
    _add(annotation, "folder", folder)
    _add(annotation, "filename", image.filename)
    size = ET.SubElement(annotation, "size")
    for tag, value in (("width", width), ("height", height), ("depth", 3)):
        _add(size, tag, str(value))
    _add(annotation, "segmented", "0")
    for label, probability in zip_longest(image.objects, probabilities):
        _add_object(annotation, label, probability)
    ET.indent(annotation, "\t")
    xml: bytes = ET.tostring(annotation, encoding="utf-8")
    return xml + b"\n"


def _parse_object(node: ET.Element, place: int) -> ObjectLabel:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise DatasetError(f"expected a <name> in object {place}, found none")
    try:
        corners = {tag: float(node.findtext(f"bndbox/{tag}", "")) for tag in ("xmin", "ymin", "xmax", "ymax")}
        box = Box(corners["xmin"] - 1, corners["ymin"] - 1, corners["xmax"], corners["ymax"])
    except ValueError as error:
        raise DatasetError(
            f"expected a <bndbox> of four numbers in object {place} ({name}), found {error}"
        ) from error
    return ObjectLabel(
        name,
        box,
        pose=(node.findtext("pose") or "").strip() or None,
        truncated=_flag(node, "truncated"),
        occluded=_flag(node, "occluded"),
        difficult=_flag(node, "difficult"),
    )


def _flag(node: ET.Element, tag: str) -> bool | None:
    return _FLAGS.get((node.findtext(tag) or "").strip())


def _add(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = _FORBIDDEN.sub("\ufffd", text)


def _add_object(annotation: ET.Element, label: ObjectLabel, probability: float | None) -> None:
    node = ET.SubElement(annotation, "object")
    _add(node, "name", label.class_name)
    if label.pose is not None:
        _add(node, "pose", label.pose)
    for tag in ("truncated", "occluded", "difficult"):
        flag = getattr(label, tag)
        if flag is not None:
            _add(node, tag, str(int(flag)))
    xmin, ymin, xmax, ymax = label.box.corners
    bndbox = ET.SubElement(node, "bndbox")
    for tag, value in (("xmin", xmin + 1), ("ymin", ymin + 1), ("xmax", xmax), ("ymax", ymax)):
        _add(bndbox, tag, f"{value:.15g}")
    if probability is not None:
        _add(node, "probability", f"{probability:.4f}")

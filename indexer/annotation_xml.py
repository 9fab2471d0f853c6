"""One VOC annotation file <-> object records; pure, no disk.

Corners in the files are 1-based and inclusive; in records they are half-open from 0, so that
`(xmin, ymin, xmax, ymax)` of the file becomes `(xmin - 1, ymin - 1, xmax, ymax)`.
"""

import codecs
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from indexer.errors import DatasetError
from indexer.records import AnnotatedImage, Box, ObjectLabel

_FLAGS = {"0": False, "1": True, "false": False, "true": True}
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0; and CR, read as LF


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one annotation file says.

    Attributes:
        objects: those with a name and a box, in the file's order.
        size: (width, height) of the picture in pixels; None where the file does not say.
        refused: for each object that cannot be used, why.
        changed: for each object that is used otherwise than it stands, how.
    """

    objects: tuple[ObjectLabel, ...]
    size: tuple[int, int] | None = None
    refused: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def parse_annotation(xml: bytes) -> Annotation:
    """Read an annotation file as VOC's own tools and others write them.

    Tags count without their namespace and in any case; the annotation may lie inside other tags, and so may its
    objects. The parts (head, hand, foot) inside an object are left out. A polygon stands for its bounding box.

    Raises:
        DatasetError: not XML, or none or several VOC annotations in it.
    """
    try:
        text = xml.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n")
        root = ET.fromstring(text)  # noqa: S314 - expat bounds entity expansion, and the data is the user's own
    except (ET.ParseError, ValueError, LookupError) as error:  # the latter two for encodings expat does not know
        raise DatasetError(f"expected an XML annotation, found {error}") from error
    for node in root.iter():
        node.tag = str(node.tag).rpartition("}")[2].lower()
    annotations = _outermost(root, "annotation")
    if len(annotations) > 1:
        raise DatasetError(f"expected one <annotation>, found {len(annotations)}; write a file for each picture")
    if not annotations or all(annotations[0].find(f".//{tag}") is None for tag in ("object", "filename", "size")):
        inside = ", ".join(dict.fromkeys(f"<{node.tag}>" for node in root)) or "nothing"
        raise DatasetError(f"expected a VOC annotation, found <{root.tag}> with {inside:.100}; convert it to VOC")
    objects, refused, changed = [], [], []
    for number, node in enumerate(annotations[0].iter("object"), start=1):
        name = " ".join((node.findtext("name") or "").split())
        try:
            objects.append(_parse_object(node, name))
        except ValueError as error:
            refused.append(f"object {number} ({name or 'without a name'}): {error}")
            continue
        if node.find("bndbox") is None:
            changed.append(f"object {number} ({name}): its polygon's bounding box is taken")
    return Annotation(tuple(objects), _parse_size(annotations[0]), tuple(refused), tuple(changed))


def _outermost(root: ET.Element, tag: str) -> list[ET.Element]:
    """The elements of a tag that lie in no other of it: VOC's own <source> holds an <annotation>, too."""
    found, ahead = [], [root]
    while ahead:
        node = ahead.pop()
        if node.tag == tag:
            found.append(node)
        else:
            ahead.extend(node)
    return found


def _parse_size(annotation: ET.Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(annotation.findtext(f"size/{tag}", ""))) for tag in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _parse_object(node: ET.Element, name: str) -> ObjectLabel:
    """One object; ValueError where it lacks a name or a usable box."""
    if not name:
        raise ValueError("expected a <name>, found none")
    return ObjectLabel(
        name,
        _parse_box(node),
        pose=(node.findtext("pose") or "").strip() or None,
        truncated=_flag(node, "truncated"),
        occluded=_flag(node, "occluded"),
        difficult=_flag(node, "difficult"),
    )


def _parse_box(node: ET.Element) -> Box:
    bndbox, polygon = node.find("bndbox"), node.find("polygon")
    if bndbox is not None:
        texts = [(bndbox.findtext(tag) or "").strip() for tag in _CORNERS]
    elif polygon is not None:
        xs, ys = (
            [(point.text or "").strip() for point in polygon.iter() if re.fullmatch(rf"{axis}\d*", point.tag)]
            for axis in "xy"
        )
        if not xs or not ys:
            raise ValueError("expected points in its <polygon>, found none")
        texts = [*xs, *ys]
    else:
        raise ValueError("expected a <bndbox>, found none")
    try:
        numbers = [float(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"expected numbers as its box, found {', '.join(map(repr, texts)):.100}") from error
    if bndbox is None:
        across, down = numbers[: len(xs)], numbers[len(xs) :]
        numbers = [min(across), min(down), max(across), max(down)]
    xmin, ymin, xmax, ymax = numbers
    return Box(xmin - 1, ymin - 1, xmax, ymax)


def _flag(node: ET.Element, tag: str) -> bool | None:
    return _FLAGS.get((node.findtext(tag) or "").strip().lower())


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

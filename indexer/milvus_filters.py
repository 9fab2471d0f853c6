"""Filters -> a Milvus expression of the rows that fulfil them: pure, and the twin of the SQL in `selection`.

Kept to what Milvus 2.4 and milvus-lite both understand. An array's element is asked for by its number, which is
how the conditions are held together on one and the same object; past the array's end the answer is no. Milvus has
`classes[0] in [...]` too and, since 2.6, arrays of structs; milvus-lite has neither. Long chains of "or" come as
balanced trees: a server reads expressions as messages nested in each other, and not as deeply as one likes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.filters import Filters
from indexer.milvus_rows import ATTRIBUTES, ROW, Attribute, is_storable

_NOTHING = f"{ROW} < 0"  # what no row fulfils
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


def expression(filters: Filters, exclude: Sequence[int], slots: int, *, objects: bool) -> str:
    """What Milvus has to be told, "" where it is nothing.

    Args:
        filters: conditions, with the meaning that `select_images` and `select_objects` give them.
        exclude: rows to leave out.
        slots: objects that an image of the collection has at most.
        objects: whether a row is an object; else it is an image.
    """
    parts = [*_of_image(filters), *_of_classes(filters, slots)]
    parts += _of_own_object(filters) if objects else _of_some_object(filters, slots)
    if exclude:
        parts.append(f"{ROW} not in [{', '.join(str(int(row)) for row in exclude)}]")
    return _joined(parts, "and")


@dataclass(frozen=True, slots=True)
class _OneOf:
    """The attribute is one of some literals."""

    attribute: Attribute
    literals: tuple[str, ...]

    def anywhere(self) -> str:
        """Of any object."""
        return f"ARRAY_CONTAINS_ANY({self.attribute.array}, [{', '.join(self.literals)}])"

    def at(self, slot: int) -> str:
        """Of the object of this number."""
        return _joined([f"{self.attribute.array}[{slot}] == {literal}" for literal in self.literals], "or")

    def own(self) -> str:
        """Of the row itself."""
        return f"{self.attribute.own} in [{', '.join(self.literals)}]" if self.literals else _NOTHING


@dataclass(frozen=True, slots=True)
class _Within:
    """The attribute lies between bounds, these included."""

    attribute: Attribute
    bounds: tuple[str, ...]

    def at(self, slot: int) -> str:
        """Of the object of this number."""
        return _joined([f"{self.attribute.array}[{slot}] {bound}" for bound in self.bounds], "and")

    def own(self) -> str:
        """Of the row itself."""
        return _joined([f"{self.attribute.own} {bound}" for bound in self.bounds], "and")


_Condition = _OneOf | _Within


def _of_image(filters: Filters) -> list[str]:
    parts = []
    if filters.split:
        names = _known(filters.split)
        parts.append(f"split in [{', '.join(names)}]" if names else _NOTHING)
    return parts + [f"objects {bound}" for bound in _bounds(filters.min_objects, filters.max_objects)]


def _of_classes(filters: Filters, slots: int) -> list[str]:
    """All of the classes asked for are there, each in an object as asked for; none of the others is."""
    unwanted, wanted = _class(filters.class_none), _of_object(filters)
    absent = [f"not {unwanted.anywhere()}"] if unwanted.literals else []
    if filters.class_all and not wanted:
        return [_has_all(filters.class_all), *absent]
    return [_has_object([_class((name,)), *wanted], slots) for name in filters.class_all] + absent


def _of_some_object(filters: Filters, slots: int) -> list[str]:
    wanted = [*_of_object(filters), *_of_any_class(filters)]
    if not wanted or (filters.class_all and not filters.class_any):
        return []
    return [_has_object(wanted, slots)]


def _of_own_object(filters: Filters) -> list[str]:
    wanted: list[_Condition] = [*_of_object(filters), *_of_any_class(filters)]
    if filters.class_all and not filters.class_any:
        wanted.append(_class(filters.class_all))
    return [condition.own() for condition in wanted]


def _of_any_class(filters: Filters) -> list[_Condition]:
    return [_class(filters.class_any)] if filters.class_any else []


def _of_object(filters: Filters) -> list[_Condition]:
    """What one object must be like, its class aside."""
    asked = [(ATTRIBUTES[name], getattr(filters, name)) for name in ("truncated", "occluded", "difficult")]
    conditions: list[_Condition] = [
        _OneOf(attribute, (str(int(value)),)) for attribute, value in asked if value is not None
    ]
    if filters.pose:
        conditions.append(_OneOf(ATTRIBUTES["pose"], _known(filters.pose)))
    bounds = _bounds(_float(filters.min_share), _float(filters.max_share))
    return conditions + ([_Within(ATTRIBUTES["share"], bounds)] if bounds else [])


def _class(names: Sequence[str]) -> _OneOf:
    return _OneOf(ATTRIBUTES["class_name"], tuple(_quoted(name) for name in names if is_storable(name)))


def _has_all(names: Sequence[str]) -> str:
    if not all(map(is_storable, names)):
        return _NOTHING
    condition = _class(names)
    return f"ARRAY_CONTAINS_ALL({condition.attribute.array}, [{', '.join(condition.literals)}])"


def _has_object(conditions: Sequence[_Condition], slots: int) -> str:
    """Of one and the same object of the image, all of these are true."""
    if any(isinstance(condition, _OneOf) and not condition.literals for condition in conditions):
        return _NOTHING
    # What has no such object at all is told by the arrays as a whole, more quickly than slot after slot.
    parts = [condition.anywhere() for condition in conditions if isinstance(condition, _OneOf)]
    if len(conditions) > len(parts) or len(parts) > 1:
        objects = [_joined([condition.at(slot) for condition in conditions], "and") for slot in range(slots)]
        parts.append(_joined(objects, "or") or _NOTHING)
    return _joined(parts, "and")


def _bounds(least: float | None, most: float | None) -> tuple[str, ...]:
    lower = (f">= {least!r}",) if least is not None else ()
    return lower + ((f"<= {most!r}",) if most is not None else ())


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)  # 1 would be an integer to Milvus, 1.0 is a number like a share


def _known(names: Sequence[str]) -> tuple[str, ...]:
    """Literals of splits or poses: an empty one would be what stands for none at all."""
    return tuple(_quoted(name) for name in names if name and is_storable(name))


def _quoted(name: str) -> str:
    return f'"{name.translate(_ESCAPES)}"'


def _joined(parts: Sequence[str], word: str) -> str:
    """All of the parts, none of them deeper in brackets than it takes two by two; "" of none."""
    if len(parts) <= 1:
        return "".join(parts)
    half = len(parts) // 2
    sides = [_joined(side, word) for side in (parts[:half], parts[half:])]
    return f"({sides[0]} {word} {sides[1]})"

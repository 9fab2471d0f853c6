"""Filters -> SQL: the ids of the images, or of the objects, that fulfil them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from indexer.filters import Filters
from indexer.tables import ImageRow, ObjectRow


def select_images(filters: Filters) -> Select[Any]:
    """Image ids, in order."""
    conditions = [*_of_image(filters), *_of_classes(filters)]
    wanted = _of_object(filters) + _of_any_class(filters)
    if wanted and not (filters.class_all and not filters.class_any):
        conditions.append(_has_object(*wanted))
    return select(ImageRow.image_id).where(*conditions).order_by(ImageRow.image_id)


def select_objects(filters: Filters) -> Select[Any]:
    """Object ids, in order: of the objects that what is said of an object holds of."""
    conditions = [*_of_image(filters), *_of_classes(filters), *_of_object(filters), *_of_any_class(filters)]
    if filters.class_all and not filters.class_any:
        conditions.append(_one_of(ObjectRow.class_name, filters.class_all))
    joined = select(ObjectRow.object_id).join(ImageRow, ImageRow.image_id == ObjectRow.image_id)
    return joined.where(*conditions).order_by(ObjectRow.object_id)


def _of_image(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.split:
        conditions.append(_one_of(ImageRow.split, filters.split))
    return conditions + _within(ImageRow.objects, filters.min_objects, filters.max_objects)


def _of_classes(filters: Filters) -> list[ColumnElement[bool]]:
    """All of the classes asked for are there, each in an object as asked for; none of the others is."""
    there = [
        _has_object(_one_of(ObjectRow.class_name, [name]), *_of_object(filters)) for name in filters.class_all
    ]
    absent = [~_has_object(_one_of(ObjectRow.class_name, filters.class_none))] if filters.class_none else []
    return there + absent


def _of_any_class(filters: Filters) -> list[ColumnElement[bool]]:
    return [_one_of(ObjectRow.class_name, filters.class_any)] if filters.class_any else []


def _of_object(filters: Filters) -> list[ColumnElement[bool]]:
    """What one object must be like, its class aside."""
    flags = ("truncated", "occluded", "difficult")
    asked = [(getattr(ObjectRow, name), getattr(filters, name)) for name in flags]
    conditions: list[ColumnElement[bool]] = [column.is_(value) for column, value in asked if value is not None]
    if filters.pose:
        conditions.append(_one_of(ObjectRow.pose, filters.pose))
    return conditions + _within(ObjectRow.share, filters.min_share, filters.max_share)


def _one_of(column: Any, names: Iterable[str]) -> ColumnElement[bool]:  # noqa: ANN401 - a mapped column
    # No record holds the character NUL: PostgreSQL refuses it, also in a question.
    condition: ColumnElement[bool] = column.in_([name for name in names if "\0" not in name])
    return condition


def _within(column: Any, least: float | None, most: float | None) -> list[ColumnElement[bool]]:  # noqa: ANN401
    lower = [column >= least] if least is not None else []
    return lower + ([column <= most] if most is not None else [])


def _has_object(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    # Uncorrelated, so that a selection of objects can ask for others of the same image.
    return ImageRow.image_id.in_(select(ObjectRow.image_id).where(*conditions).correlate(None))

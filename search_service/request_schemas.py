"""What requests may hold; from these schemas they are read, and documented."""

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from indexer.filters import Filters
from search_service.errors import RequestError
from search_service.fields import Base64, Corners, Flag, Number, Upload, Whole, Word, Words
from search_service.records import (
    DEFAULT_K,
    IMAGES,
    MAX_K,
    MAX_QUERIES,
    MAX_RESULTS,
    MODES,
    TARGETS,
    EmbeddedPicture,
    IndexedPicture,
    Query,
    QueryPicture,
    UploadedPicture,
    Wishes,
)

Fields = dict[str, Any]

_AN_OBJECT: dict[str, Any] = {"null": "an object"}
_A_LIST: dict[str, Any] = {"invalid": "a list of pictures"}
_SHARE = validate.Range(0, 1, error="from {min} to {max}")
_COUNT = validate.Range(min=0, max=2**31, error="from {min} to {max}")


def _of(description: str, **more: Any) -> Fields:  # noqa: ANN401 - whatever OpenAPI knows
    return {"metadata": {"description": description, **more}}


class RequestSchema(Schema):
    """What all have in common: how they say what they are."""

    error_messages = {"type": "an object"}  # noqa: RUF012 - as marshmallow has it


class FilterFields(RequestSchema):
    """What images must be like; what is said of an object must hold of one and the same."""

    class_any = Words(data_key="class", **_of("an object is of one of these classes"))
    class_all = Words(**_of("for each of these classes there is such an object"))
    class_none = Words(**_of("no object is of any of these classes"))
    split = Words(**_of("the image is in one of these splits"))
    pose = Words(**_of("the object has one of these poses"))
    truncated = Flag(**_of("whether the object reaches over the picture's edge"))
    occluded = Flag(**_of("whether the object is partly hidden"))
    difficult = Flag(**_of("whether the object is marked as difficult"))
    min_objects = Whole(validate=_COUNT, **_of("objects at least"))
    max_objects = Whole(validate=_COUNT, **_of("objects at most"))
    min_share = Number(validate=_SHARE, **_of("share of the picture that the object covers at least"))
    max_share = Number(validate=_SHARE, **_of("share of the picture that the object covers at most"))


class ScoreField(RequestSchema):
    """What results must score."""

    min_score = Number(
        validate=validate.Range(-1, 1, error="from {min} to {max}"), **_of("least score of a result")
    )


class PageFields(RequestSchema):
    """Which part of all results is wanted; its ranges are checked with the rest of a query."""

    k = Whole(**_of("how many results", minimum=1, maximum=MAX_K, default=DEFAULT_K))
    offset = Whole(**_of("how many results to pass over", minimum=0, maximum=MAX_RESULTS - 1, default=0))


class WishFields(PageFields):
    """How to search."""

    mode = Word(
        **_of("by looks alone, or also by what is in the pictures; that is the default where trained", enum=MODES)
    )
    target = Word(**_of("objects are there where they were indexed with --objects", enum=TARGETS, default=IMAGES))
    localize = Flag(**_of("whether to tell what is in the query", default=True))
    fold_duplicates = Flag(**_of("whether to leave out near-duplicates of a better result", default=False))


class FiltersSchema(FilterFields, ScoreField):
    """Filters of a search."""


class WishesSchema(WishFields):
    """How to search, in JSON: filters are an object of their own."""

    filters = fields.Nested(
        FiltersSchema, error_messages={"type": "an object"}, **_of("what results must be like")
    )


class FlatWishesSchema(WishFields, FilterFields, ScoreField):
    """How to search, in an address or a form: filters stand beside the rest."""

    @post_load
    def make(self, data: Fields, **_: Any) -> Any:  # noqa: ANN401 - what subclasses make differs
        """To the engine's records."""
        return to_wishes(data)


class ListSchema(FilterFields, PageFields):
    """Which images to list."""

    offset = Whole(**_of("how many images to pass over", minimum=0, default=0))

    @post_load
    def make(self, data: Fields, **_: Any) -> tuple[Filters, int, int]:  # noqa: ANN401 - marshmallow's own
        """Filters, offset and k."""
        return to_filters(data), data.get("offset", 0), data.get("k", DEFAULT_K)


class PictureSchema(RequestSchema):
    """One picture: indexed, sent, or asked about before; and, if not all of it is meant, a box on it."""

    image_id = Whole(**_of("an indexed image"))
    image_base64 = Base64(**_of("the bytes of a picture file, plain or as a data URI", format="byte"))
    embedding = fields.String(
        error_messages={"invalid": "a text that an answer gave"},
        **_of("what an earlier answer gave for a picture"),
    )
    box = Corners(**_of("the part that is meant: [xmin, ymin, xmax, ymax] in pixels"))

    @post_load
    def make(self, data: Fields, **_: Any) -> Any:  # noqa: ANN401 - what subclasses make differs
        """To the engine's record."""
        return to_picture(data)


class SearchSchema(PictureSchema, WishesSchema):
    """A search: one picture at the top, or several under positives and negatives."""

    positives = fields.List(
        fields.Nested(PictureSchema, error_messages=_AN_OBJECT),
        error_messages=_A_LIST,
        **_of("pictures that results should look like"),
    )
    negatives = fields.List(
        fields.Nested(PictureSchema, error_messages=_AN_OBJECT),
        error_messages=_A_LIST,
        **_of("pictures that they should not look like"),
    )

    @post_load
    def make(self, data: Fields, **_: Any) -> tuple[Query, Wishes]:  # noqa: ANN401 - marshmallow's own
        """To the engine's records."""
        several = data.get("positives")
        if several and _given(data):
            raise RequestError(400, "no_image", "expected one picture, or positives, found both; leave one out")
        positives = tuple(several) if several else (to_picture(data),)
        return Query(positives, tuple(data.get("negatives", ()))), to_wishes({**data, **data.get("filters", {})})


class SearchFormSchema(FlatWishesSchema):
    """A search by pictures that come with a form."""

    image = fields.List(Upload(), **_of("picture files that results should look like"))
    negative = fields.List(Upload(), **_of("picture files that they should not look like"))
    box = Corners(**_of("the part of the picture that is meant: xmin,ymin,xmax,ymax in pixels"))

    @post_load
    def make(self, data: Fields, **_: Any) -> tuple[Query, Wishes]:  # noqa: ANN401 - marshmallow's own
        """To the engine's records."""
        if not data.get("image"):
            raise RequestError(400, "no_image", "expected a picture in the form's file field 'image', found none")
        if data.get("box") and len(data["image"]) > 1:
            message = (
                f"expected one picture beside a box, found {len(data['image'])}; search with positives in JSON"
            )
            raise RequestError(400, "invalid_box", message)
        positives = tuple(UploadedPicture(one, data.get("box")) for one in data["image"])
        negatives = tuple(UploadedPicture(one) for one in data.get("negative", ()))
        return Query(positives, negatives), to_wishes(data)


class PictureFormSchema(RequestSchema):
    """One picture that comes with a form."""

    image = fields.List(Upload(), **_of("a picture file"))
    box = Corners(**_of("the part of it that is meant: xmin,ymin,xmax,ymax in pixels"))

    @post_load
    def make(self, data: Fields, **_: Any) -> QueryPicture:  # noqa: ANN401 - marshmallow's own
        """To the engine's record."""
        if not data.get("image"):
            raise RequestError(400, "no_image", "expected a picture in the form's file field 'image', found none")
        if len(data["image"]) > 1:
            message = f"expected one picture, found {len(data['image'])}; send one after the other"
            raise RequestError(400, "too_many_images", message)
        return UploadedPicture(data["image"][0], data.get("box"))


class BatchSchema(RequestSchema):
    """Many searches at once."""

    queries = fields.List(
        fields.Nested(SearchSchema, error_messages=_AN_OBJECT),
        required=True,
        validate=validate.Length(1, MAX_QUERIES, error="of {min} to {max} queries"),
        error_messages={"required": "a list of queries", "invalid": "a list of queries"},
        **_of(f"1 to {MAX_QUERIES} searches, embedded together"),
    )


def to_wishes(data: Fields) -> Wishes:
    """Wishes from loaded fields, filters among them."""
    names = ("k", "offset", "mode", "target", "localize", "min_score", "fold_duplicates")
    return Wishes(**{name: data[name] for name in names if name in data}, filters=to_filters(data))


def to_filters(data: Fields) -> Filters:
    """Filters from loaded fields, others among them."""
    given: Fields = {name: data[name] for name in Filters.__dataclass_fields__ if name in data}
    settled: Fields = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Filters(**settled)


def to_picture(data: Fields) -> QueryPicture:
    """A picture of a query from loaded fields."""
    given = _given(data)
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise RequestError(400, "no_image", f"expected one of image_id, image_base64 and embedding, found {found}")
    box = data.get("box")
    if "image_id" in given:
        return IndexedPicture(data["image_id"], box)
    if "image_base64" in given:
        return UploadedPicture(data["image_base64"], box)
    if box:
        raise RequestError(400, "invalid_box", "expected no box beside an embedding, found one; send the picture")
    return EmbeddedPicture(data["embedding"])


def _given(data: Fields) -> list[str]:
    return [name for name in ("image_id", "image_base64", "embedding") if name in data]

"""What responses hold; from these schemas they are written, and documented."""

from typing import Any

from marshmallow import Schema, fields

from indexer.errors import BoxError, ImageError, LookalikeError, StoreUnreachableError
from indexer.records import IndexedImage
from search_service.errors import RequestError
from search_service.records import Match


def corners(attribute: str, *, nullable: bool = False) -> fields.List[float]:
    """A box in a response."""
    metadata = {"description": "[xmin, ymin, xmax, ymax] in pixels, half-open"}
    return fields.List(fields.Float(), attribute=attribute, allow_none=nullable, metadata=metadata)


class ObjectSchema(Schema):
    """One annotated object; null for what is not annotated."""

    class_name = fields.String(data_key="class")
    box = corners("box.corners")
    pose = fields.String(allow_none=True)
    truncated = fields.Boolean(allow_none=True)
    occluded = fields.Boolean(allow_none=True)
    difficult = fields.Boolean(allow_none=True)


class Address(fields.String):
    """An address of an image; it changes with its content, so what is there may be cached for good."""

    def __init__(self, what: str) -> None:
        super().__init__(dump_only=True)
        self._what = what

    def serialize(self, attr: str, obj: Any, *_: Any, **__: Any) -> str:  # noqa: ANN401, ARG002 - marshmallow's own
        """Of the image, or of a result's image."""
        image: IndexedImage = getattr(obj, "image", obj)
        return f"/api/v1/images/{image.image_id}/{self._what}?v={image.sha256[:12]}"


class ImageSchema(Schema):
    """One image."""

    image_id = fields.Integer()
    filename = fields.String()
    width = fields.Integer()
    height = fields.Integer()
    split = fields.String(allow_none=True)
    objects = fields.List(fields.Nested(ObjectSchema))
    image_url = Address("file")
    thumbnail_url = Address("thumbnail")


class MatchSchema(ImageSchema):
    """One result: its image, and how it was found."""

    score = fields.Float(
        metadata={
            "description": "in [-1, 1]; larger is closer, 1 for a copy. In visual mode, and of objects, cosine "
            "similarity of the vectors; in semantic mode a mean of what is in both pictures, looks, and a reward "
            "for being much alike: compare scores of one mode only"
        }
    )
    percentile = fields.Float(
        metadata={
            "description": "percentage of the other images, or objects, that score less for the same query, "
            "filters aside; of more than 1,000, a fixed sample of 1,000 stands for all",
            "minimum": 0,
            "maximum": 100,
        }
    )
    object = fields.Nested(
        ObjectSchema,
        allow_none=True,
        metadata={"description": "the object that matched, where objects are searched"},
    )
    near_duplicates = fields.Integer(metadata={"description": "how many that came next were left out for it"})

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:  # noqa: ANN401 - marshmallow's own
        """From the result, else from its image."""
        own = attr in Match.__dataclass_fields__
        return super().get_attribute(obj if own else obj.image, attr, default)


class PredictionSchema(Schema):
    """One object that a head sees."""

    class_name = fields.String(data_key="class", attribute="class", allow_none=True)
    probability = fields.Float(allow_none=True)
    box = corners("box", nullable=True)
    predicted_iou = fields.Float(allow_none=True)


class CandidateSchema(Schema):
    """A class that the main object may be of."""

    class_name = fields.String(data_key="class", attribute="class")
    probability = fields.Float()


class LocalizationSchema(PredictionSchema):
    """What is in a picture: its main object at the top, null where only the detector is trained; all objects."""

    candidates = fields.List(fields.Nested(CandidateSchema))
    objects = fields.List(fields.Nested(PredictionSchema), allow_none=True)


class Localized(fields.Nested):
    """A localization, which knows how it looks in JSON."""

    def _serialize(  # type: ignore[override]  # as marshmallow's own Nested does
        self,
        nested_obj: Any,  # noqa: ANN401
        attr: Any,  # noqa: ANN401, ARG002
        obj: Any,  # noqa: ANN401, ARG002
        **_: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        return nested_obj and nested_obj.to_json()


class SightSchema(Schema):
    """A picture of a query."""

    image_id = fields.Integer(allow_none=True)
    filename = fields.String(allow_none=True)
    width = fields.Integer(allow_none=True)
    height = fields.Integer(allow_none=True)
    box = corners("corners", nullable=True)
    embedding = fields.String(metadata={"description": "stands for the picture in later queries"})


class QuerySchema(Schema):
    """The pictures of a query."""

    positives = fields.List(fields.Nested(SightSchema))
    negatives = fields.List(fields.Nested(SightSchema))


def took() -> fields.Dict:
    """Milliseconds of each stage."""
    metadata = {"description": "milliseconds of each stage; embed and localize of the whole batch"}
    return fields.Dict(fields.String(), fields.Float(), attribute="timings.rounded", metadata=metadata)


class AnswerSchema(Schema):
    """What a search found, and what is in its first picture."""

    query = fields.Nested(QuerySchema, attribute="*")
    localization = Localized(LocalizationSchema, allow_none=True)
    mode = fields.String()
    target = fields.String()
    searched = fields.Integer(metadata={"description": "images, or objects, that fulfil the filters"})
    more = fields.Boolean(metadata={"description": "whether there are results beyond these"})
    results = fields.List(fields.Nested(MatchSchema), attribute="matches")
    took_ms = took()

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:  # noqa: ANN401 - marshmallow's own
        """An answer holds its query flat."""
        return obj if attr == "*" else super().get_attribute(obj, attr, default)


class LocatedSchema(LocalizationSchema):
    """What is in a picture, and where."""

    query = fields.Nested(SightSchema)
    took_ms = fields.Dict(fields.String(), fields.Float())


class ListingSchema(Schema):
    """A part of the images that fulfil filters, by image id."""

    images = fields.List(fields.Nested(ImageSchema))
    total = fields.Integer(metadata={"description": "images that fulfil the filters"})
    offset = fields.Integer()


class ProblemSchema(Schema):
    """Why a request is refused."""

    code = fields.String(metadata={"description": "a word for programs, stable"})
    message = fields.String(metadata={"description": "what was expected, what was found, what to do"})


class ErrorSchema(Schema):
    """A refusal."""

    error = fields.Nested(ProblemSchema)


class BatchItemSchema(Schema):
    """The answer to one query of a batch, or why there is none."""

    answer = fields.Nested(AnswerSchema, allow_none=True)
    error = fields.Nested(ProblemSchema, allow_none=True)


class BatchAnswerSchema(Schema):
    """The answers to a batch, in the order of its queries."""

    answers = fields.List(fields.Nested(BatchItemSchema))
    took_ms = fields.Dict(fields.String(), fields.Float())


def numbers(description: str, name: str | None = None) -> fields.List[int]:
    """One whole number for each image, in the order of image ids."""
    return fields.List(fields.Integer(), data_key=name, metadata={"description": description})


class MapSchema(Schema):
    """The map: one place for each image, in the order of image ids."""

    classes = fields.List(fields.String())
    splits = fields.List(fields.String())
    x = fields.List(fields.Float(), metadata={"description": "place, in units that mean nothing themselves"})
    y = fields.List(fields.Float())
    class_name = numbers("the main object's class, counted in `classes` from 0; -1 for none", "class")
    split = numbers("counted in `splits` from 0; -1 for none")
    localized = numbers("1 where the localizer was right in class and box, 0 where wrong, -1 where not tested")


class ReadySchema(Schema):
    """What is served."""

    status = fields.String()
    images = fields.Integer()
    generation = fields.Integer()
    modes = fields.List(fields.String())
    targets = fields.List(fields.String())
    localizes = fields.Boolean()
    fingerprint = fields.String()
    reload_failure = fields.String(
        allow_none=True,
        metadata={"description": "why what was published since cannot be served; null where the newest is served"},
    )


def problem(error: LookalikeError) -> tuple[int, dict[str, str]]:
    """HTTP status, code and message of a refusal."""
    if isinstance(error, RequestError):
        return error.status, {"code": error.code, "message": str(error)}
    if isinstance(error, BoxError):
        return 400, {"code": "invalid_box", "message": str(error)}
    if isinstance(error, ImageError):
        return 400, {"code": "invalid_image", "message": str(error)}
    if isinstance(error, StoreUnreachableError):
        # Its own words name addresses, which are for the log.
        message = f"expected {error.store} to answer in time, found it out of reach; try again in a moment"
        return 503, {"code": "store_unreachable", "message": message}
    return 500, {"code": "internal_server_error", "message": str(error)}

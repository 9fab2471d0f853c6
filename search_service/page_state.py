"""What a page's address holds: the pictures of a query and its wishes, so that a link shares a search.

A picture is `12` (an indexed image), `12@xmin,ymin,xmax,ymax` (a part of one, in pixels), or `~TEXT` (the
embedding of a picture that was sent, which is not kept).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from marshmallow import Schema, ValidationError, post_load, validate, validates_schema
from marshmallow import fields as kinds
from werkzeug.datastructures import MultiDict

from indexer.filters import Filters
from indexer.records import Box
from search_service.fields import Corners, Upload, Whole, Word
from search_service.query_reader import load_flat
from search_service.records import IMAGES, VISUAL, EmbeddedPicture, IndexedPicture, Query, QueryPicture, Wishes
from search_service.request_schemas import FilterFields, FlatWishesSchema, to_wishes

PAGE_KS = (24, 48, 96)
ROLES = NEW, POSITIVE, NEGATIVE = "new", "positive", "negative"
"""What pictures that come with a form become: a new search, or more of either side of the one that is there."""
_LARGEST_ID = 2**63


class Reference(kinds.String):
    """A picture as an address names it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - marshmallow's own
        if value.startswith("~"):
            return EmbeddedPicture(value[1:])
        number, at, corners = value.partition("@")
        if not (number.isascii() and number.isdecimal() and int(number) < _LARGEST_ID):
            raise ValidationError("the id of an image")
        if not at:
            return IndexedPicture(int(number))
        try:
            return IndexedPicture(int(number), Box(*map(float, corners.split(","))))
        except (TypeError, ValueError):
            raise ValidationError("an image id, @, and a box: xmin,ymin,xmax,ymax") from None


class StateSchema(FlatWishesSchema):
    """What the addresses of a search hold; `class_match` says whether any or all of the classes are meant."""

    positive = kinds.List(Reference())
    negative = kinds.List(Reference())
    class_match = Word(validate=validate.OneOf(("any", "all"), error="any or all"))

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> "PageState":  # noqa: ANN401 - marshmallow's own
        """To the state of a page."""
        if data.get("class_match") == "all":
            data["class_all"] = [*data.pop("class_any", ()), *data.get("class_all", ())]
        positives, negatives = tuple(data.get("positive", ())), tuple(data.get("negative", ()))
        if (whole := data.get("region_of")) is not None:
            positives, negatives = (replace(whole, box=data["box"]),), ()
        wishes = to_wishes({"k": PAGE_KS[0], **data})
        return PageState(positives, negatives, wishes, 0 if positives else data.get("turn", 0))


class SearchPageSchema(StateSchema):
    """What the address of the search page may hold.

    `region_of` with `box` is a part of an indexed picture; `turn` says which pictures to start from.
    """

    region_of = Reference()
    box = Corners()
    turn = Whole(validate=validate.Range(0, 2**31, error="from {min} to {max}"))

    @validates_schema
    def check_region(self, data: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - marshmallow's own
        """Hold region and picture together."""
        if "box" in data and not isinstance(data.get("region_of"), IndexedPicture):
            raise ValidationError("the id of an image, which box is a part of", "region_of")
        if "region_of" in data and "box" not in data:
            raise ValidationError("four numbers: xmin, ymin, xmax, ymax", "box")


class MapPageSchema(StateSchema):
    """What the address of the map may hold: a search, to show its place, and `colour`, which the browser reads."""

    colour = Word(validate=validate.OneOf(("class", "split", "localized"), error="class, split or localized"))


class UploadPageSchema(StateSchema):
    """What the search page's form may hold.

    `image` are files; `picture` is the one that the page itself holds, as a data URL; `box` is on either; `as`
    says what becomes of the pictures that the state has.
    """

    image = kinds.List(Upload())
    picture = kinds.String()
    box = Corners()
    role = Word(data_key="as", validate=validate.OneOf(ROLES, error=" or ".join(ROLES)))

    @post_load
    def make(self, data: dict[str, Any], **more: Any) -> "PageUpload":  # noqa: ANN401 - marshmallow's own
        """To what was sent, and the state beside it."""
        return PageUpload(
            state=super().make(data, **more),
            images=tuple(data.get("image", ())),
            picture=data.get("picture"),
            box=data.get("box"),
            role=data.get("role"),
        )


FILTERS_OF_A_LIST = (*FilterFields().fields, "class_match", "k", "offset")
"""What a page that lists the collection takes, of the fields of a search."""


@dataclass(frozen=True, slots=True)
class PageState:
    """What a page shows; `turn` says which pictures a search is offered to start from."""

    positives: tuple[QueryPicture, ...]
    negatives: tuple[QueryPicture, ...]
    wishes: Wishes
    turn: int = 0

    @classmethod
    def read(cls, sent: MultiDict[str, str], schema: Schema) -> "PageState":
        """From an address.

        Raises:
            RequestError: a field that the schema does not know, or that is not what it is expected to be.
        """
        state: PageState = load_flat(schema, sent)
        return state

    @property
    def query(self) -> Query:
        """What it searches with."""
        return Query(self.positives, self.negatives)

    @property
    def filters(self) -> Filters:
        """What results must be like."""
        return self.wishes.filters

    def like(self, *pictures: QueryPicture) -> "PageState":
        """The same wishes for these pictures alone, from the first result on."""
        return PageState(pictures, (), replace(self.wishes, offset=0))

    def adding(self, picture: QueryPicture, *, to_negatives: bool = False) -> "PageState":
        """With one more picture, which is taken from the other side if it stood there."""
        kept = self.without(picture)
        if to_negatives:
            return replace(kept, negatives=(*kept.negatives, picture))
        return replace(kept, positives=(*kept.positives, picture))

    def without(self, picture: QueryPicture) -> "PageState":
        """Without a picture."""
        positives, negatives = (
            tuple(one for one in side if one != picture) for side in (self.positives, self.negatives)
        )
        return PageState(positives, negatives, replace(self.wishes, offset=0))

    def wishing(self, **wishes: Any) -> "PageState":  # noqa: ANN401 - fields of wishes
        """With other wishes, from the first result on if none is told."""
        return replace(self, wishes=replace(self.wishes, **{"offset": 0, **wishes}))

    def among(self, target: str) -> "PageState":
        """The same search among images or objects; objects know looks alone, and who chose looks keeps to them."""
        mode = self.wishes.mode if target == IMAGES or self.wishes.mode == VISUAL else None
        return self.wishing(target=target, mode=mode)

    def filtering(self, **filters: Any) -> "PageState":  # noqa: ANN401 - fields of filters
        """With other filters."""
        return self.wishing(filters=replace(self.filters, **filters))

    def unfiltered(self) -> "PageState":
        """Without filters, and without a least score."""
        return self.wishing(filters=Filters(), min_score=None)

    def parameters(self) -> list[tuple[str, str]]:
        """Names and values for an address or a form; defaults are left out."""
        pictures = [("positive", refer(one)) for one in self.positives]
        pictures += [("negative", refer(one)) for one in self.negatives]
        wishes = _told(replace(self.wishes, filters=Filters()), Wishes(k=PAGE_KS[0]))
        turn = [("turn", str(self.turn))] if self.turn else []
        return [*pictures, *wishes, *_told(self.filters, Filters()), *turn]

    def address(self, path: str = "/") -> str:
        """The page's address."""
        return to_address(path, self.parameters())


@dataclass(frozen=True, slots=True, kw_only=True)
class PageUpload:
    """What came with the page's form: pictures, or the one that the page held, a box on it, and how to take it."""

    state: PageState
    images: tuple[bytes, ...]
    picture: str | None
    box: Box | None
    role: str | None


EMPTY = PageState((), (), Wishes(k=PAGE_KS[0]))


def to_address(path: str, parameters: Sequence[tuple[str, str]]) -> str:
    """A path with parameters; what names pictures stays readable."""
    encoded = urlencode(parameters, safe="@,~")
    return f"{path}?{encoded}" if encoded else path


def refer(picture: QueryPicture) -> str:
    """A picture as an address names it."""
    match picture:
        case EmbeddedPicture(embedding):
            return f"~{embedding}"
        case IndexedPicture(image_id, None):
            return str(image_id)
        case IndexedPicture(image_id, Box() as box):
            return f"{image_id}@{to_corners(box.corners)}"
    raise ValueError("an uploaded picture has no name before it is embedded")


def to_corners(corners: Sequence[float]) -> str:
    """A box as an address has it."""
    return ",".join(f"{corner:g}" for corner in corners)


def _told(record: Wishes | Filters, default: Wishes | Filters) -> list[tuple[str, str]]:
    """Fields that differ from the default."""
    told: list[tuple[str, str]] = []
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name != "filters" and value != getattr(default, field.name):
            values: Sequence[Any] = value if isinstance(value, tuple) else (value,)
            told += [("class" if field.name == "class_any" else field.name, _word(one)) for one in values]
    return told


def _word(value: Any) -> str:  # noqa: ANN401 - what a field of a record may be
    return (
        str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    )

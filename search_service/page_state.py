"""What a page's address holds: the pictures of a query and its wishes, so that a link shares a search.

A picture is `12` (an indexed image), `12@xmin,ymin,xmax,ymax` (a part of one, in pixels), or `~TEXT` (the
embedding of a picture that was sent, which is not kept).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from marshmallow import EXCLUDE, ValidationError, post_load, validate
from marshmallow import fields as kinds
from werkzeug.datastructures import MultiDict

from indexer.filters import Filters
from indexer.records import Box
from search_service.fields import Corners, Word
from search_service.query_reader import load_flat
from search_service.records import EmbeddedPicture, IndexedPicture, Query, QueryPicture, Wishes
from search_service.request_schemas import FlatWishesSchema, to_wishes

PAGE_KS = (24, 48, 96)
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


class PageSchema(FlatWishesSchema):
    """What a page's address or form may hold.

    `class_match` says whether any or all of the classes are meant; `region_of` with `box`, that a part is searched
    with.
    """

    class Meta:
        """For marshmallow."""

        unknown = EXCLUDE

    positive = kinds.List(Reference())
    negative = kinds.List(Reference())
    region_of = Reference()
    box = Corners()
    class_match = Word(validate=validate.OneOf(("any", "all"), error="any or all"))

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> "PageState":  # noqa: ANN401 - marshmallow's own
        """To the state of a page."""
        if data.get("class_match") == "all":
            data["class_all"] = [*data.pop("class_any", ()), *data.get("class_all", ())]
        k = {"k": data["k"] if data.get("k") in PAGE_KS else PAGE_KS[0]}
        positives, negatives = tuple(data.get("positive", ())), tuple(data.get("negative", ()))
        box, whole = data.get("box"), data.get("region_of")
        if whole is not None:
            positives, negatives = (replace(whole, box=box) if isinstance(whole, IndexedPicture) else whole,), ()
        return PageState(positives, negatives, to_wishes(data | k), box)


@dataclass(frozen=True, slots=True)
class PageState:
    """What a page shows; `box` is a part of a picture that comes beside it, and is in no address."""

    positives: tuple[QueryPicture, ...]
    negatives: tuple[QueryPicture, ...]
    wishes: Wishes
    box: Box | None = None

    @classmethod
    def read(cls, sent: MultiDict[str, str]) -> "PageState":
        """From an address or a form; what neither knows is passed over.

        Raises:
            RequestError: a field is not what it is expected to be.
        """
        state: PageState = load_flat(PageSchema(), sent)
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
        return [*pictures, *wishes, *_told(self.filters, Filters())]

    def address(self, path: str = "/") -> str:
        """The page's address."""
        parameters = urlencode(self.parameters(), safe="@,~")
        return f"{path}?{parameters}" if parameters else path


EMPTY = PageState((), (), Wishes(k=PAGE_KS[0]))


def refer(picture: QueryPicture) -> str:
    """A picture as an address names it."""
    match picture:
        case EmbeddedPicture(embedding):
            return f"~{embedding}"
        case IndexedPicture(image_id, None):
            return str(image_id)
        case IndexedPicture(image_id, Box() as box):
            return f"{image_id}@{','.join(f'{corner:g}' for corner in box.corners)}"
    raise ValueError("an uploaded picture has no name before it is embedded")


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

"""What the pages show of pictures: where their files are, and the boxes on them with where each leads."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from indexer.records import Box, IndexedImage
from localizer.records import Localization
from search_service.answer_schemas import ImageSchema
from search_service.deadline import Deadline
from search_service.decoders import Decoders
from search_service.page_state import PageState, refer
from search_service.records import EmbeddedPicture, IndexedPicture, QueryPicture, Sight, UploadedPicture

_PREVIEW_SIDE = 1_024  # pixels of an uploaded picture as it is shown again


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A box on a picture.

    Attributes:
        kind: "true" or "predicted".
        label: in words.
        corners: in pixels of the picture.
        address: of the search with that part; None where only a form can ask for it.
    """

    kind: str
    label: str
    corners: tuple[float, float, float, float]
    address: str | None

    @property
    def area(self) -> float:
        """Square pixels: the smaller has to lie above the larger."""
        return Box(*self.corners).area


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryView:
    """A picture of a query, as a page shows it.

    Attributes:
        picture: as the state names it.
        reference: the same as a word.
        sight: as the engine sees it.
        image: the indexed image, as JSON has it; None for others.
        source: address of the picture; None for one that was sent before, and is not kept.
        overlays: boxes on it, larger ones first.
    """

    picture: QueryPicture
    reference: str
    sight: Sight
    image: dict[str, Any] | None
    source: str | None
    overlays: Sequence[Overlay]


def query_view(picture: QueryPicture, sight: Sight, state: PageState, source: str | None = None) -> QueryView:
    """A picture of a query; `source` is the address of an uploaded one."""
    image = ImageSchema().dump(sight.image) if sight.image else None
    return QueryView(
        picture=picture,
        reference=refer(picture),
        sight=sight,
        image=image,
        source=image["image_url"] if image else source,
        overlays=overlays(sight.image, sight.localization, state),
    )


def overlays(image: IndexedImage | None, localization: Localization | None, state: PageState) -> list[Overlay]:
    """True and predicted boxes, larger ones first.

    Each of an indexed image leads to a search with that part, of this state otherwise.
    """
    true = [("true", label.class_name, label.box) for label in (image.objects if image else ())]
    told = localization.told() if localization else ()
    predicted = [("predicted", f"{one.class_name} {100 * one.probability:.0f} %", one.box) for one in told]
    made = [
        Overlay(
            kind=kind,
            label=label,
            corners=box.corners,
            address=state.like(IndexedPicture(image.image_id, box)).address() if image else None,
        )
        for kind, label, box in true + predicted
    ]
    return sorted(made, key=lambda one: -one.area)


def settle(pictures: Sequence[QueryPicture], sights: Sequence[Sight]) -> tuple[QueryPicture, ...]:
    """The pictures as an address can name them: an uploaded one by its embedding."""
    return tuple(
        EmbeddedPicture(sight.embedding) if isinstance(picture, UploadedPicture) else picture
        for picture, sight in zip(pictures, sights, strict=True)
    )


def data_url(data: bytes, decoders: Decoders, deadline: Deadline) -> str:
    """The uploaded picture, made small, inside the page itself: nothing uploaded is kept."""
    small = decoders.thumbnail(data, _PREVIEW_SIDE, deadline.remaining())
    return "data:image/jpeg;base64," + base64.b64encode(small).decode()

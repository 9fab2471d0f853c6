"""What the address of the quality page holds: which mistakes are shown, and of which class the curve."""

from collections.abc import Collection as Several
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from marshmallow import post_load, validate
from werkzeug.datastructures import MultiDict

from search_service.fields import Whole, Word
from search_service.query_reader import load_flat
from search_service.request_schemas import RequestSchema
from search_service.wish_checks import check_known

CLASS, BOX = "class", "box"
"""What may be wrong of an answer."""
_FURTHEST = 1_000_000_000  # place in a list


class MistakeFields(RequestSchema):
    """Which mistakes are meant."""

    true = Word()
    predicted = Word()
    wrong = Word(validate=validate.OneOf((CLASS, BOX), error="class or box"))


class QualitySchema(MistakeFields):
    """What the address may hold."""

    class_name = Word(data_key="class")
    offset = Whole(validate=validate.Range(0, _FURTHEST, error="a number from 0 on"))

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> "QualityState":  # noqa: ANN401 - marshmallow's own
        """To the state of the page."""
        return QualityState(**data)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityState:
    """What the page shows.

    Attributes:
        true: mistakes are of this true class; None for any.
        predicted: mistakes are of this predicted class; None for any.
        wrong: `CLASS` or `BOX`; None for either.
        class_name: whose curve is shown large; None for the curves of all.
        offset: how many worse mistakes to pass over.
    """

    true: str | None = None
    predicted: str | None = None
    wrong: str | None = None
    class_name: str | None = None
    offset: int = 0

    @classmethod
    def read(cls, sent: MultiDict[str, str], classes: Several[str]) -> "QualityState":
        """From an address.

        Raises:
            RequestError: a class that is not among `classes`, or what is no such value at all.
        """
        state: QualityState = load_flat(QualitySchema(), sent)
        asked = [name for name in (state.true, state.predicted, state.class_name) if name is not None]
        check_known("class", sorted(classes), asked)
        return state

    @property
    def filtered(self) -> bool:
        """Whether some mistakes are left out."""
        return any((self.true, self.predicted, self.wrong))

    def but(self, **changes: Any) -> "QualityState":  # noqa: ANN401 - fields of the state
        """With other values, from the first mistake on if no offset is told."""
        return replace(self, **{"offset": 0, **changes})

    def parameters(self) -> list[tuple[str, str]]:
        """Names and values for an address or a form; defaults are left out."""
        told = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [("class" if name == "class_name" else name, str(value)) for name, value in told if value]

    def address(self, path: str, place: str) -> str:
        """The page's address, at one of its places."""
        parameters = urlencode(self.parameters())
        return f"{path}?{parameters}#{place}" if parameters else f"{path}#{place}"

"""Whether a query and its wishes can be answered; what cannot is refused in one line."""

from collections.abc import Iterable, Sequence

from indexer.filters import Filters
from indexer.manifest import Manifest
from search_service.errors import RequestError
from search_service.records import MAX_K, MAX_PICTURES, MAX_RESULTS, OBJECTS, SEMANTIC, VISUAL, Query, Wishes

_MAX_OFFSET = 2**31
_NAMED_AT_MOST = 30  # known values told of in an error


def check_query(query: Query) -> None:
    """Hold a query to what can be searched with at once.

    Raises:
        RequestError: no positive picture, or too many pictures.
    """
    pictures = len(query.positives) + len(query.negatives)
    if not query.positives:
        raise RequestError(400, "no_image", "expected a picture to search with, found none")
    if pictures > MAX_PICTURES:
        expected = f"expected at most {MAX_PICTURES} pictures in a query"
        raise RequestError(400, "too_many_images", f"{expected}, found {pictures}")


def check_wishes(wishes: Wishes, targets: tuple[str, ...], *, annotated: bool) -> None:
    """Hold numbers to their ranges, and the target to those that are there; `annotated`: whether any object is.

    Raises:
        RequestError: one is not within them.
    """
    check_page(wishes.offset, wishes.k)
    if wishes.offset + wishes.k > MAX_RESULTS:
        expected = f"expected offset and k to reach no further than {MAX_RESULTS}"
        raise RequestError(400, "invalid_offset", f"{expected}, found {wishes.offset} and {wishes.k}")
    if wishes.target == OBJECTS and OBJECTS not in targets:
        remedy = "make it: python -m indexer build --objects --collection DIR"
        if not annotated:
            remedy = "no picture of this collection is annotated, so search whole pictures"
        raise RequestError(409, "no_object_index", f"expected an index of objects, found none; {remedy}")
    if wishes.target not in targets:
        expected = f"expected target {' or '.join(targets)}"
        raise RequestError(400, "invalid_target", f"{expected}, found {wishes.target!r:.50}")


def settle_mode(wishes: Wishes, modes: tuple[str, ...], why_no_more: str) -> str:
    """The mode that is meant, of those there are, the usual one first; objects are searched by looks alone.

    Raises:
        RequestError: there is no such mode, here or at all; `why_no_more` tells why here.
    """
    if wishes.mode not in (None, VISUAL, SEMANTIC):
        raise RequestError(400, "invalid_mode", f"expected mode {VISUAL} or {SEMANTIC}, found {wishes.mode!r:.50}")
    if wishes.target == OBJECTS:
        if wishes.mode == SEMANTIC:
            message = f"expected mode {VISUAL} to search objects, found {SEMANTIC}; leave the mode out"
            raise RequestError(400, "invalid_mode", message)
        return VISUAL
    if wishes.mode is None:
        return modes[0]
    if wishes.mode not in modes:
        raise RequestError(409, "no_head", why_no_more)
    return wishes.mode


def check_page(offset: int, k: int) -> None:
    """Hold a part of all results to its range.

    Raises:
        RequestError: k or offset is outside.
    """
    if not 1 <= k <= MAX_K:
        raise RequestError(400, "invalid_k", f"expected k from 1 to {MAX_K}, found {k!s:.20}")
    if not 0 <= offset <= _MAX_OFFSET:
        raise RequestError(
            400, "invalid_offset", f"expected an offset from 0 to {_MAX_OFFSET}, found {offset!s:.20}"
        )


def check_known(field: str, known: Sequence[str], asked: Iterable[str]) -> None:
    """Hold names to those that are known, which are told of in their order.

    Raises:
        RequestError: one is not among them.
    """
    for unknown in sorted(set(asked) - set(known)):
        there = ", ".join(known[:_NAMED_AT_MOST]) + (", ..." if len(known) > _NAMED_AT_MOST else "")
        message = f"expected a {field} of this collection ({there or 'it has none'}), found {unknown!r:.50}"
        raise RequestError(400, f"unknown_{field}", message)


def check_filters(filters: Filters, manifest: Manifest, poses: Sequence[str]) -> None:
    """Hold classes, splits and poses to those of the collection: a misspelt one would silently find nothing.

    Raises:
        RequestError: one is not there, or a least value is above the greatest.
    """
    classes = (*filters.class_any, *filters.class_all, *filters.class_none)
    check_known("class", manifest.classes, classes)
    check_known("split", tuple(manifest.splits), filters.split)
    check_known("pose", poses, filters.pose)
    for what in ("objects", "share"):
        least, most = getattr(filters, f"min_{what}"), getattr(filters, f"max_{what}")
        if least is not None and most is not None and least > most:
            message = f"expected min_{what} to be at most max_{what}, found {least:g} and {most:g}"
            raise RequestError(400, f"invalid_min_{what}", message)

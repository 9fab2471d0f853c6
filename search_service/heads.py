"""A collection's heads as a service opens them: search must go on where they are missing or do not fit."""

import logging

from indexer.collection import Collection
from indexer.semantic_index import SemanticIndex
from localizer.errors import HeadError, NoHeadError
from localizer.predict import Localizer

logger = logging.getLogger(__name__)


def open_semantic_index(collection: Collection, localizer: Localizer | None) -> SemanticIndex | None:
    """The stored one, or one made now, after a build that was not followed by `align`; None without its head."""
    if localizer is None or localizer.main is None:
        return None
    held = localizer.stored_semantic_index(collection)
    if held is None and not localizer.can_look_at(collection):
        logger.warning("Searching by looks alone: the maps are where the collection was built; align it there")
        return None
    if held is None:
        logger.warning(
            "Working out the semantic index; to keep it: python -m localizer align --collection %s",
            collection.path,
        )
    return held or localizer.make_semantic_index(collection)


def open_localizer(collection: Collection) -> tuple[Localizer | None, str]:
    """The heads, or why there are none: search must work without, and beside a head that does not fit."""
    try:
        return Localizer.open(collection), ""
    except NoHeadError as error:
        if not collection.manifest.objects:
            return None, "expected a head, found none; heads learn from annotations, and no picture here has any"
        return None, str(error)
    except HeadError as error:
        logger.warning("Serving without localization: %s", error)
        return None, str(error)

"""Which split of a collection is learned from, and which is judged by, where none is named."""

import logging
import shlex
from collections import Counter
from collections.abc import Collection as Several
from collections.abc import Sequence

from indexer.collection import Collection
from indexer.errors import DatasetError
from indexer.own_split import TRAIN, VAL

logger = logging.getLogger(__name__)


def split_to_learn_from(collection: Collection, asked: str | None, option: str, former: str | None = None) -> str:
    """The split that is asked for; else "train", else the only one there is, else the `former` one.

    Args:
        collection: whose annotated pictures count.
        asked: None where none is named.
        option: of the command, by which one is named.
        former: that was learned from before.

    Raises:
        DatasetError: it has no annotated picture; the message names those that have, and how to choose one.
    """
    splits = _annotated(collection)
    if asked is None and TRAIN not in splits:
        asked = splits[0] if len(splits) == 1 else former if former in splits else None
        if asked is not None:
            logger.warning("Taking split %s, as there is no train", asked)
    return _checked(splits, TRAIN if asked is None else asked, f"choose one: {option} {shlex.quote(splits[0])}")


def split_to_judge_by(collection: Collection, asked: str | None, option: str | None, learned: Several[str]) -> str:
    """The split that is asked for; else "val", else the only one beside those that are learned from.

    Args:
        collection: whose annotated pictures count.
        asked: None where none is named.
        option: of the command, by which one is named; None where it has none.
        learned: splits that are learned from, or searched in.

    Raises:
        DatasetError: it has no annotated picture, or there is none; the message says how to get or choose one.
    """
    splits = _annotated(collection)
    if asked is not None:
        return _checked(splits, asked, f"choose one: {option} {shlex.quote(splits[0])}")
    others = [name for name in splits if name not in learned]
    if VAL not in splits and len(others) == 1:
        logger.warning("Taking split %s, as there is no val", others[0])
        return others[0]
    lists = "list other annotated images in ImageSets/Main/val.txt"
    more = "annotate more (of five and more that differ, some become val)"
    remedy = f"{more if collection.manifest.made_split else lists}, and build again"
    if option:
        way = "choose one" if others else "judge by the same"
        remedy = f"{remedy}; or {way}: {option} {shlex.quote((others or splits)[0])}"
    return _checked(splits, VAL, remedy)


def _annotated(collection: Collection) -> list[str]:
    """The splits of annotated images, that of the most first."""
    counts = Counter(image.split for image in collection.all_images() if image.objects)
    if not counts:
        raise DatasetError(
            f"expected annotated images, found none in {collection.path}; put annotations into the devkit, "
            "Annotations/NAME.xml, and build again"
        )
    splits = [name for name, _ in counts.most_common() if name]
    if not splits:
        raise DatasetError(
            f"expected annotated images in a split, found all {counts.total()} in none; list some in "
            "ImageSets/Main/train.txt, or remove all lists, and build again: without lists, a build makes a split"
        )
    return splits


def _checked(splits: Sequence[str], name: str, remedy: str) -> str:
    if name in splits:
        return name
    raise DatasetError(
        f"expected annotated images in split {name!r}, found none; annotated splits: {', '.join(splits)}; {remedy}"
    )

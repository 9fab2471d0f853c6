"""The tenth of a split that choices are made on, drawn so that no near-duplicate stands on both sides."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from indexer.near_duplicates import DECIDING_STAGE, near_duplicate_groups
from localizer.errors import TrainingError
from localizer.examples import Examples

PARTS = 10


def hold_out(examples: Examples, seed: int) -> tuple[Examples, Examples]:
    """The examples to learn from, and about a tenth of them held aside; classes spread evenly.

    Raises:
        TrainingError: the examples are too few, or so alike, that none could be held aside.
    """
    maps = examples.inputs.get(DECIDING_STAGE)
    groups = near_duplicate_groups(examples.vectors, None if maps is None else maps.numpy())
    parts = min(PARTS, len(set(groups.tolist())))
    if parts < 2:  # noqa: PLR2004 - one side to learn from, one to judge by
        raise TrainingError(
            f"expected pictures that differ, found {len(examples)} that are near-duplicates of each other; "
            "annotate others, or train on a larger split"
        )
    splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    splits = splitter.split(groups, _strata(examples.class_ids.numpy(), parts), groups)
    # A large group makes its part larger than the others: the part nearest to a fair share is taken, of equals the
    # smaller.
    learned, held = min(splits, key=lambda split: (abs(len(split[1]) - len(groups) / parts), len(split[1])))
    return examples.take(learned), examples.take(held)


def _strata(class_ids: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """The class ids, with those too rare to be spread over the parts counted to the commonest."""
    numbers, counts = np.unique(class_ids, return_counts=True)
    rare = numbers[counts < parts]
    return np.where(np.isin(class_ids, rare), numbers[counts.argmax()], class_ids)

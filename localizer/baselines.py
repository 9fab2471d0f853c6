"""What can be answered without a head; a head that is not better has learned nothing."""

import torch
from torch import Tensor

from localizer.examples import Examples
from localizer.scoring import Guess


def baselines(learned: Examples, asked: Examples, class_ids: Tensor) -> dict[str, Guess]:
    """Name -> answers about `asked` that follow from `learned`.

    Args:
        learned: what the head was trained on.
        asked: what is to be answered.
        class_ids: (N,) the head's answers, for which the mean box of that class is tried.
    """
    count = len(asked)
    means = _class_means(learned)
    everything = learned.boxes.mean(0)
    majority = learned.class_ids.mode().values
    nearest = torch.from_numpy(asked.vectors @ learned.vectors.T).argmax(1)
    return {
        "majority_class": Guess(majority.expand(count), means.get(int(majority), everything).expand(count, 4)),
        "mean_box": Guess(majority.expand(count), everything.expand(count, 4)),
        "class_mean_box": Guess(
            class_ids, torch.stack([means.get(number, everything) for number in class_ids.tolist()])
        ),
        "nearest_neighbour": Guess(learned.class_ids[nearest], learned.boxes[nearest]),
    }


def _class_means(learned: Examples) -> dict[int, Tensor]:
    ids = learned.class_ids
    return {number: learned.boxes[ids == number].mean(0) for number in sorted(set(ids.tolist()))}

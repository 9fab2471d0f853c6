"""The score of a semantic search: the cosine of two rows, and a reward where the pictures look much alike.

A semantic row is a vector joined with probabilities of classes (`localizer.semantic.join`), so that the cosine
of two rows is a mean of both. Where many pictures show the same, that mean hardly tells a copy from another
picture of its class; the reward does.
"""

from dataclasses import dataclass

import numpy as np

from indexer.reduction import Floats, unit_rows


@dataclass(frozen=True, slots=True)
class Likeness:
    """How likeness in looks is rewarded.

    Score = (cosine of the rows + reward x clip((cosine of the vectors - threshold) / (1 - threshold), 0, 1))
    / (1 + reward). It lies in [-1, 1], is 1 for a copy, and never falls where one of the cosines rises.

    Attributes:
        reward: what the greatest likeness counts beside the cosine of the rows, from 0.
        threshold: cosine of the vectors from which there is a reward, in [0, 1).
    """

    reward: float
    threshold: float

    def score(self, of_rows: Floats, of_vectors: Floats) -> Floats:
        """Both cosines of any pairs -> their scores, in the same shape."""
        alike = np.clip((of_vectors - self.threshold) / (1 - self.threshold), 0, 1)
        scores: Floats = (of_rows + self.reward * alike) / (1 + self.reward)
        return scores

    def scores(self, queries: Floats, rows: Floats, dim: int) -> Floats:
        """(Q, D) and (N, D) semantic rows, which begin with vectors of length `dim` -> (Q, N) scores."""
        return self.score(queries @ rows.T, looks(queries, dim) @ looks(rows, dim).T)


DEFAULT_LIKENESS = Likeness(reward=2.0, threshold=0.5)
"""For rows of heads for which none was chosen."""


def looks(rows: Floats, dim: int) -> Floats:
    """The vectors (N, dim) of unit length that semantic rows (N, D) were joined from."""
    unit: Floats = unit_rows(rows[:, :dim])
    return unit

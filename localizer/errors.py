"""What can go wrong with a head, beside what can go wrong with a collection."""

from indexer.errors import LookalikeError


class HeadError(LookalikeError):
    """A stored head is damaged, or does not fit the collection."""


class NoHeadError(HeadError):
    """No head is trained on the collection."""


class TrainingError(LookalikeError):
    """Training cannot begin, or came to nothing."""

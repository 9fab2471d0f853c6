"""Filters in words, each with the state of the page without it."""

from dataclasses import replace

from search_service.page_state import PageState

_LISTS = {
    "class_any": "{}", "class_all": "with {}", "class_none": "no {}", "split": "split {}", "pose": "pose {}",
}  # fmt: skip
_FLAGS = {"truncated": "truncated", "occluded": "occluded", "difficult": "difficult"}
_LIMITS = {
    "min_objects": "at least {:g} objects",
    "max_objects": "at most {:g} objects",
    "min_share": "object covers at least {:.0%}",
    "max_share": "object covers at most {:.0%}",
}


def chips(state: PageState) -> list[tuple[str, PageState]]:
    """(in words, state without it) of each filter."""
    found = []
    for name, words in _LISTS.items():
        values = getattr(state.filters, name)
        for value in values:
            rest = tuple(other for other in values if other != value)
            found.append((words.format(value), state.filtering(**{name: rest})))
    for name, word in _FLAGS.items():
        wanted = getattr(state.filters, name)
        if wanted is not None:
            found.append((word if wanted else f"not {word}", state.filtering(**{name: None})))
    for name, words in _LIMITS.items():
        limit = getattr(state.filters, name)
        if limit is not None:
            found.append((words.format(limit), state.filtering(**{name: None})))
    if state.wishes.min_score is not None:
        without = replace(state, wishes=replace(state.wishes, min_score=None, offset=0))
        found.append((f"score at least {state.wishes.min_score:g}", without))
    if state.wishes.fold_duplicates:
        found.append(("near-duplicates folded", state.wishing(fold_duplicates=False)))
    return found

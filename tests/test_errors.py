from __future__ import annotations

import importlib
import pickle
import pkgutil
import re

import pytest

import pipeline
from pipeline import errors
from pipeline.errors import ArticleError, ArticleFailed, ArticleRejected, NewsError, Reason

NEVER_LEAVE_THEIR_ROOM = {"NotAFeedError", "AddressRefusedError", "NameNotFoundError"}
"""Signals between two functions of one room, caught there."""


def drawn_tree() -> dict[str, str]:
    """Each class of the docstring's drawing with the class it hangs on."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ((?:[│ ]   )*)(?:[├└]── )?(\w+) +\S", line):
            depth = 0 if not re.search("[├└]", line) else len(found[1]) // 4 + 1
            path[depth:] = [found[2]]
            if depth:
                parents[found[2]] = path[depth - 1]
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    """Who reads the drawing on top of the module knows every error and what it is a kind of."""
    real = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, NewsError) and value is not NewsError
    }
    assert drawn_tree() == real


def test_every_error_of_ours_hangs_on_the_tree() -> None:
    """A command turns every error raised on purpose into a message: each class in the package is a NewsError."""
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.name:
                is_internal = name.startswith("_") or name in NEVER_LEAVE_THEIR_ROOM
                assert is_internal or issubclass(value, NewsError), f"{module.name}.{name}"


@pytest.mark.parametrize("error", [ArticleRejected(Reason.EMPTY), ArticleFailed(Reason.DNS, "no such host «é»")])
def test_an_article_s_error_crosses_process_borders_whole(error: ArticleError) -> None:
    """Extraction runs in a process of its own: reason and detail of what fails there arrive here."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.reason, copy.detail, str(copy)) == (type(error), error.reason, error.detail, str(error))


def test_reasons_are_one_vocabulary() -> None:
    """A reason's word is its name in lower case, so that code, reports and facets say the same."""
    assert [reason.value for reason in Reason] == [reason.name.lower() for reason in Reason]


def test_a_hint_follows_the_message() -> None:
    """What went wrong first, then what to do."""
    assert str(NewsError("It broke.", hint="Mend it.")) == "It broke. Mend it."
    assert str(NewsError("It broke.")) == "It broke."

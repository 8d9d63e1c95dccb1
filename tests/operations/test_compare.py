"""Comparing before an upgrade: what would change is counted, the worst comes first, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from installation import Installation, article_page, write_texts

from pipeline.errors import ConfigurationError
from pipeline.operations.compare import changes_between, summarize
from pipeline.run import run_now
from pipeline.schedule import RunRequest


def filled(installation: Installation) -> None:
    folder = write_texts(installation.root / "desk", range(4))
    (folder / "page.html").write_text(article_page(50))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    run_now(installation.services(), RunRequest(source_ids=("desk",)), installation.sources(), kind="news run")


def test_the_stored_articles_against_the_same_code_differ_in_nothing(
    installation: Installation, news: Callable[..., Any]
) -> None:
    """Without an upgrade there is nothing to report."""
    filled(installation)
    found = news("compare", "--json")
    assert found["compared"] == 5
    assert found["different"] == 0


def test_stored_articles_that_the_code_reads_differently_are_shown(
    installation: Installation, news: Callable[..., Any]
) -> None:
    """A document made by an older version shows up with the fields that would change, and stays as it is."""
    filled(installation)
    services = installation.services()
    id_, document = next(iter(installation.documents().items()))
    change = {"body": "quite another text", "language": "de", "published_at": "2020-01-01T00:00:00.000Z"}
    services.elasticsearch.update(index=document["_index"], id=id_, doc=change, refresh=True)
    before = installation.documents()
    found = news("compare", "--sample", "10", "--json")
    assert found["different"] == 1
    (example,) = found["examples"]
    assert {"body", "language", "published_at"} <= set(example["changes"])
    assert example["changes"]["language"] == {"old": "de", "new": "en", "distance": 1.0}
    assert installation.documents() == before


def test_two_settings_files_are_compared(installation: Installation, news: Callable[..., Any]) -> None:
    """A setting that turns articles away shows as a changed outcome, before it does any harm."""
    filled(installation)
    strict = installation.root / "strict.toml"
    strict.write_text("[extract]\nmin_characters = 100000\nworkers = 0\n")
    found = news("compare", "--old", "current", "--new", str(strict), "--json")
    assert found["changed"] == {"outcome": 5}
    assert found["examples"][0]["changes"]["outcome"]["new"] == "too_short"
    with pytest.raises(ConfigurationError, match="no such settings file"):
        news("compare", "--new", str(installation.root / "missing.toml"))


def test_the_worst_differences_come_first() -> None:
    """A lost article counts more than a rewritten body, and that more than one word."""
    base = {"headline": "h", "body": "one two three four five six seven eight", "language": "en", "entities": []}
    old = [base, base, base, base]
    new = ["no_text", {**base, "body": "quite different"}, {**base, "body": base["body"] + " nine"}, dict(base)]
    found = summarize([(name, "s") for name in "abcd"], old, new)  # type: ignore[arg-type]
    assert [difference.name for difference in found.differences] == ["a", "b", "c"]
    assert found.changed == {"body": 2, "outcome": 1}
    assert changes_between("no_text", "no_text") == {}

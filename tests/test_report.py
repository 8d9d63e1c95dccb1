from __future__ import annotations

from typing import Any

from pipeline.report import as_text


def report(**fields: Any) -> dict[str, Any]:
    return {
        "run_id": "news-run-1",
        "status": "succeeded",
        "discovered": 12,
        "balanced": True,
        "outcomes": {"indexed": 7, "updated": 0, "unchanged": 3, "duplicate": 0, "rejected": 1, "failed": 1},
        "reasons": {"failed(broken_compression)": 1, "rejected(too_short)": 1},
        "duration_seconds": 3.25,
        "kept_for_next_run": 0,
        "sources": [{"id": "paper", "outcomes": {"indexed": 7, "failed": 0}}],
        "problems": [],
        "stage_seconds": {"fetch": 1.0, "index": 2.0},
        "entities": "off",
        **fields,
    }


def test_it_shows_every_outcome_with_its_reasons() -> None:
    """The table has a line for each outcome that occurred, its reasons below it, and what was discovered."""
    lines = [line.split() for line in as_text(report()).splitlines()]
    assert ["indexed", "7"] in [line[:2] for line in lines]
    assert (
        lines.index(["broken_compression", "1"])
        == next(n for n, line in enumerate(lines) if line[:1] == ["failed"]) + 1
    )
    assert ["discovered", "12", "balanced"] in lines
    assert not any(line[:1] == ["updated"] for line in lines)
    assert "news-run-1: succeeded" in as_text(report())


def test_it_says_when_it_does_not_balance() -> None:
    """A run that lost count is shouted about, not shown as usual."""
    assert "DOES NOT BALANCE" in as_text(report(balanced=False))


def test_it_says_that_entities_are_off() -> None:
    """Nobody wonders why there are no people: the report says that the step is off, or which model it was."""
    assert "Entities are off (setting entities.model)" in as_text(report())
    assert "Entities by en_news 1.0" in as_text(report(entities="en_news 1.0"))


def test_it_says_what_is_left_and_which_sources_had_trouble() -> None:
    """Kept work and unreadable sources are named, with what happens next."""
    text = as_text(
        report(status="failed", kept_for_next_run=40, problems=[{"source": "paper", "message": "answers 503"}])
    )
    assert "40 articles are kept; the next run takes them over" in " ".join(text.split())
    assert "Source paper: answers 503" in text


def test_several_sources_are_shown_side_by_side() -> None:
    """With more than one source there is a row for each; text in brackets is no markup."""
    counts = {"indexed": 7, "updated": 0, "unchanged": 3, "duplicate": 0, "rejected": 1, "failed": 1}
    text = as_text(report(sources=[{"id": "[red]a", "outcomes": counts}, {"id": "b", "outcomes": counts}]))
    assert any(line.split()[:1] == ["b"] and "·" in line for line in text.splitlines())
    assert "Took 3.2 s (fetch 1.0 s, index 2.0 s)" in text

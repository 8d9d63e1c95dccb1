"""What failed is kept until it succeeds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from elasticsearch import Elasticsearch
from indexing.articles import NOON

from pipeline.errors import Reason
from pipeline.index import quarantine
from pipeline.index.quarantine import Entry
from pipeline.models import ArchiveAddress, ArticleRef, ItemResult, Outcome, OutcomeKind, StatedFacts

REF = ArticleRef(
    source_id="example",
    url="https://a.example/1",
    via="feed https://a.example/rss",
    facts=StatedFacts(title="Öffnung", authors=("A", "B"), published_at=NOON),
    archived=ArchiveAddress(file="x.warc.gz", offset=12, digest="sha1:A"),
)
ENTRY = Entry(
    ref=REF,
    stage="extract",
    reason=Reason.EXTRACT_ERROR,
    message="ValueError: no",
    last_failed_at=NOON,
    run_id="run-1",
    command="news ingest --ref 'x'",
    archived=REF.archived,
)


def test_an_entry_comes_back_whole(client: Elasticsearch, installation: str) -> None:
    """Everything needed to try again is kept: the whole reference, the raw record's address, the command."""
    quarantine.put(client, [ENTRY], prefix=installation)
    held = quarantine.get(client, ENTRY.id, prefix=installation)
    assert held == replace(ENTRY, first_failed_at=NOON)
    assert held.ref == REF
    quarantine.remove(client, [REF], prefix=installation)


def test_failing_again_counts(client: Elasticsearch, installation: str) -> None:
    """The entry of a reference says how often and since when it has failed, and why the last time."""
    when = NOON + timedelta(days=1)
    later = replace(ENTRY, stage="index", reason=Reason.INDEX_REFUSED, last_failed_at=when, run_id="another")
    quarantine.put(client, [ENTRY], prefix=installation)
    quarantine.put(client, [later], prefix=installation)
    (held,) = quarantine.entries(client, prefix=installation)
    assert held == replace(later, attempts=2, first_failed_at=NOON)
    quarantine.put(client, [later], prefix=installation)  # a report that was killed is made again
    assert quarantine.get(client, ENTRY.id, prefix=installation) == held
    quarantine.remove(client, [REF], prefix=installation)


def test_what_succeeds_leaves(client: Elasticsearch, installation: str) -> None:
    """An entry goes when its reference has succeeded; references that were never in are no error."""
    other = replace(REF, url="https://a.example/2")
    quarantine.put(client, [ENTRY], prefix=installation)
    assert quarantine.remove(client, [REF, other], prefix=installation) == 1
    assert quarantine.get(client, ENTRY.id, prefix=installation) is None
    assert quarantine.entries(client, prefix=installation) == []


def test_entries_can_be_picked(client: Elasticsearch, installation: str) -> None:
    """The quarantine can be listed by source, stage and reason, what failed last first."""
    refs = [
        replace(REF, url=f"https://a.example/{number}", source_id=("one", "two")[number % 2]) for number in range(5)
    ]
    made = [
        replace(ENTRY, ref=ref, last_failed_at=NOON + timedelta(hours=number), stage="fetch", reason=Reason.TIMEOUT)
        for number, ref in enumerate(refs)
    ]
    quarantine.put(client, [*made, ENTRY], prefix=installation)
    ones = quarantine.entries(client, source="one", prefix=installation)
    assert [entry.ref.url for entry in ones] == [f"https://a.example/{number}" for number in (4, 2, 0)]
    assert [entry.ref for entry in quarantine.entries(client, stage="extract", prefix=installation)] == [REF]
    assert len(quarantine.entries(client, reason=Reason.TIMEOUT, limit=2, prefix=installation)) == 2
    quarantine.remove(client, [*refs, REF], prefix=installation)


def test_only_failures_are_kept() -> None:
    """Of a batch's results, the failed ones go to the quarantine; what was rejected on purpose does not."""
    outcomes = [
        Outcome(kind=OutcomeKind.INDEXED),
        Outcome(kind=OutcomeKind.REJECTED, reason=Reason.TOO_SHORT),
        Outcome(kind=OutcomeKind.FAILED, reason=Reason.TIMEOUT, detail="30 s"),
    ]
    results = [ItemResult(ref=REF, outcome=outcome, stage="fetch") for outcome in outcomes]
    (entry,) = quarantine.entries_of(results, at=NOON, run_id="r", command=lambda result: f"again {result.ref.name}")
    assert (entry.reason, entry.message, entry.command) == (Reason.TIMEOUT, "30 s", "again https://a.example/1")
    assert entry.archived == REF.archived


def test_the_same_address_of_two_sources_is_two_entries() -> None:
    """Sources that name the same article fail and succeed each for themselves."""
    assert quarantine.entry_id(REF) != quarantine.entry_id(replace(REF, source_id="other"))
    assert quarantine.entry_id(REF) != quarantine.entry_id(replace(REF, item=2))

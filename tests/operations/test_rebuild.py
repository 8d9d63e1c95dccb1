"""The index built anew: searches see one generation or the other, and the live one survives whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from indexing.articles import document
from installation import Installation, without_bookkeeping, write_texts

from pipeline.errors import ConfigurationError
from pipeline.index import templates, writer
from pipeline.operations import rebuild
from pipeline.run import run_now
from pipeline.schedule import RunRequest
from pipeline.search import SearchRequest, search

THEN = datetime(2025, 11, 20, tzinfo=UTC)


def filled(installation: Installation, count: int = 30) -> None:
    """``count`` articles, ingested in the past."""
    folder = write_texts(installation.root / "desk", range(count))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    asked = RunRequest(source_ids=("desk",))
    run_now(installation.services(now=lambda: THEN), asked, installation.sources(), kind="news run")


def indices(installation: Installation) -> set[str]:
    """Every index of articles there is, seen or not."""
    found = installation.services().elasticsearch.indices.get(index=f"{installation.prefix}-*-0*")
    return set(found)


def without_index(documents: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {id_: {k: v for k, v in document.items() if k != "_index"} for id_, document in documents.items()}


def test_a_rebuild_gives_the_same_articles_and_keeps_when_they_were_first_seen(
    installation: Installation, news: Callable[..., Any]
) -> None:
    """A new generation holds the same documents, the old one is gone, and later runs write to the new one."""
    filled(installation)
    before = installation.documents()
    old = indices(installation)
    done = news("index", "rebuild", "--grace", "0", "--json")
    assert done["swapped"]
    assert done["parity"]["kept"] == done["parity"]["overlap"] == 1
    after = installation.documents()
    assert without_index(without_bookkeeping(after)) == without_index(without_bookkeeping(before))
    assert {d["first_seen_at"] for d in after.values()} == {d["first_seen_at"] for d in before.values()}
    assert not old & indices(installation)
    assert {document["_index"] for document in after.values()} <= indices(installation)
    write_texts(installation.root / "desk", range(30, 33))
    report = run_now(installation.services(), RunRequest(source_ids=("desk",)), installation.sources(), kind="news run")
    assert report["outcomes"]["indexed"] == 3
    assert report["outcomes"]["unchanged"] == 30
    assert len(indices(installation)) == 1
    again = news("index", "rebuild", "--grace", "0", "--json")
    assert again["swapped"]
    assert len(installation.documents()) == 33


def test_searches_during_a_rebuild_never_fail_and_never_see_half_an_index(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a changed analyzer and three readers searching all the time, before, during and after the swap, each answer
    is that of one whole generation, with its articles."""
    filled(installation, 40)
    services = installation.services()
    # "petitions" finds "petition" with the English analyzer and nothing with the standard one.
    question = SearchRequest(query="petitions", limit=0, prefix=installation.prefix)
    everything = SearchRequest(limit=10, prefix=installation.prefix)
    assert search(services.elasticsearch, question).total == 40
    readers: list[list[tuple[int, int, int]]] = [[], [], []]
    problems: list[Exception] = []
    stop = threading.Event()

    def ask(seen: list[tuple[int, int, int]]) -> None:
        client = installation.services().elasticsearch
        while not stop.is_set():
            try:
                found = search(client, everything)
                seen.append((found.total, len(found.hits), search(client, question).total))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test is about
                problems.append(error)

    analyzers = {**templates.families(), "en": "standard"}
    monkeypatch.setattr(templates, "families", lambda: analyzers)
    threads = [threading.Thread(target=ask, args=(seen,)) for seen in readers]
    for thread in threads:
        thread.start()
    try:
        done = rebuild.rebuild(services, installation.sources(), grace_seconds=0.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert done.swapped
    assert problems == []
    for seen in readers:
        assert {(total, hits) for total, hits, _ in seen} == {(40, 10)}
        counts = [count for _, _, count in seen]
        assert set(counts) == {40, 0}, "a reader saw only one generation: it didn't search all the time"
        assert counts == sorted(counts, reverse=True)
    assert search(services.elasticsearch, question).total == 0


def test_an_interrupted_rebuild_leaves_the_live_index_and_the_next_one_cleans_up(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed half-way, searches, counts and new articles are as if nothing had been started."""
    filled(installation)
    services, sources = installation.services(), installation.sources()
    before = installation.documents()
    written: list[int] = []
    original = writer.write

    def dies(*arguments: Any, **options: Any) -> Any:
        written.append(1)
        if len(written) == 2:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    installation.write_config(
        sources=(installation.project / "config" / "sources.toml").read_text(),
        settings="[index]\nbulk_documents = 10\n",
    )
    services = installation.services()
    monkeypatch.setattr(writer, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        rebuild.rebuild(services, sources, grace_seconds=0)
    monkeypatch.setattr(writer, "write", original)
    assert len(indices(installation)) == 2
    assert installation.documents() == before
    write_texts(installation.root / "desk", range(30, 32))
    run_now(services, RunRequest(source_ids=("desk",)), sources, kind="news run")
    assert len(installation.documents()) == 32
    assert rebuild.rebuild(services, sources, grace_seconds=0).swapped
    assert len(indices(installation)) == 1
    assert len(installation.documents()) == 32


def test_what_is_ingested_meanwhile_is_there_after_the_swap(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An article that came in between the last reading of the archive and the swap is not lost."""
    filled(installation, 5)
    services, sources = installation.services(), installation.sources()
    compare = rebuild.compare_generations

    def ingest_first(*arguments: Any) -> Any:
        write_texts(installation.root / "desk", range(5, 8))
        run_now(installation.services(), RunRequest(source_ids=("desk",)), sources, kind="news run")
        parity = compare(*arguments)
        return parity

    monkeypatch.setattr(rebuild, "compare_generations", ingest_first)
    assert rebuild.rebuild(services, sources, grace_seconds=0, least_kept=0.5).swapped
    assert len(installation.documents()) == 8


def test_a_generation_that_lacks_articles_is_not_put_in_place(installation: Installation) -> None:
    """With part of the archive gone the rebuild says what is missing and leaves the live index as it is."""
    filled(installation, 10)
    before = installation.documents()
    for path in installation.home.glob("archive/**/*.gz"):
        path.unlink()
    services, sources = installation.services(), installation.sources()
    done = rebuild.rebuild(services, sources, grace_seconds=0)
    assert not done.swapped
    assert done.parity.kept == 0
    assert set(done.parity.missing) == set(before)
    assert done.outcomes["failed"] == 10
    assert installation.documents() == before


def test_a_lost_index_comes_back_first_seen_when_it_was_first_captured(installation: Installation) -> None:
    """With no index left, articles get the time of their first capture, not that of the rebuild."""
    filled(installation, 5)
    installation.delete_articles()
    assert rebuild.rebuild(installation.services(), installation.sources(), grace_seconds=0).swapped
    assert {d["first_seen_at"] for d in installation.documents().values()} == {"2025-11-20T00:00:00.000Z"}


def test_two_rebuilds_at_once_are_refused(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is told that one is under way."""
    filled(installation, 2)
    services, sources = installation.services(), installation.sources()
    refused: list[str] = []

    def second(*_: Any) -> list[str]:
        with pytest.raises(ConfigurationError) as error:
            rebuild.rebuild(services, sources)
        refused.append(error.value.message)
        return []

    monkeypatch.setattr(rebuild, "remove_leftovers", second)
    rebuild.rebuild(services, sources, grace_seconds=0)
    assert refused == ["a rebuild is under way already"]


def test_an_articles_past_is_carried_over() -> None:
    """First sight and revisions always; the cluster of near copies only while the text is the same."""
    past = {"first_seen_at": "2020-01-01T00:00:00.000Z", "revision_count": 2, "cluster_id": "c", "similarity": 0.9}
    made = document("https://paper.example/1", published_at=None)
    same = rebuild.with_past(made, {**past, "content_hash": made.source["content_hash"]})
    assert {key: same.source[key] for key in past} == past
    assert same.source["@timestamp"] == past["first_seen_at"]
    assert "cluster_id" not in rebuild.with_past(made, {**past, "content_hash": "another"}).source
    assert rebuild.with_past(document("https://paper.example/1"), past).source["@timestamp"] != past["first_seen_at"]

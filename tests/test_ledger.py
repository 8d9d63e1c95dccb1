from __future__ import annotations

import multiprocessing
import random
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.errors import Reason
from pipeline.ledger import Capture, Ledger, RunRecord
from pipeline.models import ArchiveAddress, ArticleRef, ItemResult, Outcome, OutcomeKind, StatedFacts
from pipeline.worklist import WorkList

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
INDEXED = Outcome(kind=OutcomeKind.INDEXED)
KEPT = Outcome(kind=OutcomeKind.FAILED, reason=Reason.INDEX_UNAVAILABLE, detail="away")
BROKEN = Outcome(kind=OutcomeKind.FAILED, reason=Reason.BROKEN_COMPRESSION)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'deep' / 'ledger.sqlite'}"


@pytest.fixture
def ledger(url: str) -> Ledger:
    return Ledger(url)


def file_ref(name: str, source: str = "s") -> ArticleRef:
    return ArticleRef(source_id=source, path=f"/{name}", via="folder")


def url_ref(name: str, source: str = "s") -> ArticleRef:
    return ArticleRef(source_id=source, url=f"https://paper.example/{name}", via="feed")


def address(number: int = 1) -> ArchiveAddress:
    return ArchiveAddress(file="2026/03/01/a.warc.gz", offset=number, digest=f"sha256:{number:064x}")


def plan(
    ledger: Ledger,
    run_id: str,
    items: Iterable[ArticleRef | ItemResult],
    *,
    now: datetime = NOON,
    sources: Sequence[str] = ("s",),
    batch_size: int = 2,
    stale_after: timedelta = timedelta(hours=2),
) -> RunRecord:
    with WorkList(items) as work:
        return ledger.plan(
            run_id,
            work,
            kind="test",
            request={"sources": list(sources)},
            source_ids=sources,
            batch_size=batch_size,
            now=now,
            stale_before=now - stale_after,
        )


def open_names(ledger: Ledger, run: RunRecord) -> list[str]:
    return [item.ref.name for batch in range(run.batches) for item in ledger.open_items(run.run_id, batch)]


def end(ledger: Ledger, run_id: str, position: int, ref: ArticleRef, outcome: Outcome = INDEXED) -> None:
    result = ItemResult(ref=ref, outcome=outcome, stage="index", document_id=f"id-{ref.name}")
    ledger.record_outcomes(run_id, [(position, result)], now=NOON)


def end_all(ledger: Ledger, run_id: str) -> None:
    ledger.close_open_items(run_id, BROKEN, now=NOON)


def finish(ledger: Ledger, run_id: str) -> None:
    ledger.finish_run(run_id, {"status": "test"}, now=NOON)


# ------------------------------------------------------------------------------------------------- plans


def test_a_plan_is_cut_into_batches(ledger: Ledger) -> None:
    """Every reference is in exactly one batch, in order; what ended at discovery is counted and in none."""
    refs = [file_ref(str(number)) for number in range(5)]
    refused = ItemResult(
        ref=file_ref("x"), outcome=Outcome(kind=OutcomeKind.REJECTED, reason=Reason.EMPTY), stage="discover"
    )
    run = plan(ledger, "r", [refs[0], refused, *refs[1:]])
    assert (run.discovered, run.batches) == (6, 3)
    assert [len(ledger.open_items("r", batch)) for batch in range(3)] == [2, 2, 1]
    assert open_names(ledger, run) == [ref.name for ref in refs]
    assert ledger.tally("r").as_dict()["reasons"] == {"rejected(empty)": 1}
    assert not ledger.tally("r").balances


def test_a_reference_comes_back_whole(ledger: Ledger) -> None:
    """What a source stated, and where the raw record is, is not lost between the steps of a run."""
    facts = StatedFacts(title="Straße\n«東京»", authors=("A", "B"), published_at=NOON, content_html="<p>x</p>")
    ref = replace(url_ref("a?b=ü"), item=7, facts=facts, archived=address())
    plan(ledger, "r", [ref])
    [item] = ledger.open_items("r", 0)
    assert (item.ref, item.archived) == (replace(ref, archived=None), address())


def test_an_empty_run_balances(ledger: Ledger) -> None:
    """A source with nothing new gives a run of no batches that balances."""
    run = plan(ledger, "r", [])
    assert (run.batches, run.discovered, ledger.tally("r").balances) == (0, 0, True)


def test_the_tally_balances_once_everything_has_ended(ledger: Ledger) -> None:
    """Outcomes add up to what was discovered, in all and for each source. When a second worker comes to the same batch,
    what either of them did counts: one finds unchanged what the other has indexed, and may come first or last.
    """
    refs = [file_ref("a"), file_ref("b"), file_ref("c", "t")]
    plan(ledger, "r", refs, sources=("s", "t"))
    end(ledger, "r", 0, refs[0])
    end(ledger, "r", 1, refs[1], BROKEN)
    assert (ledger.tally("r").accounted, ledger.tally("r").balances) == (2, False)
    end(ledger, "r", 0, refs[0], Outcome(kind=OutcomeKind.UNCHANGED))
    end(ledger, "r", 2, refs[2], Outcome(kind=OutcomeKind.UNCHANGED))
    end(ledger, "r", 2, refs[2])
    tally = ledger.tally("r")
    assert tally.balances
    assert tally.as_dict()["outcomes"] == {
        "indexed": 2, "updated": 0, "unchanged": 0, "duplicate": 0, "rejected": 0, "failed": 1,
    }  # fmt: skip
    assert tally.as_dict()["reasons"] == {"failed(broken_compression)": 1}
    end(ledger, "r", 2, refs[2], BROKEN)
    end(ledger, "r", 1, refs[1])
    assert ledger.tally("r").as_dict()["outcomes"]["indexed"] == 3
    assert {source: counts.discovered for source, counts in ledger.tally_by_source("r").items()} == {"s": 2, "t": 1}


def test_a_run_of_any_size_takes_the_same_memory(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planned, taken over and told of, four times as many references need no more memory at any moment."""
    monkeypatch.setattr("pipeline.ledger._CHUNK", 50)  # so that a few hundred are many
    facts = StatedFacts(content_html="x" * 40_000)

    def peak(run_id: str, count: int) -> int:
        named = (replace(url_ref(f"{run_id}{number}"), facts=facts) for number in range(count))
        tracemalloc.start()
        plan(ledger, run_id, named, batch_size=100)
        finish(ledger, run_id)
        plan(ledger, f"after {run_id}", [])
        assert sum(1 for _ in ledger.results(f"after {run_id}")) == count
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        end_all(ledger, f"after {run_id}")
        return highest

    peak("warm", 10)
    assert peak("large", 600) < 1.3 * peak("small", 150)


# ------------------------------------------------------------------------------------------- taking over


def test_kept_work_is_taken_over_by_the_next_run(ledger: Ledger) -> None:
    """What a run could not finish is in the next run of the same source, though no source names it any more."""
    a, b, c = url_ref("a"), url_ref("b"), url_ref("c")
    plan(ledger, "one", [a, b, c], batch_size=10)
    ledger.record_archived("one", [(1, address())], [], now=NOON)
    end(ledger, "one", 0, a)
    end(ledger, "one", 1, b, KEPT)
    end(ledger, "one", 2, c, BROKEN)
    finish(ledger, "one")
    two = plan(ledger, "two", [])
    [item] = ledger.open_items("two", 0)
    assert (item.ref, item.archived) == (b, address())  # with its record: it is not fetched again
    assert two.discovered == 1
    [entry] = [entry for entry in ledger.results("one") if entry.taken_over_by]
    assert (entry.ref, entry.taken_over_by, entry.outcome) == (b, "two", "failed")
    assert ledger.tally("one").balances


def test_work_of_a_run_that_is_going_on_is_left_to_it(ledger: Ledger) -> None:
    """A run doesn't take what another one is working on."""
    plan(ledger, "one", [file_ref("a")])
    assert plan(ledger, "two", [file_ref("b")], now=NOON + timedelta(hours=1)).discovered == 1
    assert [item.ref for item in ledger.open_items("one", 0)] == [file_ref("a")]


def test_work_of_a_dead_run_is_taken_over(ledger: Ledger) -> None:
    """A run that was killed is over once it has been silent for long; until then every sign of life counts."""
    plan(ledger, "one", [file_ref("a"), file_ref("b")])
    ledger.record_outcomes(
        "one", [(0, ItemResult(ref=file_ref("a"), outcome=INDEXED, stage="index"))], now=NOON + timedelta(hours=1)
    )
    assert plan(ledger, "two", [], now=NOON + timedelta(hours=2, minutes=30)).discovered == 0
    three = plan(ledger, "three", [], now=NOON + timedelta(hours=3, minutes=30))
    assert open_names(ledger, three) == ["/b"]


def test_a_run_whose_work_was_taken_changes_nothing_any_more(ledger: Ledger) -> None:
    """A process thought dead that goes on writes no outcome over the new owner's, and has nothing left to do."""
    a = file_ref("a")
    plan(ledger, "one", [a])
    two = plan(ledger, "two", [], now=NOON + timedelta(hours=3))
    end(ledger, "one", 0, a)
    ledger.record_archived("one", [(0, address())], [], now=NOON)
    assert ledger.open_items("one", 0) == []
    [entry] = ledger.results("one")
    assert (entry.outcome, entry.archived) == (None, None)
    assert open_names(ledger, two) == ["/a"]


def test_other_sources_keep_their_work(ledger: Ledger) -> None:
    """A run takes over only what belongs to its own sources."""
    plan(ledger, "one", [file_ref("a", "s"), file_ref("b", "t")], sources=("s", "t"))
    end(ledger, "one", 0, file_ref("a", "s"), KEPT)
    end(ledger, "one", 1, file_ref("b", "t"), KEPT)
    finish(ledger, "one")
    assert open_names(ledger, plan(ledger, "two", [], sources=("t",))) == ["/b"]
    assert open_names(ledger, plan(ledger, "three", [], sources=("s",))) == ["/a"]


def test_a_leftover_and_a_new_reference_are_one(ledger: Ledger) -> None:
    """What is left over and named anew is worked on once: a URL from its archived page, a file from the disk."""
    page, file = url_ref("a"), file_ref("f")
    plan(ledger, "one", [page, file], batch_size=10)
    ledger.record_archived("one", [(0, address(1)), (1, address(2))], [], now=NOON)
    end(ledger, "one", 0, page, KEPT)
    end(ledger, "one", 1, file, KEPT)
    finish(ledger, "one")
    two = plan(ledger, "two", [page, file], batch_size=10)
    assert {item.ref.name: item.archived for item in ledger.open_items("two", 0)} == {
        page.name: address(1), file.name: None,
    }  # fmt: skip
    assert two.discovered == 2


def test_what_is_taken_over_was_discovered_when_it_was_first(ledger: Ledger) -> None:
    """A leftover keeps the moment of its discovery, also where its source names it again; what is new has its own."""
    plan(ledger, "one", [url_ref("left"), url_ref("named again"), url_ref("done")])
    end(ledger, "one", 2, url_ref("done"))
    ledger.finish_run("one", {}, now=NOON)
    later = NOON + timedelta(hours=1)
    two = plan(ledger, "two", [url_ref("named again"), url_ref("new")], now=later, batch_size=10)
    found = {item.ref.name.rpartition("/")[2]: item.discovered_at for item in ledger.open_items("two", 0)}
    assert found == {"left": NOON, "named again": NOON, "new": later}
    assert [entry.run_id for entry in ledger.history(name=url_ref("left").name)] == ["one", "two"]
    # What is settled after the second run reaches back to the first.
    assert ledger.to_settle("two") == (["one", "two"], NOON)
    assert two.discovered == 3


def test_a_run_that_could_not_settle_leaves_it_to_the_next(ledger: Ledger) -> None:
    """Runs that ended without settling their articles are settled along with the next one, and only once."""
    for run_id in ("one", "two", "going on"):
        plan(ledger, run_id, [file_ref(run_id)], sources=[run_id])
    for run_id in ("one", "two"):
        end(ledger, run_id, 0, file_ref(run_id))
        ledger.finish_run(run_id, {}, now=NOON)
    run_ids, since = ledger.to_settle("two")
    assert (run_ids, since) == (["one", "two"], NOON)
    ledger.record_settled(run_ids)
    assert ledger.to_settle("going on")[0] == ["going on"]


def test_planning_again_loses_nothing_and_doubles_nothing(ledger: Ledger) -> None:
    """A plan step that is tried twice ends with the same work, with what the first try had taken over."""
    plan(ledger, "one", [url_ref("old")])
    finish(ledger, "one")
    for _ in range(3):
        two = plan(ledger, "two", [url_ref("new")])
        assert sorted(open_names(ledger, two)) == ["https://paper.example/new", "https://paper.example/old"]
    assert plan(ledger, "two", []).discovered == 2  # even where the source has forgotten the new one since


def test_a_batch_tried_again_goes_on_where_it_stopped(ledger: Ledger) -> None:
    """The second try of a batch has what has no outcome, and what failed only because something was away."""
    refs = [file_ref(name) for name in "abcd"]
    plan(ledger, "r", refs, batch_size=10)
    end(ledger, "r", 0, refs[0])
    end(ledger, "r", 1, refs[1], KEPT)
    end(ledger, "r", 2, refs[2], BROKEN)
    assert [item.ref.name for item in ledger.open_items("r", 0)] == ["/b", "/d"]


def test_closing_a_run_accounts_for_what_never_ended(ledger: Ledger) -> None:
    """What a killed batch left without an outcome is counted with a reason, and stays takeable."""
    refs = [file_ref("a"), file_ref("b")]
    plan(ledger, "r", refs)
    end(ledger, "r", 0, refs[0])
    outcome = Outcome(kind=OutcomeKind.FAILED, reason=Reason.BATCH_INCOMPLETE)
    ledger.close_open_items("r", outcome, now=NOON)
    assert ledger.tally("r").as_dict()["reasons"] == {"failed(batch_incomplete)": 1}
    assert ledger.tally("r").balances
    finish(ledger, "r")
    assert open_names(ledger, plan(ledger, "next", [])) == ["/b"]


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_ever_lost(tmp_path: Path, seed: int) -> None:
    """Whatever is planned, planned again, interrupted and finished in whatever order: no reference gets lost."""
    chance = random.Random(seed)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    clock, named, done, batches = NOON, 0, set(), {}
    for step in range(40):
        clock += timedelta(minutes=chance.choice([1, 1, 1, 200]))
        run_id = f"run-{chance.randrange(step // 4 + 1)}"
        match chance.choice(["plan", "work", "work", "finish"]):
            case "plan":
                fresh = [chance.choice([file_ref, url_ref])(str(named + number)) for number in range(3)]
                named += 3
                batches[run_id] = plan(ledger, run_id, fresh, now=clock).batches
            case "work" if batches.get(run_id):
                for item in ledger.open_items(run_id, chance.randrange(batches[run_id])):
                    if chance.random() < 0.4:
                        ledger.record_archived(run_id, [(item.position, address(item.position))], [], now=clock)
                    elif chance.random() < 0.6:
                        outcome = chance.choice([INDEXED, KEPT, BROKEN])
                        result = ItemResult(ref=item.ref, outcome=outcome, stage="index")
                        ledger.record_outcomes(run_id, [(item.position, result)], now=clock)
                        if outcome is not KEPT:
                            done.add(item.ref.name)
            case "finish" if run_id in batches:
                ledger.finish_run(run_id, {}, now=clock)
    last = plan(ledger, "last", [], now=clock + timedelta(days=1), batch_size=10_000)
    everything = {ref(str(number)).name for number in range(named) for ref in (file_ref, url_ref)}
    left = open_names(ledger, last)
    assert len(left) == len(set(left)) == named - len(done)
    assert set(left) <= everything - done


# ----------------------------------------------------------------------------------------- many processes


@pytest.fixture
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def _plan_in_process(url: str, run_id: str) -> list[str]:
    ledger = Ledger(url)
    return open_names(ledger, plan(ledger, run_id, [], batch_size=1000))


def _write_in_process(url: str, run_id: str) -> int:
    ledger = Ledger(url)
    source = run_id
    refs = [file_ref(f"{run_id}-{number}", source) for number in range(60)]
    run = plan(ledger, run_id, refs, sources=(source,), batch_size=20)
    for batch in range(run.batches):
        for item in ledger.open_items(run_id, batch):
            found = replace(address(item.position), file=run_id)
            capture = Capture(ref=item.ref, address=found, captured_at=NOON)
            ledger.record_archived(run_id, [(item.position, found)], [capture], now=NOON)
            end(ledger, run_id, item.position, item.ref)
        ledger.record_stage_seconds(run_id, batch, {"fetch": 1.0})
    ledger.finish_run(run_id, {}, now=NOON)
    return ledger.tally(run_id).accounted


def test_two_plans_at_once_take_over_each_piece_once(url: str, processes: ProcessPoolExecutor) -> None:
    """Two runs of a source that start at the same moment share what was left over; nothing is done twice."""
    ledger = Ledger(url)
    refs = [url_ref(str(number)) for number in range(300)]
    plan(ledger, "before", refs)
    finish(ledger, "before")
    taken = list(processes.map(_plan_in_process, [url] * 4, [f"run-{number}" for number in range(4)]))
    names = [name for one in taken for name in one]
    assert sorted(names) == sorted(ref.name for ref in refs)


def test_four_processes_write_at_the_same_time(url: str, processes: ProcessPoolExecutor) -> None:
    """Airflow's tasks write to one SQLite ledger side by side; none is turned away, nothing is mixed up."""
    names = [f"r{number}" for number in range(4)]
    assert list(processes.map(_write_in_process, [url] * 4, names)) == [60] * 4
    ledger = Ledger(url)
    assert all(ledger.tally(name).balances for name in names)
    assert {run.run_id for run in ledger.runs()} == set(names)
    assert len(list(ledger.captures())) == 240
    assert ledger.stage_seconds("r0") == {"fetch": 3.0}


# ----------------------------------------------------------------------------------------------- history


def test_the_newest_capture_counts(ledger: Ledger) -> None:
    """Re-processing takes the newest raw page of each reference, within the sources and the span asked for."""
    a, b = url_ref("a"), url_ref("b", "t")
    captures = [
        Capture(ref=a, address=address(1), captured_at=NOON, etag='"1"'),
        Capture(ref=a, address=address(2), captured_at=NOON + timedelta(days=1), etag='"2"', last_modified="Sun"),
        Capture(ref=b, address=address(3), captured_at=NOON + timedelta(days=2)),
    ]
    ledger.record_archived("r", [], captures, now=NOON)
    assert ledger.latest_captures([a.name, "unknown"]) == {a.name: captures[1]}
    assert list(ledger.captures()) == captures[1:]
    assert list(ledger.captures(source_ids=["t"])) == [captures[2]]
    assert list(ledger.captures(since=NOON, until=NOON + timedelta(days=1))) == [captures[0]]
    assert list(ledger.captures(since=NOON + timedelta(days=3))) == []


def test_many_names_are_looked_up(ledger: Ledger) -> None:
    """A listing of thousands of URLs is looked up whole, whatever the database's limit for one question."""
    refs = [url_ref(str(number)) for number in range(1200)]
    captures = [Capture(ref=ref, address=address(n), captured_at=NOON) for n, ref in enumerate(refs)]
    ledger.record_archived("r", [], captures, now=NOON)
    assert len(ledger.latest_captures([ref.name for ref in refs])) == 1200


def test_history_tells_every_run_of_a_reference(ledger: Ledger) -> None:
    """`news explain` finds what happened, by name and by document id, oldest first."""
    a = file_ref("a")
    for number, run_id in enumerate(["one", "two"]):
        plan(ledger, run_id, [a], now=NOON + timedelta(days=number))
        end(ledger, run_id, 0, a)
        finish(ledger, run_id)
    assert [entry.run_id for entry in ledger.history(name="/a")] == ["one", "two"]
    assert [entry.run_id for entry in ledger.history(document_id="id-/a")] == ["one", "two"]
    assert ledger.history() == ledger.history(name="unknown") == []
    [entry] = list(ledger.results("one", kind=OutcomeKind.INDEXED))
    assert (entry.discovered_at, entry.ended_at, entry.stage) == (NOON, NOON, "index")
    assert list(ledger.results("one", kind=OutcomeKind.FAILED)) == []


def test_runs_are_kept_with_their_report(ledger: Ledger, url: str) -> None:
    """A finished run's report can be read by any other process; a run that isn't there is None."""
    plan(ledger, "r", [])
    ledger.finish_run("r", {"status": "succeeded"}, now=NOON)
    run = Ledger(url).run("r")
    assert run is not None
    assert (run.report, run.finished_at, run.request) == ({"status": "succeeded"}, NOON, {"sources": ["s"]})
    assert ledger.run("unknown") is None

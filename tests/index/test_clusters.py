"""Near copies: which texts are copies, which cluster an article joins, and that it stays there."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from indexing.articles import FILLER, NOON, enriched

from pipeline.enrich.fingerprints import LEAST_WORDS, content_hash, signature
from pipeline.index import stored
from pipeline.index.clusters import near_copy, place, similarity
from pipeline.index.documents import Document, to_document
from pipeline.index.writer import Written, write
from pipeline.models import TextSignature
from pipeline.search import SearchRequest, get_document, search
from pipeline.settings import IndexSettings

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
Dump = Callable[[], dict[str, dict[str, Any]]]
Put = Callable[..., list[Written]]

SYLLABLES = "ba ce di fo gu ha le mi no pu ra se ti vo zu".split()  # noqa: SIM905


def story(number: int, paragraphs: int = 8) -> list[str]:
    """Paragraphs of thirty invented words each; another number, another story."""
    words = random.Random(number)
    return [
        " ".join("".join(words.choices(SYLLABLES, k=words.randrange(2, 5))) for _ in range(30)).capitalize() + "."
        for _ in range(paragraphs)
    ]


def text(parts: Sequence[str]) -> str:
    return "\n\n".join(parts)


def edited(parts: Sequence[str], every: int = 25) -> list[str]:
    """The same with one word in ``every`` replaced."""
    return [
        " ".join("indeed" if number % every == every // 2 else word for number, word in enumerate(part.split()))
        for part in parts
    ]


def signed(body: str) -> TextSignature:
    made = signature(body)
    assert made is not None
    return made


def document(
    url: str, body: str, *, seen_at: Any = NOON, run_id: str = "run-1", discovered_at: Any = None, **fields: Any
) -> Document:
    """A document as the pipeline makes it, signature and all."""
    article = replace(enriched(url, body, **fields), content_hash=content_hash(body), signature=signature(body))
    return to_document(article, seen_at=seen_at, run_id=run_id, discovered_at=discovered_at)


# ----------------------------------------------------------------------------------------------- the text


STORY = story(1)


@pytest.mark.parametrize(
    "copy",
    [
        edited(STORY),
        STORY[:5],
        STORY[2:],
        [*STORY[:3], *story(2, 3), *STORY[3:]],
        ["Another headline altogether", *story(3, 1), *STORY[:6]],
        STORY[::-1],
        [" ".join(STORY).upper().replace(".", " –")],
    ],
    ids=["edited", "cut at the end", "cut at the start", "added to", "wrapped", "reordered", "reset"],
)
def test_copies_are_near(copy: list[str]) -> None:
    """What papers do to an agency's story (edit, cut, add, wrap, reorder, set anew) doesn't hide that it is one."""
    one, other = signed(text(STORY)), signed(text(copy))
    assert set(one.bands) & set(other.bands)
    assert near_copy(one, other) is not None


@pytest.mark.parametrize(
    "other",
    [story(2), [*story(2), STORY[0]], [*story(2), *story(4), *STORY[:4]]],
    ids=["another story", "shares a paragraph", "quotes half of it in a longer one"],
)
def test_other_stories_are_not_near(other: list[str]) -> None:
    """Two stories stay apart although one quotes the other or both carry the same furniture."""
    assert near_copy(signed(text(STORY)), signed(text(other))) is None


def test_a_form_filled_in_anew_is_not_near() -> None:
    """Two weather reports, of which only days, places and figures differ, are two reports."""

    def report(place: str, day: str, low: int, high: int, wind: int, rain: int) -> str:
        return (
            f"Here is the forecast for {place} and the surrounding area on {day}. The morning will be cloudy with "
            f"temperatures around {low} degrees. In the afternoon expect sunny spells and highs of {high} degrees. "
            f"Winds will be moderate from the west at {wind} kilometres per hour. Overnight the temperature drops to "
            f"{low - 3} degrees, with a {rain} per cent chance of rain. The outlook for the day after is brighter."
        )

    one = report("Harwick", "Monday", 8, 17, 20, 35)
    other = report("Oldmere", "Thursday", 11, 22, 35, 60)
    assert len(one.split()) > LEAST_WORDS
    assert near_copy(signed(one), signed(other)) is None
    assert near_copy(signed(one), signed(one.replace("moderate", "fresh"))) is not None


@pytest.mark.parametrize("body", ["", "!!!", "Short. " * 59, "短" * 119, "\ud800"])
def test_short_texts_have_no_signature(body: str) -> None:
    """Pieces too short to tell a copy from a formula aren't compared at all."""
    assert signature(body) is None


@pytest.mark.parametrize("body", ["word \ud800" * 100, "短い文章" * 50, "क्या हुआ " * 80])
def test_every_script_has_signatures(body: str) -> None:
    """Texts without blanks between words, and with broken characters, are compared like all others."""
    one = signed(body)
    assert similarity(one, signed(body)) == 1.0


def test_chinese_copies_are_near() -> None:
    """Where no blanks part the words a copy with an added paragraph is found as well, and another text isn't."""
    signs = random.Random(5)
    one, other = ("".join(chr(signs.randrange(0x4E00, 0x5E00)) for _ in range(400)) for _ in range(2))
    assert near_copy(signed(one), signed(one[:250] + "，" + one[250:] + other[:80])) is not None
    assert near_copy(signed(one), signed(other)) is None


def test_signatures_are_stable() -> None:
    """Stored signatures stay comparable: the bands of a known text never change, whatever process makes them."""
    with_figures = signed(text([*STORY, "In 2024 it was 17."]))
    assert with_figures.shingles == 238 + 5 + 4 * 4  # four of the five new ones hold a figure and count five times
    made = signed(text(STORY))
    assert (made.bands[0], made.bands[83], made.shingles) == ("00TJh5jd1L", "8363-c2FYw", 238)


def test_the_standfirst_does_not_count() -> None:
    """A page that repeats its standfirst above the text has the signature of the text alone."""
    assert signature(text(["In short.", *STORY]), standfirst="In short") == signature(text(STORY))


# ------------------------------------------------------------------------------------------- the decision


def test_the_oldest_copy_decides() -> None:
    """Of several near copies the one first seen gives the cluster, whatever the order they are looked at in."""
    late = document("https://a.example/1", text(STORY), seen_at=NOON)
    early = document("https://b.example/1", text(edited(STORY)), seen_at=NOON - DAY)
    new = document("https://c.example/1", text(STORY[:6]), seen_at=NOON + DAY)
    others = [(item.id, item.source) for item in (late, early)]
    placed = place(new.id, new.source, others)
    assert placed == place(new.id, new.source, others[::-1])
    assert placed["cluster_id"] == early.id
    assert 0.75 < placed["similarity"] < 1


def test_what_is_older_never_follows_what_is_younger() -> None:
    """An article that comes late but was found or dated before its copies follows none of them."""
    copy = document("https://a.example/1", text(STORY), seen_at=NOON)
    late = document("https://b.example/1", text(edited(STORY)), seen_at=NOON - DAY)
    dated = document("https://c.example/1", text(edited(STORY)), seen_at=NOON, published_at=NOON - DAY)
    held = [(copy.id, {**copy.source, "cluster_id": copy.id})]
    assert place(late.id, late.source, held) == {"cluster_id": late.id}
    assert place(dated.id, dated.source, held) == {"cluster_id": dated.id}


# ------------------------------------------------------------------------------------------- in the index


@pytest.fixture
def put(client: Elasticsearch, prefix: str, settings: IndexSettings) -> Put:
    """Write documents with the test's client and prefix."""

    def put(*documents: Document) -> list[Written]:
        return write(client, documents, settings=settings, prefix=prefix)

    return put


def clusters_of(held: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """The sites of each cluster, by the site of the article that it began with."""
    found: dict[str, set[str]] = {}
    for item in held.values():
        found.setdefault(held[item["cluster_id"]]["site"], set()).add(item["site"])
    return found


def agency_day() -> list[Document]:
    """Two stories with copies of theirs on other sites, later each, and two articles that stand alone."""
    wire, sport = story(1), story(5)
    bodies = {
        "wire.example": wire,
        "post.example": ["Another headline", *wire[:6]],
        "echo.example": wire,
        "mail.example": edited(wire),
        "sport.example": sport,
        "kick.example": [*sport, *story(6, 2)],
        "alone.example": story(7),
        "brief.example": ["Brief."],
    }
    return [
        document(f"https://{site}/1", text(body), published_at=NOON - 24 * HOUR + number * HOUR)
        for number, (site, body) in enumerate(bodies.items())
    ]


EXPECTED = {
    "wire.example": {"wire.example", "post.example", "echo.example", "mail.example"},
    "sport.example": {"sport.example", "kick.example"},
    "alone.example": {"alone.example"},
    "brief.example": {"brief.example"},
}


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_copies_of_one_batch_are_clustered(put: Put, dump: Dump, seed: int | None) -> None:
    """Copies that arrive together form a cluster under the earliest of them, in whatever order the batch lists them."""
    documents = agency_day()
    if seed is not None:
        random.Random(seed).shuffle(documents)
    outcomes = {item.document_id: item.outcome.kind.value for item in put(*documents)}
    held = dump()
    assert clusters_of(held) == EXPECTED
    by_site = {item["site"]: item for item in held.values()}
    assert {site for site, item in by_site.items() if "similarity" in item} == {
        "post.example", "echo.example", "mail.example", "kick.example"
    }  # fmt: skip
    assert by_site["echo.example"]["similarity"] == 1.0
    assert [id_ for id_, kind in outcomes.items() if kind == "duplicate"] == [
        id_ for id_, item in held.items() if "duplicate_of" in item
    ]


def test_one_batch_or_many_make_the_same_clusters(put: Put, dump: Dump) -> None:
    """Articles written one by one as they appear end in the clusters of those written together."""
    documents = agency_day()
    for item in documents:
        put(item)
    assert clusters_of(dump()) == EXPECTED


def test_runs_repeated_keep_the_clusters(put: Put, dump: Dump) -> None:
    """The same articles again are unchanged; read anew by a better extractor they keep cluster and similarity."""
    documents = agency_day()
    put(*documents)
    before = dump()
    assert {item.outcome.kind.value for item in put(*documents[::-1])} == {"unchanged"}
    assert dump() == before
    later = [replace(item, source={**item.source, "document_hash": "other", "section": "New"}) for item in documents]
    assert {item.outcome.kind.value for item in put(*later[::-1])} == {"updated"}
    kept = ("cluster_id", "similarity", "duplicate_of")
    assert {id_: [item.get(key) for key in kept] for id_, item in dump().items()} == {
        id_: [item.get(key) for key in kept] for id_, item in before.items()
    }


def test_an_id_brought_along_is_kept(put: Put, dump: Dump) -> None:
    """An index that is built anew takes the clusters over from the one before."""
    first, second = agency_day()[:2]
    brought = replace(second, source={**second.source, "cluster_id": "from-before"})
    put(first, brought)
    assert dump()[second.id]["cluster_id"] == "from-before"


def test_a_text_told_thousands_of_times_hides_nothing(put: Put, dump: Dump, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one cluster fills the list of candidates the others are found all the same."""
    monkeypatch.setattr(stored, "_CANDIDATES", 5)
    put(*(document(f"https://a{n}.example/1", text([f"Carried by paper{n}.", *story(1)])) for n in range(8)))
    put(document("https://late.example/1", text(story(5)), seen_at=NOON + DAY))
    put(
        document("https://b.example/1", text(story(1)), seen_at=NOON + 2 * DAY),
        document("https://b.example/5", text(edited(story(5))), seen_at=NOON + 2 * DAY),
    )
    held = dump()
    assert len({item["cluster_id"] for item in held.values()}) == 2
    assert get_site(held, "late.example")["cluster_id"] != get_site(held, "a0.example")["cluster_id"]


def get_site(held: dict[str, dict[str, Any]], site: str) -> dict[str, Any]:
    return next(item for item in held.values() if item["site"] == site)


def test_exact_copies_without_signature_share_the_cluster(put: Put, dump: Dump) -> None:
    """A text long enough to be the same article, but too short to have near copies, has its exact ones as a cluster."""
    put(document("https://a.example/1", FILLER), document("https://b.example/1", FILLER))
    (cluster,) = {item["cluster_id"] for item in dump().values()}
    assert cluster in dump()


def test_searches_can_be_collapsed(put: Put, client: Elasticsearch, prefix: str) -> None:
    """Copies are found each by itself, or one for all of a cluster with the number of the others."""
    put(*agency_day())
    everything = search(client, SearchRequest(prefix=prefix))
    assert everything.total == 8
    collapsed = search(client, SearchRequest(prefix=prefix, collapse=True, sort="oldest"))
    assert collapsed.total == 4
    assert {hit.site: hit.others for hit in collapsed.hits} == {
        "wire.example": 3, "sport.example": 1, "alone.example": 0, "brief.example": 0
    }  # fmt: skip
    some = search(client, SearchRequest(prefix=prefix, collapse=True, query=STORY[0].split()[3]))
    assert (some.total, len(some.hits)) == (1, 1)


def test_signatures_are_not_shown(put: Put, client: Elasticsearch, prefix: str) -> None:
    """Eighty words of no meaning don't get between a reader and the article."""
    first = agency_day()[0]
    put(first)
    shown = get_document(client, first.id, prefix=prefix)
    assert shown is not None
    assert "minhash" not in shown
    assert shown["cluster_id"] == first.id

"""What pages show, made from values alone."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.search import QueryError
from pipeline.web.map import Spot, box_of, is_tile, world_map
from pipeline.web.views import Piece, as_text, changes, harmless_url, paragraphs, question_of, segments, timeline


def mention(body: str, text: str, name: str = "") -> dict[str, object]:
    start = body.index(text)
    return {"text": text, "type": "person", "name": name or text, "start": start, "end": start + len(text)}


@pytest.mark.parametrize(
    ("url", "harmless"),
    [
        ("https://paper.example/a?b=c#d", True),
        ("http://paper.example", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        (" https://paper.example", False),
        ("java\nscript:alert(1)", False),
        ("https://paper.example/\x00", False),
        ("data:text/html,x", False),
        ("//paper.example/", False),
        ("https:///path", False),
        ("vbscript:x", False),
        ("https://[broken", False),
        ("", False),
        (None, False),
    ],
)
def test_links_lead_to_the_web_only(url: str | None, harmless: bool) -> None:
    """A link is made of http and https addresses in one piece, of nothing else."""
    assert harmless_url(url) == (url if harmless else None)


def test_mentions_stand_where_they_are() -> None:
    """Names are marked in their paragraph; those that overlap, cross paragraphs or don't fit the text are left out."""
    body = "Ana Ruiz met Ben.\n\n\nAna 😀 Ruiz left\n\nBen stayed."
    mentions = [
        mention(body, "Ana Ruiz"),
        mention(body, "Ruiz met"),
        mention(body, "Ben"),
        mention(body, "left\n\nBen"),
        {"text": "Ben", "type": "person", "name": "Ben", "start": 3, "end": 6},
        {"text": "", "type": "person", "name": "", "start": 5, "end": 5},
    ]
    found = paragraphs(body, mentions)
    assert ["".join(piece.text for piece in pieces) for pieces in found] == [
        "Ana Ruiz met Ben.",
        "Ana 😀 Ruiz left",
        "Ben stayed.",
    ]
    assert found[0] == [
        Piece(text="Ana Ruiz", name="Ana Ruiz", type="person"),
        Piece(text=" met "),
        Piece(text="Ben", name="Ben", type="person"),
        Piece(text="."),
    ]
    assert all(piece.name is None for pieces in found[1:] for piece in pieces)


def test_marks_are_cut_out() -> None:
    """Words found are told apart; marks that don't pair leave the text whole."""
    assert segments("\ue000a\ue001 b") == [("a", True), (" b", False)]
    assert "".join(text for text, _ in segments("\ue001a\ue000\ue000b")) == "ab"


@pytest.mark.parametrize(
    ("days", "bars", "first"),
    [
        (["2024-01-01", "2024-01-03"], 3, ("2024-01-01", "2024-01-01")),
        (["2024-01-01", "2024-06-01"], 22, ("2024-01-01", "2024-01-07")),
        (["2022-01-01", "2024-06-01"], 32, ("2022-01-01", "2022-01-28")),
        (["1990-01-01", "2024-06-01"], 35, ("1990-01-01", "1990-12-30")),
        (["0200-01-01", "2024-06-01"], 19, ("0200-01-01", "0299-08-29")),
        ([], 0, None),
    ],
)
def test_any_span_fits_sixty_bars(days: list[str], bars: int, first: tuple[str, str] | None) -> None:
    """Days, weeks, months or years, so that the bars can be seen; no article is lost, no bar empty that isn't."""
    found = timeline([(day, 3) for day in days])
    assert len(found) == bars
    assert sum(bar.count for bar in found) == 3 * len(days)
    assert all((bar.height > 0) == (bar.count > 0) for bar in found)
    if first:
        assert (found[0].since, found[0].until) == tuple(map(date.fromisoformat, first))
        assert found[-1].until == date.fromisoformat(days[-1])


def test_the_map_shows_what_is_near() -> None:
    """All spots of the world fit its picture, the most named largest; of a part only those in it, in its place."""

    def spot(tile: str, articles: int, latitude: float, longitude: float) -> Spot:
        return Spot(tile=tile, articles=articles, names=(tile,), more=False, latitude=latitude, longitude=longitude)

    hamburg, lisbon, suva = spot("6/33/20", 9, 53.5, 10), spot("6/30/24", 1, 38.7, -9), spot("6/63/35", 4, -18, 178)
    world = world_map([lisbon, hamburg, suva], None)
    assert [bubble.spot for bubble in world.bubbles] == [hamburg, suva, lisbon]
    assert [bubble.radius for bubble in world.bubbles] == sorted((b.radius for b in world.bubbles), reverse=True)
    assert (world.bubbles[0].x, world.bubbles[0].y) == (380, 73)
    for chosen, seen in (("6/33/20", [hamburg]), ("6/63/35", [suva]), ("6/0/1", [])):
        part = world_map([lisbon, hamburg, suva], chosen)
        assert [bubble.spot for bubble in part.bubbles] == seen
        x, y, width, height = map(float, part.view_box.split())
        assert (width, height) == (144, 57.6)
        assert 0 <= x <= 720 - 144
        assert 12 <= y <= 300 - 57.6
    north, west, south, east = box_of("6/33/20")
    assert south < 53.5 < north
    assert west < 10 < east
    assert [is_tile(key) for key in ("6/63/63", "6/64/0", "6/0/64", "17/0/0", "-1/0/0", "6/33", "a/b/c", "")] == [
        True, *[False] * 7,
    ]  # fmt: skip


def test_changes_name_the_words() -> None:
    """Within a changed paragraph the changed words are marked; added and dropped paragraphs are whole."""
    found = changes(["same", "the old word here", "gone"], ["same", "the new word here", "one", "two"])
    assert [change.kind for change in found] == ["same", "removed", "added", "removed", "added", "added"]
    assert [text for text, changed in found[1].words if changed] == [" old"]
    assert [text for text, changed in found[2].words if changed] == [" new"]


def test_originals_hide_nothing() -> None:
    """Control and bidirectional characters are visible, unknown encodings read all the same, length is bounded."""
    assert as_text("a\x00b\u202ec\r\nd".encode(), None) == ("a⟨U+0000⟩b⟨U+202E⟩c\nd", False)
    assert as_text("é".encode("latin-1"), "latin-1") == ("é", False)
    assert as_text(b"\xff", "no-such-charset") == ("\ufffd", False)
    text, cut = as_text(b"x" * 2_000_000, None)
    assert cut
    assert len(text) < 400_000


def test_addresses_are_read_and_written_alike() -> None:
    """What an address says, and the address written from it, are the same question."""
    pairs = [("q", "a b"), ("people", "X & Y"), ("people", "Z"), ("language", "de"), ("since", "2024-01-01"),
             ("sort", "newest"), ("copies", "1"), ("map", "1"), ("area", "6/33/20"), ("page", "3"), ("unknown", "x"),
             ("q", "second")]  # fmt: skip
    question = question_of(pairs)
    assert question.parameters() == (
        "?q=a+b&language=de&people=X+%26+Y&people=Z&area=6%2F33%2F20&since=2024-01-01&sort=newest&copies=1&map=1&page=3"
    )
    assert question.with_facet("language", "fr").facets["language"] == ("fr",)
    assert question.with_facet("people", "W").facets["people"] == ("X & Y", "Z", "W")
    assert question.without_facet("people", "Z").page == 1
    with pytest.raises(QueryError, match="20"):
        question_of([("people", str(number)) for number in range(21)])

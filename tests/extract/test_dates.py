"""Dates: read exactly as stated, chosen by trust, never invented."""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.extract.dates import Statement, choose, date_in_url, parse_date
from pipeline.models import Precision

FETCHED = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted", "precision", "assumed"),
    [
        ("2025-08-25", "2025-08-25T00:00:00", Precision.DAY, True),
        ("20250825", "2025-08-25T00:00:00", Precision.DAY, True),
        ("2025-08-25T10:00", "2025-08-25T10:00:00", Precision.MINUTE, True),
        ("2025-08-25T10:00:00Z", "2025-08-25T10:00:00", Precision.SECOND, False),
        ("2025-08-25T10:00:00.123+02:00", "2025-08-25T08:00:00", Precision.SECOND, False),
        ("2025-08-25 10:00:00 -0500", "2025-08-25T15:00:00", Precision.SECOND, False),
        ("Tue, 12 Jun 2018 10:00:00 GMT", "2018-06-12T10:00:00", Precision.SECOND, False),
        ("12 Jun 2018 10:00 +0200", "2018-06-12T08:00:00", Precision.MINUTE, False),
        ("1528106400", "2018-06-04T10:00:00", Precision.SECOND, False),
        ("1528106400000", "2018-06-04T10:00:00", Precision.SECOND, False),
        ("June 1, 2018 3:04 pm ET", "2018-06-01T20:04:00", Precision.MINUTE, False),
        ("12:34 GMT, 1 June 2018", "2018-06-01T12:34:00", Precision.MINUTE, False),
        ("Thu Jun 07 2018 10:00:00 GMT+0200 (CEST)", "2018-06-07T08:00:00", Precision.SECOND, False),
        ("1 de junio de 2018", "2018-06-01T00:00:00", Precision.DAY, True),
        ("3. März 2021", "2021-03-03T00:00:00", Precision.DAY, True),
        ("1er août 2019", "2019-08-01T00:00:00", Precision.DAY, True),
        ("12.06.2018, 14:30 Uhr", "2018-06-12T14:30:00", Precision.MINUTE, True),
        ("23 июня 2020", "2020-06-23T00:00:00", Precision.DAY, True),
        ("2018年6月1日", "2018-06-01T00:00:00", Precision.DAY, True),
        ("4/23/2018", "2018-04-23T00:00:00", Precision.DAY, True),
    ],
)
def test_dates_are_read_as_stated(text: str, wanted: str, precision: Precision, assumed: bool) -> None:
    """A date is as exact as it was stated, in UTC, and says whether its zone was stated."""
    date = parse_date(text)
    assert date is not None
    assert (date.value.replace(tzinfo=None).isoformat(), date.precision, date.zone_assumed) == (
        wanted,
        precision,
        assumed,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2018",
        "March 2018",
        "5 March",
        "yesterday",
        "03/04/2018",
        "0000-00-00",
        "2025-13-45",
        "99999999",
        "a" * 5000,
    ],
)
def test_what_states_no_day_is_no_date(text: str) -> None:
    """Nothing is completed or guessed: without day, month and year, or with a day that could be two, there is no date."""
    assert parse_date(text) is None


def test_the_first_believable_statement_wins_and_all_are_kept() -> None:
    """The date comes with its source and everything else that was said; a difference of more than a day is a conflict."""
    record = choose(
        [
            Statement("jsonld.datePublished", "2026-05-01T08:00:00Z"),
            Statement("meta.date", "2026-05-20"),
            Statement("url", "2026-05-01"),
        ],
        ceiling=FETCHED,
    )
    assert record is not None
    assert (record.source, record.value, record.conflict) == (
        "jsonld.datePublished",
        datetime(2026, 5, 1, 8, tzinfo=UTC),
        True,
    )
    assert [c.source for c in record.candidates] == ["jsonld.datePublished", "meta.date", "url"]


def test_a_finer_statement_of_the_same_day_refines() -> None:
    """Where the most trusted statement knows only the day, another of that day adds the time."""
    record = choose([Statement("url", "2026-05-01"), Statement("feed", "2026-05-01T08:30:00+02:00")], ceiling=FETCHED)
    assert record is not None
    assert (record.value, record.conflict) == (datetime(2026, 5, 1, 6, 30, tzinfo=UTC), False)


def test_weak_guesses_make_no_conflict() -> None:
    """A date that was merely seen in the text never casts doubt on one that the page states."""
    record = choose(
        [Statement("jsonld.datePublished", "2026-05-01"), Statement("text", "2019-01-01", weak=True)], ceiling=FETCHED
    )
    assert record is not None
    assert not record.conflict


def test_the_future_is_dropped_not_shifted() -> None:
    """A date more than a day after the fetch is no date; one within a day may come from another time zone."""
    assert choose([Statement("meta.date", "2026-06-04")], ceiling=FETCHED) is None
    assert choose([Statement("meta.date", "2026-06-02T08:00:00Z")], ceiling=FETCHED) is not None


def test_before_the_web_two_sources_must_agree() -> None:
    """A date before 1990 is believed only if two sources state it: one alone is a computer's epoch or a typing error."""
    assert choose([Statement("meta.date", "1970-01-01")], ceiling=FETCHED) is None
    assert choose([Statement("meta.date", "1969-07-21"), Statement("url", "1969-07-21")], ceiling=FETCHED) is not None


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://a.example/2018/06/01/ferry", "2018-06-01"),
        ("https://a.example/news/20180601/ferry", "2018-06-01"),
        ("https://a.example/world/2018-06-01-ferry", "2018-06-01"),
        ("https://a.example/2018/13/01/ferry", None),
        ("https://a.example/2018/06/ferry", None),
        ("https://a.example/?d=/2018/06/01/", None),
    ],
)
def test_dates_in_addresses(url: str, wanted: str | None) -> None:
    """Only a whole date in the path counts."""
    assert date_in_url(url) == wanted

"""Score extraction on a folder of pages with ground truth, next to other extractors, and print Markdown tables.

    python -m benchmarks.eval_extract FOLDER [--systems ours,trafilatura,…] [--worst N]
    python -m benchmarks.eval_extract FOLDER --dates
    python -m benchmarks.eval_extract FOLDER --fields
    python -m benchmarks.eval_extract tests/data/plaintext --plain-text

FOLDER holds ``html/ID.html.gz`` and ``ground-truth/ID.json`` in the format of the WCXB benchmark. Pages whose
ground truth calls them ``article`` are scored on body (words and 4-word shingles: precision, recall, F1, averaged
over pages; a rejected article counts as empty, except in "F1 of kept"), title, authors and date (where the truth is a full day); all pages on the decision
article or not. Peers that are not installed are left out by name. CPU time is this process's, one page after the other, libraries loaded and warmed up before.

``--fields`` says how many articles have each field and where from, next to trafilatura.
``--dates`` says instead by the source of the date how many are right and wrong, and what the wrong ones are instead.
``--plain-text`` scores the cleaner of plain text on a folder of cases, ``NAME/page.txt`` and ``NAME/expected.json``.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import argparse
import gzip
import json
import logging
import re
import statistics
import sys
import time
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import ArticleError
from pipeline.extract import extract
from pipeline.extract.plaintext import clean
from pipeline.models import ArticleRef, DateRecord, RawPage
from pipeline.settings import ExtractSettings

FETCHED_AT = datetime(2026, 6, 1, tzinfo=UTC)  # after the set was collected; fixed, so that every run gives the same
_WORD = re.compile(r"\w+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")  # "2015-11" is no day that an answer could equal


@dataclass(frozen=True)
class Page:
    """One page of the set and what is true of it."""

    id: str
    url: str
    html: bytes
    kind: str
    title: str | None
    author: str | None
    date: str | None
    body: str


@dataclass(frozen=True)
class Answer:
    """What one system makes of a page; ``rejected`` is the reason, where it says that the page is no article."""

    body: str = ""
    title: str | None = None
    authors: tuple[str, ...] = ()
    date: str | None = None
    modified: str | None = None
    rejected: str | None = None
    published: DateRecord | None = None
    updates: tuple[str, ...] = ()


@dataclass
class Score:
    """The sums of one system."""

    name: str
    seconds: float = 0.0
    slowest: tuple[float, str] = (0.0, "")
    words: list[tuple[float, float, float]] = field(default_factory=list)
    shingles: list[tuple[float, float, float]] = field(default_factory=list)
    kept: list[tuple[float, float, float]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    by_page: dict[str, float] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)


def load(folder: Path) -> Iterator[Page]:
    """Read the pages of a folder, in the order of their ids."""
    for path in sorted((folder / "ground-truth").glob("*.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        content = truth["ground_truth"]
        yield Page(
            id=path.stem,
            url=truth["url"],
            html=gzip.decompress((folder / "html" / f"{path.stem}.html.gz").read_bytes()),
            kind=truth["_internal"]["page_type"]["primary"],
            title=content.get("title"),
            author=content.get("author"),
            date=date if (date := content.get("publish_date")) and _DAY.fullmatch(date) else None,
            body=content.get("main_content") or "",
        )


def overlap(found: Counter[Any], wanted: Counter[Any]) -> tuple[float, float, float]:
    """Precision, recall and F1 of one multiset against another."""
    if not wanted and not found:
        return 1.0, 1.0, 1.0
    common = sum((found & wanted).values())
    precision = common / max(1, sum(found.values()))
    recall = common / max(1, sum(wanted.values()))
    return precision, recall, 2 * precision * recall / (precision + recall) if common else 0.0


def words(text: str) -> list[str]:
    """The words of a text, case and compatibility forms folded."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def shingles(tokens: list[str]) -> Counter[tuple[str, ...]]:
    """The runs of four words (the whole text where it has fewer)."""
    return Counter(tuple(tokens[i : i + 4]) for i in range(max(1, len(tokens) - 3)) if tokens)


def same_title(found: str | None, wanted: str) -> bool:
    """Titles are equal when they read the same: case, spaces and the form of quotes and dashes don't count."""
    return " ".join(words(found or "")) == " ".join(words(wanted))


def name_set(names: str | tuple[str, ...]) -> set[str]:
    """The people in a byline, each as its words, without credentials after a comma."""
    values = (names,) if isinstance(names, str) else names
    people: set[str] = set()
    for value in values:
        for part in re.split(r";|\band\b|&|,", value):
            key = " ".join(words(part))
            if key and not re.fullmatch(r"(?:[A-Z][A-Za-z.]{0,2}\.?){1,4}(?:[ -][A-Z0-9-]+)*|[A-Z]{2,8}", part.strip()):
                people.add(key)
    return people


def raw_page(page: Page) -> RawPage:
    """A page as the fetcher would hand it over."""
    return RawPage(
        ref=ArticleRef(source_id="eval", url=page.url), url=page.url, final_url=page.url, media_type="text/html",
        body=page.html, fetched_at=FETCHED_AT,
    )  # fmt: skip


def ours(page: Page) -> Answer:
    """This project's extractor, with everything an article gets."""
    raw = raw_page(page)
    try:
        article = extract(raw, settings=ExtractSettings())
    except ArticleError as error:
        return Answer(rejected=str(error))
    return Answer(
        body=article.body, title=article.headline, authors=article.authors,
        date=stated_day(article.published), modified=stated_day(article.modified), published=article.published,
        updates=tuple(candidate.value[:10] for candidate in article.modified.candidates) if article.modified else (),
    )  # fmt: skip


def stated_day(record: DateRecord | None) -> str | None:
    """The day as the page states it, in its own time zone."""
    if record is None:
        return None
    stated = [candidate.value for candidate in record.candidates if candidate.source == record.source]
    return stated[0][:10] if stated else record.value.date().isoformat()


def trafilatura_system(*, metadata: bool, **options: Any) -> Callable[[Page], Answer]:
    """One mode of trafilatura."""
    import trafilatura

    def run(page: Page) -> Answer:
        document = trafilatura.bare_extraction(
            page.html, url=page.url, include_comments=False, with_metadata=metadata,
            date_extraction_params={"original_date": True, "max_date": FETCHED_AT.date().isoformat()} if metadata else None,
            **options,
        )  # fmt: skip
        if document is None or isinstance(document, dict):
            return Answer(rejected="no text")
        authors = tuple(part.strip() for part in (document.author or "").split(";") if part.strip())
        return Answer(body=document.text or "", title=document.title, authors=authors, date=document.date)

    return run


def newspaper4k() -> Callable[[Page], Answer]:
    """newspaper4k, offline."""
    import newspaper

    def run(page: Page) -> Answer:
        article = newspaper.Article(page.url, fetch_images=False)
        article.download(input_html=page.html.decode("utf-8", "replace"))
        article.parse()
        date = article.publish_date.date().isoformat() if hasattr(article.publish_date, "date") else None
        return Answer(body=article.text, title=article.title, authors=tuple(article.authors), date=date)

    return run


def readability() -> Callable[[Page], Answer]:
    """readability-lxml."""
    from lxml import html as lxml_html
    from readability import Document

    def run(page: Page) -> Answer:
        document = Document(page.html.decode("utf-8", "replace"))
        tree = lxml_html.fromstring(document.summary())
        return Answer(body="\n".join(tree.itertext()), title=document.short_title())

    return run


def resiliparse() -> Callable[[Page], Answer]:
    """resiliparse, main content."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    def run(page: Page) -> Answer:
        text = bytes_to_str(page.html, detect_encoding(page.html))
        return Answer(body=extract_plain_text(text, main_content=True, alt_texts=False, links=False))

    return run


def news_please() -> Callable[[Page], Answer]:
    """news-please, offline."""
    from newsplease import NewsPlease

    def run(page: Page) -> Answer:
        article = NewsPlease.from_html(page.html.decode("utf-8", "replace"), url=page.url, fetch_images=False)
        date = article.date_publish.date().isoformat() if article.date_publish else None
        return Answer(body=article.maintext or "", title=article.title, authors=tuple(article.authors or ()), date=date)

    return run


SYSTEMS: dict[str, Callable[[], Callable[[Page], Answer]]] = {
    "ours": lambda: ours,
    "trafilatura": lambda: trafilatura_system(metadata=True),
    "trafilatura text only": lambda: trafilatura_system(metadata=False),
    "trafilatura recall": lambda: trafilatura_system(metadata=False, favor_recall=True),
    "trafilatura precision": lambda: trafilatura_system(metadata=False, favor_precision=True),
    "trafilatura fast": lambda: trafilatura_system(metadata=False, fast=True),
    "trafilatura fast recall": lambda: trafilatura_system(metadata=False, fast=True, favor_recall=True),
    "newspaper4k": newspaper4k,
    "readability-lxml": readability,
    "resiliparse": resiliparse,
    "news-please": news_please,
}


def evaluate(name: str, run: Callable[[Page], Answer], pages: list[Page]) -> Score:
    """Run one system over all pages and score it."""
    for page in pages[:3]:
        _guarded(run, page)  # libraries load their data with the first pages
    score = Score(name=name)
    for page in pages:
        start = time.process_time()
        answer = _guarded(run, page)
        spent = time.process_time() - start
        score.seconds += spent
        score.slowest = max(score.slowest, (spent, page.id))
        score.answers[page.id] = answer
        count(score, page, answer)
    return score


def count(score: Score, page: Page, answer: Answer) -> None:
    """Add one answer to the sums."""
    accepted = answer.rejected is None
    if page.kind != "article":
        score.counts["others"] += 1
        score.counts["others rejected"] += not accepted
        return
    score.counts["articles"] += 1
    score.counts["articles kept"] += accepted
    tokens, wanted = words(answer.body), words(page.body)
    score.words.append(overlap(Counter(tokens), Counter(wanted)))
    score.shingles.append(overlap(shingles(tokens), shingles(wanted)))
    score.by_page[page.id] = score.shingles[-1][2]
    if accepted:
        score.kept.append(score.shingles[-1])
    if page.title:
        score.counts["titles"] += 1
        score.counts["titles right"] += same_title(answer.title, page.title)
    if page.author:
        score.counts["authors"] += 1
        score.counts["authors right"] += name_set(answer.authors) == name_set(page.author)
    if page.date:
        score.counts["dates"] += 1
        score.counts["dates right"] += answer.date == page.date
        score.counts["dates wrong"] += answer.date not in (None, page.date)
        score.counts["dates either"] += page.date in (answer.date, answer.modified, *answer.updates)


def _guarded(run: Callable[[Page], Answer], page: Page) -> Answer:
    try:
        return run(page)
    except Exception as error:  # noqa: BLE001
        return Answer(rejected=f"{type(error).__name__}: {error}")


def _mean(values: list[tuple[float, float, float]], index: int) -> str:
    return f"{statistics.fmean(value[index] for value in values):.3f}" if values else "–"


def _share(score: Score, part: str, whole: str) -> str:
    return f"{score.counts[part] / score.counts[whole]:.3f}" if score.counts[whole] else "–"


def report(scores: list[Score], pages: int) -> str:
    """The table."""
    lines = [
        "| system | shingle P | R | F1 | F1 of kept | word P | R | F1 | title | authors | date right | date wrong | right or modified then | articles kept "
        "| others rejected | ms/page |",
        "|---" + "|---:" * 14 + "|",
    ]
    for score in scores:
        meta = score.name in ("ours", "trafilatura", "newspaper4k", "news-please")
        cells = (
            [_mean(score.shingles, i) for i in range(3)]
            + [_mean(score.kept, 2)]
            + [_mean(score.words, i) for i in range(3)]
        )
        title = _share(score, "titles right", "titles") if meta or score.name == "readability-lxml" else "–"
        cells += [title] + [
            _share(score, part, whole) if meta else "–"
            for part, whole in (
                ("authors right", "authors"),
                ("dates right", "dates"),
                ("dates wrong", "dates"),
                ("dates either", "dates"),
            )
        ]
        cells += [_share(score, "articles kept", "articles"), _share(score, "others rejected", "others")]
        lines.append(
            f"| {score.name} | " + " | ".join([*cells, f"{1000 * score.seconds / pages:.1f}" if pages else "–"]) + " |"
        )
    return "\n".join(lines)


def report_dates(pages: list[Page]) -> str:
    """How the dates fare by where they came from, and what is true where they are wrong."""
    rows: dict[str, Counter[str]] = {}
    misses: list[str] = []
    for page in pages:
        if page.kind != "article" or not page.date:
            continue
        answer = _guarded(ours, page)
        source = answer.published.source if answer.published else "(page rejected)" if answer.rejected else "(absent)"
        row = rows.setdefault(source, Counter())
        row["all"] += 1
        if answer.published is None:
            outcome = "absent"
        elif answer.date == page.date:
            outcome = "right"
        elif page.date in answer.updates:
            outcome = "wrong: update"
        elif page.date.encode() in page.html or _written(page.date, page.html):
            outcome = "wrong: elsewhere"
        else:
            outcome = "wrong: nowhere"
        row[outcome] += 1
        row["conflicts"] += bool(answer.published and answer.published.conflict)
        if outcome != "right":
            misses.append(f"- {page.id}: {answer.date or 'absent'} ({source}), true {page.date}, {outcome}")
    columns = ("all", "right", "wrong: update", "wrong: elsewhere", "wrong: nowhere", "absent", "conflicts")
    total = Counter[str]()
    for row in rows.values():
        total.update(row)
    lines = [
        "| source of the date | articles | right | wrong: truth is the page's update | wrong: truth is elsewhere in the page | wrong: truth is not in the page | absent | conflict flagged |",
        "|---" + "|---:" * len(columns) + "|",
    ]
    for name, row in [*sorted(rows.items(), key=lambda item: (-item[1]["all"], item[0])), ("**all**", total)]:
        lines.append(f"| {name} | " + " | ".join(str(row[column]) for column in columns) + " |")
    return "\n".join([*lines, "", *misses])


FIELDS = {
    "headline": "title", "description": "description", "authors": "author", "section": "categories", "keywords": "tags", "image": "image",
    "publisher": "sitename", "canonical_url": "url", "stated_language": "language", "is_accessible_for_free": "",
}  # fmt: skip
"""The fields of an article, and trafilatura's names for them."""


def report_fields(pages: list[Page]) -> str:
    """How many articles have each field, and from where, next to how many have it with trafilatura."""
    from trafilatura.metadata import extract_metadata

    kept, origins = 0, {name: Counter[str]() for name in FIELDS}
    peer = Counter[str]()
    for page in pages:
        if page.kind != "article":
            continue
        try:
            article = extract(raw_page(page), settings=ExtractSettings())
        except ArticleError:
            continue
        kept += 1
        from_ = dict(article.origins)
        for name in FIELDS:
            if getattr(article, name) not in (None, "", ()):
                origins[name][from_.get(name, "jsonld or meta")] += 1
        document = extract_metadata(page.html.decode("utf-8", "replace"), default_url=page.url)
        peer.update(name for name, theirs in FIELDS.items() if document and theirs and getattr(document, theirs))
    lines = [f"{kept} articles\n", "| field | present | where from | with trafilatura |", "|---|---:|---|---:|"]
    for name, counts in origins.items():
        sources = ", ".join(f"{origin} {count}" for origin, count in counts.most_common())
        theirs = f"{peer[name] / max(1, kept):.3f}" if peer[name] else "–"
        lines.append(f"| {name} | {counts.total() / max(1, kept):.3f} | {sources} | {theirs} |")
    return "\n".join(lines)


def _written(day: str, html: bytes) -> bool:
    """Whether a page writes a day out in English or in numbers."""
    date = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    month = f"{date:%b}[a-z]*"
    return (
        re.search(
            rf"\b{month}\.?\s+0?{date.day}(?:st|nd|rd|th)?,?\s+{date.year}|\b0?{date.day}(?:st|nd|rd|th)?\.?\s+{month}\.?,?\s+{date.year}"
            rf"|\b0?{date.month}[/.-]0?{date.day}[/.-]{date.year}|\b0?{date.day}[/.-]0?{date.month}[/.-]{date.year}|{date:%Y/%m/%d}|{date:%Y%m%d}",
            html.decode("utf-8", "replace"),
        )
        is not None
    )


def report_plain_text(folder: Path) -> str:
    """Precision and recall of the lines of the story, the captions and the furniture, over a folder of cases."""
    sums: dict[str, list[int]] = {name: [0, 0, 0] for name in ("story", "captions", "removed")}
    failing: list[str] = []
    cases = sorted(folder.glob("*/expected.json"))
    for path in cases:
        wanted = json.loads(path.read_text(encoding="utf-8"))
        cleaned = clean((path.parent / "page.txt").read_bytes().decode("utf-8"))
        found = {
            "story": cleaned.body.split("\n"),
            "captions": list(cleaned.captions),
            "removed": [piece.text for piece in cleaned.removed],
        }
        for name, sum_ in sums.items():
            mine, true = (Counter(line for line in lines if line.strip()) for lines in (found[name], wanted[name]))
            common = (mine & true).total()
            for index, value in enumerate((common, mine.total(), true.total())):
                sum_[index] += value
            if mine != true:
                failing.append(
                    f"- {path.parent.name}, {name}: too much {list(mine - true)}, missing {list(true - mine)}"
                )
    lines = [f"{len(cases)} cases\n", "| lines of | wanted | found | precision | recall |", "|---|---:|---:|---:|---:|"]
    for name, (common, mine_, true_) in sums.items():
        lines.append(f"| {name} | {true_} | {mine_} | {common / max(1, mine_):.3f} | {common / max(1, true_):.3f} |")
    return "\n".join([*lines, "", *failing])


def main() -> int:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="comma-separated; default: all that are installed")
    parser.add_argument("--worst", type=int, default=0, help="list the pages where ours is furthest behind trafilatura")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dates", action="store_true", help="only the dates, by their source")
    mode.add_argument("--fields", action="store_true", help="only how many articles have each field, and from where")
    mode.add_argument("--plain-text", action="store_true", help="FOLDER holds cases of plain text")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    if arguments.plain_text:
        print(report_plain_text(arguments.folder))
        return 0
    pages = list(load(arguments.folder))
    if arguments.dates or arguments.fields:
        print(report_dates(pages) if arguments.dates else report_fields(pages))
        return 0
    scores: list[Score] = []
    for name in [part.strip() for part in arguments.systems.split(",")]:
        if name not in SYSTEMS:
            parser.error(f"unknown system {name!r}; known are {', '.join(SYSTEMS)}")
        try:
            run = SYSTEMS[name]()
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        scores.append(evaluate(name, run, pages))
        print(f"{name}: {scores[-1].seconds:.1f} s, slowest {scores[-1].slowest}", file=sys.stderr)
    articles = sum(page.kind == "article" for page in pages)
    print(f"{len(pages)} pages, {articles} of them articles, CPU time on one core\n")
    print(report(scores, len(pages)))
    for name, part in (("even", pages[::2]), ("odd", pages[1::2])):
        print(f"\nPages in {name} places of the list:\n")
        halves = [Score(name=score.name) for score in scores]
        for half, score in zip(halves, scores, strict=True):
            for page in part:
                count(half, page, score.answers[page.id])
        print(report(halves, 0))
    by_name = {score.name: score for score in scores}
    plain = by_name.get("trafilatura") or by_name.get("trafilatura text only")
    if "ours" in by_name and plain:
        gaps = sorted((by_name["ours"].by_page[id_] - plain.by_page[id_], id_) for id_ in plain.by_page)
        behind = [(gap, id_) for gap, id_ in gaps if gap < -0.2]
        print(f"\nPages worse than plain trafilatura by more than 0.2 F1: {len(behind)}")
        decided = by_name["ours"].answers
        wrong = [page for page in pages if (decided[page.id].rejected is None) != (page.kind == "article")]
        for gap, id_ in gaps[: max(arguments.worst, len(behind))]:
            ours_, theirs = by_name["ours"].by_page[id_], plain.by_page[id_]
            print(
                f"- {id_}: {ours_:.3f} against {theirs:.3f} ({gap:+.3f}) {by_name['ours'].answers[id_].rejected or ''}"
            )
        print(f"\nWrong decisions: {len(wrong)}")
        for page in wrong:
            print(f"- {page.id} ({page.kind}) {decided[page.id].rejected or 'taken for an article'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

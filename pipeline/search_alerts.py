"""Saved searches as alerts: which of the articles that are new in the index answer them, and who is still to be told.

``config/alerts.toml`` holds the searches, one ``[[search]]`` table each. After a run the DAG ``news_saved_searches``
asks ``runs_to_check`` for the runs that nobody looked at yet and ``messages`` for what is to be told of them, delivers,
and notes with ``remember`` each message that was delivered and with ``mark_checked`` the runs that are done with. So
an article is told once to each recipient of a search: a message that did not arrive comes again, one that did never
does, also not after the index was built anew. Only where a process dies between the two is an article told twice.
"""

from __future__ import annotations

import html
import sqlite3
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.enrich.resolution import EntityReview
from pipeline.errors import ConfigurationError
from pipeline.ledger import RunRecord
from pipeline.models import OutcomeKind
from pipeline.run import Services
from pipeline.search import QueryError, SearchHit, SearchRequest, SearchResults, search, to_body
from pipeline.settings import AlertSettings

FILE = "alerts.toml"
_MOST_IDS = 1_000
_LATEST_RUNS = 500
_LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who is told: an e-mail address, or the id of an Airflow connection whose host is a webhook's address."""

    way: Literal["email", "webhook"]
    address: str

    def __str__(self) -> str:
        return f"{self.way} {self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSearch:
    """One search of alerts.toml. ``query`` is what `news search` takes; the others narrow it as its options do.

    ``email`` and ``webhook_connection`` say who is told; a search that names neither is told to those of the settings
    ``alerts.email`` and ``alerts.webhook_connection``.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    query: str
    language: str | None = None
    source: str | None = None
    person: str | None = None
    place: str | None = None
    organization: str | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    webhook_connection: str | None = None

    def request(self, prefix: str, review: EntityReview | None = None) -> SearchRequest:
        """The search as a question; names count as ``review`` says."""
        return SearchRequest(
            query=self.query,
            language=self.language,
            source=self.source,
            person=self.person,
            place=self.place,
            organization=self.organization,
            sort="newest",
            limit=_MOST_IDS,
            prefix=prefix,
            review=review or EntityReview(),
        )

    def recipients(self, settings: AlertSettings) -> tuple[Recipient, ...]:
        """Who is told of this search."""
        email, webhook = self.email, self.webhook_connection
        if not email and not webhook:
            email, webhook = settings.email, settings.webhook_connection
        ways: tuple[tuple[Literal["email", "webhook"], str | None], ...] = (("email", email), ("webhook", webhook))
        return tuple(Recipient(way=way, address=address) for way, address in ways if address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A search and the new articles that answer it, newest first."""

    search: SavedSearch
    articles: tuple[SearchHit, ...]

    def as_text(self) -> str:
        """One paragraph for a log."""
        lines = [f"{self.search.id}: {len(self.articles)} new"]
        for hit in self.articles[:_LISTED]:
            lines += [f"  {_day(hit)}  {hit.headline}", f"              {hit.url or hit.path or hit.id}"]
        if len(self.articles) > _LISTED:
            lines.append(f"  and {len(self.articles) - _LISTED} more")
        return "\n".join(lines)

    def as_html(self) -> str:
        """A list for a mail. Whatever an article says is text; links lead to http and https only."""
        items = []
        for hit in self.articles[:_LISTED]:
            headline = html.escape(hit.headline or "(without a headline)")
            address = hit.url or hit.path or hit.id
            linked = address.startswith(("http://", "https://"))
            title = f'<a href="{html.escape(address)}">{headline}</a>' if linked else headline
            where = " · ".join(html.escape(part) for part in (_day(hit), hit.site or hit.source, hit.language))
            items.append(f"<li>{title}<br><small>{where}</small></li>")
        if len(self.articles) > _LISTED:
            items.append(f"<li>and {len(self.articles) - _LISTED} more</li>")
        asked = html.escape(self.search.query) or "everything"
        listed = "\n".join(items)
        return f"<h3>{html.escape(self.search.id)} <small>({asked})</small></h3>\n<ul>\n{listed}\n</ul>"

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "search": self.search.id,
            "query": self.search.query,
            "articles": [
                {
                    "id": hit.id,
                    "headline": hit.headline,
                    "url": hit.url or hit.path,
                    "published_at": hit.published_at.isoformat() if hit.published_at else None,
                    "source": hit.source,
                    "language": hit.language,
                }
                for hit in self.articles
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Everything that one recipient is to be told now."""

    recipient: Recipient
    matches: tuple[Match, ...]

    @property
    def subject(self) -> str:
        """A line that says how much there is."""
        count = len({hit.id for match in self.matches for hit in match.articles})
        about = self.matches[0].search.id if len(self.matches) == 1 else f"{len(self.matches)} saved searches"
        return f"News: {count} new article{'' if count == 1 else 's'} for {about}"

    def as_text(self) -> str:
        """The message as plain text."""
        return "\n\n".join(match.as_text() for match in self.matches)

    def as_html(self) -> str:
        """The message as the HTML of a mail."""
        return "\n".join(match.as_html() for match in self.matches)

    def as_dict(self) -> dict[str, Any]:
        """The message as a webhook gets it: ``text`` is what chat programs show."""
        return {
            "text": f"{self.subject}\n\n{self.as_text()}",
            "searches": [match.as_dict() for match in self.matches],
        }


def load_saved_searches(config_dir: Path, settings: AlertSettings) -> tuple[SavedSearch, ...]:
    """The searches of ``alerts.toml``; none where there is no such file.

    Raises ConfigurationError that lists everything wrong with it: wrong questions, and searches that tell nobody.
    """
    path = config_dir / FILE
    if not path.exists():
        return ()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    problems = [
        f"{path}: unknown key {key!r}; searches stand in [[search]] tables" for key in content if key != "search"
    ]
    entries = content.get("search", [])
    if not isinstance(entries, list):
        raise ConfigurationError(f"{path}: 'search' is a single table; write [[search]] with double brackets")
    searches: list[SavedSearch] = []
    for number, entry in enumerate(entries, start=1):
        name = entry.get("id") if isinstance(entry, dict) else None
        where = f"{path}: search {number}{f' ({name!r})' if name else ''}"
        try:
            saved = _adapter().validate_python(entry)
            to_body(saved.request("news"))
        except ValidationError as error:
            problems += [
                f"{where}: {'.'.join(map(str, item['loc'])) or 'entry'}: {item['msg']}" for item in error.errors()
            ]
            continue
        except QueryError as error:
            problems.append(f"{where}: query: {error.message}")
            continue
        if saved.id in {other.id for other in searches}:
            problems.append(f"{where}: the id is taken; ids are unique")
        if not saved.recipients(settings):
            problems.append(
                f"{where}: nobody is told of it; give it an email or a webhook_connection, or set alerts.email or "
                "alerts.webhook_connection in settings.toml"
            )
        searches.append(saved)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return tuple(searches)


def runs_to_check(services: Services) -> list[RunRecord]:
    """The finished runs that are not done with, by hand or by schedule, oldest first.

    The first time it is only the last one, and all before it count as done with: saved searches begin with what
    comes from now on.
    """
    finished = [run for run in services.ledger.runs(_LATEST_RUNS) if run.report is not None]
    with _memory(services) as memory:
        checked = {run_id for (run_id,) in memory.execute("SELECT run FROM checked")}
        if not checked:
            # The empty name stands for having begun, also where there is no earlier run.
            memory.executemany(
                "INSERT INTO checked (run) VALUES (?)", [("",), *((run.run_id,) for run in finished[1:])]
            )
            return finished[:1]
    return [run for run in finished if run.run_id not in checked][::-1]


def new_matches(services: Services, runs: Sequence[RunRecord], searches: Sequence[SavedSearch]) -> list[Match]:
    """What of the articles that runs brought for the first time answers each search.

    Articles that a run indexed again, because the index was lost or built anew, aren't new. Raises QueryError for a
    search that the index can't answer, IndexUnavailableError.
    """
    since: dict[str, datetime] = {}
    for run in runs:
        began = run.started_at.replace(microsecond=run.started_at.microsecond // 1000 * 1000)  # documents keep no more
        for entry in services.ledger.results(run.run_id, kind=OutcomeKind.INDEXED):
            if entry.document_id:
                since.setdefault(entry.document_id, began)
    ids = sorted(since)
    review = services.entity_review()
    matches = []
    for saved in searches if ids else ():
        request = saved.request(services.prefix, review)
        hits = [
            hit
            for start in range(0, len(ids), _MOST_IDS)
            for hit in _ask(services, saved, replace(request, ids=ids[start : start + _MOST_IDS])).hits
            if hit.first_seen_at >= since[hit.id]
        ]
        if hits:
            hits.sort(key=lambda hit: (hit.published_at or hit.first_seen_at, hit.id), reverse=True)
            matches.append(Match(search=saved, articles=tuple(hits)))
    return matches


def messages(services: Services, matches: Sequence[Match]) -> list[Message]:
    """One message for each recipient, of what that one has not been told yet."""
    by_recipient: dict[Recipient, list[Match]] = {}
    with _memory(services) as memory:
        for match in matches:
            for recipient in match.search.recipients(services.settings.alerts):
                rows = memory.execute(
                    "SELECT document FROM told WHERE search = ? AND recipient = ?", (match.search.id, str(recipient))
                )
                told = {document for (document,) in rows}
                if left := tuple(hit for hit in match.articles if hit.id not in told):
                    by_recipient.setdefault(recipient, []).append(replace(match, articles=left))
    return [Message(recipient=recipient, matches=tuple(found)) for recipient, found in by_recipient.items()]


def remember(services: Services, message: Message) -> None:
    """Note that a message was delivered. Call it right after; before that it comes again."""
    with _memory(services) as memory:
        rows = [
            (match.search.id, str(message.recipient), hit.id) for match in message.matches for hit in match.articles
        ]
        memory.executemany("INSERT OR IGNORE INTO told (search, recipient, document) VALUES (?, ?, ?)", rows)


def mark_checked(services: Services, runs: Sequence[RunRecord]) -> None:
    """Note that nothing is left to be told of these runs."""
    with _memory(services) as memory:
        memory.executemany("INSERT OR IGNORE INTO checked (run) VALUES (?)", [(run.run_id,) for run in runs])


def overview(services: Services, searches: Sequence[SavedSearch]) -> list[dict[str, Any]]:
    """Each search with its recipients, what it finds in the whole index, and how many new articles wait to be told.

    Nobody is told. Raises QueryError, IndexUnavailableError.
    """
    waiting: dict[str, set[str]] = {}
    for message in messages(services, new_matches(services, runs_to_check(services), searches)):
        for match in message.matches:
            waiting.setdefault(match.search.id, set()).update(hit.id for hit in match.articles)
    review = services.entity_review()
    listed = []
    for saved in searches:
        found = _ask(services, saved, replace(saved.request(services.prefix, review), limit=1))
        listed.append(
            {
                "id": saved.id,
                "query": saved.query,
                "recipients": [str(recipient) for recipient in saved.recipients(services.settings.alerts)],
                "articles": found.total,
                "notes": list(found.notes),
                "newest": found.hits[0].headline if found.hits else None,
                "waiting": len(waiting.get(saved.id, ())),
            }
        )
    return listed


def _ask(services: Services, saved: SavedSearch, request: SearchRequest) -> SearchResults:
    try:
        return search(services.elasticsearch, request)
    except QueryError as error:
        raise QueryError(f"The saved search {saved.id!r} can't be answered: {error.message}") from error


@contextmanager
def _memory(services: Services) -> Iterator[sqlite3.Connection]:
    services.settings.home.mkdir(parents=True, exist_ok=True)
    path = services.settings.home / "saved-searches.sqlite"
    with closing(sqlite3.connect(path, timeout=30)) as memory, memory:
        memory.execute("CREATE TABLE IF NOT EXISTS checked (run TEXT PRIMARY KEY)")
        memory.execute(
            "CREATE TABLE IF NOT EXISTS told (search TEXT, recipient TEXT, document TEXT, "
            "PRIMARY KEY (search, recipient, document))"
        )
        yield memory


def _day(hit: SearchHit) -> str:
    return f"{hit.published_at:%Y-%m-%d}" if hit.published_at else "no date"


def _adapter() -> TypeAdapter[SavedSearch]:
    SavedSearch.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return TypeAdapter(SavedSearch)

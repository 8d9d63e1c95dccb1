"""Saved searches as alerts: after a run, which of the articles that are new in the index answer them.

``config/alerts.toml`` holds the searches, one ``[[search]]`` table each. ``new_matches`` looks only at what one run
newly indexed; ``remember`` notes what was told, so that an article is told once for each search, also when it comes
back after the index was built anew.
"""

from __future__ import annotations

import sqlite3
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipeline.errors import ConfigurationError
from pipeline.models import OutcomeKind
from pipeline.run import Services
from pipeline.search import QueryError, SearchHit, SearchRequest, search, to_body

FILE = "alerts.toml"
_MOST_IDS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSearch:
    """One search of alerts.toml. ``query`` is what `news search` takes; the others narrow it as its options do."""

    id: str
    query: str
    language: str | None = None
    source: str | None = None
    person: str | None = None
    place: str | None = None
    organization: str | None = None

    def request(self, prefix: str) -> SearchRequest:
        """The search as a question."""
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
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A search and the new articles that answer it, newest first."""

    search: SavedSearch
    articles: tuple[SearchHit, ...]

    def as_text(self) -> str:
        """One paragraph for a log or a mail."""
        lines = [f"{self.search.id}: {len(self.articles)} new"]
        for hit in self.articles:
            day = f"{hit.published_at:%Y-%m-%d}" if hit.published_at else "no date"
            lines += [f"  {day}  {hit.headline}", f"              {hit.url or hit.path or hit.id}"]
        return "\n".join(lines)

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
                }
                for hit in self.articles
            ],
        }


def load_saved_searches(config_dir: Path) -> tuple[SavedSearch, ...]:
    """The searches of ``alerts.toml``; none where there is no such file.

    Raises ConfigurationError that lists everything wrong with it, wrong questions included.
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
        where = f"{path}: search {number}"
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
            problems.append(f"{where}: the id {saved.id!r} is taken; ids are unique")
        searches.append(saved)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return tuple(searches)


def new_matches(services: Services, run_id: str, searches: Sequence[SavedSearch]) -> list[Match]:
    """What of the articles that a run newly indexed answers each search and has not been told yet.

    Raises QueryError for a search that the index can't answer, IndexUnavailableError.
    """
    new = [entry.document_id for entry in services.ledger.results(run_id, kind=OutcomeKind.INDEXED)]
    ids = sorted({id_ for id_ in new if id_})
    matches = []
    for saved in searches if ids else ():
        told = _told(services, saved, ids)
        hits = [
            hit
            for start in range(0, len(ids), _MOST_IDS)
            for hit in _among(services, saved, ids[start : start + _MOST_IDS])
            if hit.id not in told
        ]
        if hits:
            hits.sort(key=lambda hit: (hit.published_at or hit.first_seen_at, hit.id), reverse=True)
            matches.append(Match(search=saved, articles=tuple(hits)))
    return matches


def remember(services: Services, matches: Sequence[Match]) -> None:
    """Note that these were told. Call it once whoever is to know has been told; before that they come again."""
    with _memory(services) as memory:
        rows = [(match.search.id, hit.id) for match in matches for hit in match.articles]
        memory.executemany("INSERT OR IGNORE INTO told (search, document) VALUES (?, ?)", rows)


def _among(services: Services, saved: SavedSearch, ids: Sequence[str]) -> tuple[SearchHit, ...]:
    request = replace(saved.request(services.prefix), ids=ids)
    try:
        return search(services.elasticsearch, request).hits
    except QueryError as error:
        raise QueryError(f"The saved search {saved.id!r} can't be answered: {error.message}") from error


@contextmanager
def _memory(services: Services) -> Iterator[sqlite3.Connection]:
    services.settings.home.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(services.settings.home / "search-alerts.sqlite", timeout=30)) as memory, memory:
        memory.execute("CREATE TABLE IF NOT EXISTS told (search TEXT, document TEXT, PRIMARY KEY (search, document))")
        yield memory


def _told(services: Services, saved: SavedSearch, ids: Sequence[str]) -> set[str]:
    with _memory(services) as memory:
        rows = memory.execute("SELECT document FROM told WHERE search = ?", (saved.id,))
        return {document for (document,) in rows} & set(ids)


def _adapter() -> TypeAdapter[SavedSearch]:
    SavedSearch.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return TypeAdapter(SavedSearch)

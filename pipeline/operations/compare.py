"""What an upgrade would change: archived pages made into documents twice, the differences counted, the worst first.

Either side is one of: ``stored`` (the documents as they stand in the index), ``current`` (what this code and these
settings make of the archive), the path of another settings file, or the name of an entity model.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.enrich import Enricher, load_enricher, read_entity_review
from pipeline.errors import ArticleError, ConfigurationError
from pipeline.extract.worker import extract_all
from pipeline.index.documents import to_document
from pipeline.models import ArchiveAddress, Article, RawPage, Source
from pipeline.reprocess import stored_articles
from pipeline.run import Services
from pipeline.settings import Settings, with_file

STORED, CURRENT = "stored", "current"

FIELDS = ("headline", "body", "published_at", "modified_at", "language", "authors", "entities")
"""What is compared."""

_WEIGHTS = {
    "outcome": 3.0, "body": 2.0, "language": 1.0, "published_at": 0.8, "headline": 0.5, "entities": 0.5,
    "authors": 0.3, "modified_at": 0.2,
}  # fmt: skip
"""How much a change counts in the order of examples."""

Made = Mapping[str, Any] | str
"""One side's answer for a page: the document's fields, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One page that the two sides read differently. ``changes`` are the fields with both values, how far apart each."""

    name: str
    source: str
    changes: Mapping[str, tuple[Any, Any, float]]

    @property
    def severity(self) -> float:
        """The sum of the changes, weighted."""
        return sum(_WEIGHTS[field] * distance for field, (_, _, distance) in self.changes.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences, the worst first; ``changed`` counts them by field."""

    compared: int
    changed: Mapping[str, int]
    differences: tuple[Difference, ...]
    median_body: tuple[int, int]

    def as_dict(self, *, examples: int = 20) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "compared": self.compared,
            "different": len(self.differences),
            "changed": dict(self.changed),
            "median_body_characters": {"old": self.median_body[0], "new": self.median_body[1]},
            "examples": [
                {
                    "name": difference.name,
                    "source": difference.source,
                    "severity": round(difference.severity, 3),
                    "changes": {
                        field: {"old": _short(old), "new": _short(new), "distance": round(distance, 3)}
                        for field, (old, new, distance) in difference.changes.items()
                    },
                }
                for difference in self.differences[:examples]
            ],
        }


def compare(
    services: Services, old: str, new: str, sources: Sequence[Source], *, sample: int = 200, source: str | None = None
) -> Comparison:
    """Read a sample of archived pages in two ways. Changes nothing.

    The sample is the same each time: the newest captures whose names have the lowest hashes. Raises
    ConfigurationError for a side that can't be meant.
    """
    captures = services.ledger.captures(source_ids=[source] if source else [])
    chosen = sorted(captures, key=lambda capture: hashlib.sha256(capture.ref.name.encode(errors="replace")).digest())
    captures_in_order = sorted(chosen[:sample], key=lambda c: (c.address.file, c.address.offset))
    pages = [
        page
        for page in services.archive.read([capture.address for capture in captures_in_order])
        if isinstance(page, RawPage)
    ]
    by_id = {item.id: item for item in sources}
    sides = [_side(services, spec, pages, by_id) for spec in (old, new)]
    return summarize([(page.ref.name, page.source_id) for page in pages], *sides)


def summarize(names: Sequence[tuple[str, str]], old: Sequence[Made], new: Sequence[Made]) -> Comparison:
    """The differences between two sides' answers for the same pages. Pure."""
    differences = []
    changed: Counter[str] = Counter()
    for (name, source), before, after in zip(names, old, new, strict=True):
        if changes := changes_between(before, after):
            differences.append(Difference(name=name, source=source, changes=changes))
            changed.update(changes.keys())
    differences.sort(key=lambda difference: (-difference.severity, difference.name))
    return Comparison(
        compared=len(names),
        changed=dict(sorted(changed.items())),
        differences=tuple(differences),
        median_body=(_median_body(old), _median_body(new)),
    )


def changes_between(old: Made, new: Made) -> dict[str, tuple[Any, Any, float]]:
    """Each field that differs: both values and how far apart they are, 0 to 1. Pure."""
    if isinstance(old, str) or isinstance(new, str):
        ends = [side if isinstance(side, str) else "article" for side in (old, new)]
        return {} if ends[0] == ends[1] else {"outcome": (ends[0], ends[1], 1.0)}
    changes = {}
    for field in FIELDS:
        before, after = old.get(field), new.get(field)
        if before != after:
            changes[field] = (before, after, _distance(field, before, after))
    return changes


def _distance(field: str, old: Any, new: Any) -> float:
    if field in ("body", "headline"):
        return _bag_distance((old or "").split(), (new or "").split())
    if field == "entities":
        return _bag_distance(old or (), new or ())
    return 1.0


def _bag_distance(old: Iterable[Any], new: Iterable[Any]) -> float:
    """1 minus the share that two bags have in common (a changed order alone counts a little)."""
    first, second = Counter(old), Counter(new)
    union = (first | second).total()
    return max(0.01, 1 - (first & second).total() / union) if union else 0.01


def _median_body(side: Sequence[Made]) -> int:
    lengths = sorted(len(made.get("body") or "") for made in side if not isinstance(made, str))
    return lengths[len(lengths) // 2] if lengths else 0


# ----------------------------------------------------------------------------------------------- sides


def settings_of(current: Settings, spec: str) -> Settings:
    """The settings that a side means. Raises ConfigurationError for a file that isn't there."""
    if spec == CURRENT:
        return current
    if spec.endswith(".toml") or "/" in spec:
        path = Path(spec)
        if not path.is_file():
            raise ConfigurationError(f"{spec}: there is no such settings file")
        return with_file(current, path)
    return replace(current, entities=current.entities.model_copy(update={"model": spec}))


def _side(services: Services, spec: str, pages: Sequence[RawPage], sources: Mapping[str, Source]) -> list[Made]:
    if spec == STORED:
        return _stored(services, pages)
    settings = settings_of(services.settings, spec)
    if settings is services.settings:
        return _made(settings, services.enricher, pages, sources)
    review = read_entity_review(settings.config_dir / "entities.toml")
    return _made(settings, load_enricher(settings.language, settings.entities, review=review), pages, sources)


def _made(
    settings: Settings, enricher: Enricher, pages: Sequence[RawPage], sources: Mapping[str, Source]
) -> list[Made]:
    made: list[Made] = [""] * len(pages)
    articles: list[tuple[int, Article]] = []
    options = settings.extract
    answers = extract_all(pages, options, timeout_seconds=options.timeout_seconds, workers=options.workers)
    with closing(answers):
        for position, (_, answer, _) in enumerate(answers):
            if isinstance(answer, ArticleError):
                made[position] = answer.reason.value
            else:
                articles.append((position, answer))
    enriched = enricher.enrich([article for _, article in articles], sources=sources)
    for (position, article), result in zip(articles, enriched, strict=True):
        if isinstance(result, ArticleError):
            made[position] = result.reason.value
        else:
            made[position] = compared_fields(to_document(result, seen_at=article.fetched_at, run_id="compare").source)
    return made


def _stored(services: Services, pages: Sequence[RawPage]) -> list[Made]:
    by_address: dict[ArchiveAddress, Made] = {}
    files = sorted({page.archived.file for page in pages if page.archived})
    for start in range(0, len(files), 500):
        query = {"terms": {"archive.file": files[start : start + 500]}}
        for document in stored_articles(services.elasticsearch, query, (*FIELDS, "archive"), prefix=services.prefix):
            by_address[ArchiveAddress(**document["archive"])] = compared_fields(document)
    return [by_address.get(page.archived, "not stored") if page.archived else "not stored" for page in pages]


def compared_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are compared, with entities as a sorted list of type and name. Pure."""
    entities = document.get("entities") or {}
    names = sorted(
        (kind, name)
        for kind, values in entities.items()
        if kind != "model"
        for name in (values if isinstance(values, list) else [values])
    )
    return {**{field: document.get(field) for field in FIELDS if field != "entities"}, "entities": names}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= 300 else f"{value[:300]} … ({len(value)} characters)"
    if isinstance(value, list):
        return [" ".join(item) if isinstance(item, tuple) else item for item in value[:30]]
    return value

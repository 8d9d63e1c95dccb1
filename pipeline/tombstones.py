"""What was taken down and must stay out: articles by id or file, and whole domains. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from pipeline import urls
from pipeline.errors import ConfigurationError, Reason
from pipeline.models import ArticleRef, ItemResult, Outcome, OutcomeKind, Stage

Kind = Literal["article", "file", "domain"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Tombstone:
    """One thing to keep out: ``article`` by its document id, ``file`` by its path, ``domain`` with all its hosts."""

    kind: Kind
    key: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """All tombstones, ready to be asked."""

    ids: frozenset[str] = field(default=frozenset())
    files: frozenset[str] = field(default=frozenset())
    domains: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, tombstones: Iterable[Tombstone]) -> Forgotten:
        """Sort tombstones by kind."""
        by_kind: dict[str, set[str]] = {"article": set(), "file": set(), "domain": set()}
        for stone in tombstones:
            by_kind[stone.kind].add(stone.key)
        return cls(frozenset(by_kind["article"]), frozenset(by_kind["file"]), frozenset(by_kind["domain"]))

    def __bool__(self) -> bool:
        return bool(self.ids or self.files or self.domains)

    def covers_url(self, url: str | None) -> bool:
        """Whether what is at this URL was taken down.

        >>> Forgotten.of([Tombstone(kind="domain", key="paper.example")]).covers_url("https://www.paper.example/x")
        True
        """
        if not url or not self:
            return False
        try:
            canonical = urls.canonicalize(url)
            host = urls.host_of(canonical)
        except ValueError:
            return False
        if urls.document_id(canonical) in self.ids:
            return True
        labels = host.split(".")
        return any(".".join(labels[start:]) in self.domains for start in range(len(labels)))

    def covers(self, ref: ArticleRef) -> bool:
        """Whether a reference points at something taken down."""
        return self.covers_url(ref.url) or (ref.url is None and (ref.name in self.files or ref.path in self.files))

    def covers_document(self, document_id: str, canonical_url: str | None, path: str | None) -> bool:
        """Whether a document is one that was taken down, by whatever way it came."""
        if document_id in self.ids or self.covers_url(canonical_url):
            return True
        return path is not None and (path in self.files or path.rpartition("#")[0] in self.files)


def kept_out(ref: ArticleRef, stage: Stage = "discover") -> ItemResult:
    """The outcome of a reference to something taken down."""
    outcome = Outcome(kind=OutcomeKind.REJECTED, reason=Reason.FORGOTTEN, detail="taken down with `news forget`")
    return ItemResult(ref=ref, outcome=outcome, stage=stage)


def tombstone_of(what: str) -> Tombstone:
    """What a person means: a URL is an article, an absolute path a file, anything else a domain.

    Raises ConfigurationError for what is none of these.

    >>> tombstone_of("Paper.example"), tombstone_of("/news/a.txt").kind
    (Tombstone(kind='domain', key='paper.example'), 'file')
    """
    if what.startswith("/"):
        return Tombstone(kind="file", key=what)
    try:
        if "://" in what:
            return Tombstone(kind="article", key=urls.document_id(urls.canonicalize(what)))
        host = urls.host_of(f"https://{what}")
    except ValueError as error:
        raise ConfigurationError(f"{what!r} is neither a URL nor a domain: {error}") from None
    if "/" in what or "." not in host:
        raise ConfigurationError(f"{what!r} is neither a URL (https://…), an absolute path nor a domain")
    return Tombstone(kind="domain", key=host.removeprefix("www."))

"""What discovery yields: references, and results for what a source named but nobody should fetch."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from pipeline.errors import Reason
from pipeline.models import ArticleRef, ItemResult, Outcome, OutcomeKind, Source, StatedFacts
from pipeline.urls import (
    canonicalize,
    document_id,
    host_of,
    looks_like_article,
    registered_domain,
    without_credentials,
)

Found = ArticleRef | ItemResult


def rejected(ref: ArticleRef, reason: Reason, detail: str = "") -> ItemResult:
    """A result for something that is not wanted."""
    outcome = Outcome(kind=OutcomeKind.REJECTED, reason=reason, detail=detail)
    return ItemResult(ref=ref, outcome=outcome, stage="discover")


def failed(ref: ArticleRef, reason: Reason, detail: str = "") -> ItemResult:
    """A result for something that could not be read."""
    return ItemResult(ref=ref, outcome=Outcome(kind=OutcomeKind.FAILED, reason=reason, detail=detail), stage="discover")


def wanted(source: Source, name: str) -> bool:
    """Whether the source's include and exclude patterns let ``name`` (a path or URL) through."""
    if source.include and not _matches(name, source.include):
        return False
    return not _matches(name, source.exclude)


def on_domains(domains: Sequence[str], url: str) -> bool:
    """Whether ``url`` stands on one of ``domains`` (or a subdomain of one); true where none are given."""
    if not domains:
        return True
    try:
        host = host_of(url)
    except ValueError:
        return False
    return any(host == domain or host.endswith(f".{domain}") for domain in (d.lower().strip(".") for d in domains))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


class Links:
    """Judges one link after the other of one listing and remembers them, so that each page is named once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: set[str] = set()

    def judge(self, url: str, *, via: str, facts: StatedFacts | None = None) -> Found:
        """A reference for ``url``, or a result with the reason why it will not be fetched."""
        ref = ArticleRef(
            source_id=self._source.id, url=without_credentials(url).strip(), via=via, facts=facts or StatedFacts()
        )
        try:
            id_ = document_id(canonicalize(url))
        except ValueError as error:
            scheme = url.strip().partition(":")[0].lower() if ":" in url else ""
            other_scheme = scheme.isalnum() and scheme not in ("http", "https")
            return rejected(ref, Reason.SCHEME_NOT_ALLOWED if other_scheme else Reason.BAD_URL, str(error))
        if id_ in self._seen:
            outcome = Outcome(kind=OutcomeKind.DUPLICATE, detail="named more than once in this listing")
            return ItemResult(ref=ref, outcome=outcome, stage="discover", document_id=id_)
        self._seen.add(id_)
        reason = looks_like_article(url)
        if reason is not None:
            return rejected(ref, reason)
        if not wanted(self._source, ref.url or ""):
            return rejected(ref, Reason.EXCLUDED, "by the source's include and exclude patterns")
        if not on_domains(self._source.domains, url):
            return rejected(ref, Reason.EXCLUDED, f"{registered_domain(url)} is not among the source's domains")
        return ref

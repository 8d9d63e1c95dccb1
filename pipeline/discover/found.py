"""What discovery yields: references, and results for what a source named but nobody should fetch."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Mapping, Sequence

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
    """Judges one link after the other of one listing and remembers them, so that each page is named once.

    ``known`` maps the ids of what earlier runs dealt with to the fingerprint of what the listing said of it then.
    ``named`` does the same for this run.
    """

    def __init__(self, source: Source, known: Mapping[str, str] | None = None) -> None:
        self._source = source
        self._known = known or {}
        self.named: dict[str, str] = {}

    def judge(self, url: str, *, via: str, facts: StatedFacts | None = None) -> Found | None:
        """A reference for ``url``, or a result with the reason why it will not be fetched.

        None where an earlier run dealt with it and the listing says nothing new of it.
        """
        ref = ArticleRef(
            source_id=self._source.id, url=without_credentials(url).strip(), via=via, facts=facts or StatedFacts()
        )
        try:
            id_ = document_id(canonicalize(url))
        except ValueError as error:
            scheme = url.strip().partition(":")[0].lower() if ":" in url else ""
            other_scheme = scheme.isalnum() and scheme not in ("http", "https")
            return rejected(ref, Reason.SCHEME_NOT_ALLOWED if other_scheme else Reason.BAD_URL, str(error))
        if id_ in self.named:
            outcome = Outcome(kind=OutcomeKind.DUPLICATE, detail="named more than once in this listing")
            return ItemResult(ref=ref, outcome=outcome, stage="discover", document_id=id_)
        mark = fingerprint(ref.facts)
        if self._known.get(id_) == mark:
            self.named[id_] = mark
            return None
        if not wanted(self._source, ref.url or ""):
            return rejected(ref, Reason.EXCLUDED, "by the source's include and exclude patterns")
        if not on_domains(self._source.domains, url):
            return rejected(ref, Reason.EXCLUDED, f"{registered_domain(url)} is not among the source's domains")
        self.named[id_] = mark
        reason = looks_like_article(url)
        return ref if reason is None else rejected(ref, reason)


def fingerprint(facts: StatedFacts) -> str:
    """A short mark of what a listing says of a page; another one means that the page is worth another look."""
    said = repr((facts.title, facts.description, facts.published_at, facts.modified_at, facts.content_html))
    return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=5).hexdigest()

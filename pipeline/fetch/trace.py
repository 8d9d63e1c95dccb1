"""The whole way of one URL, step by step, without writing anything but the turn it takes at the site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.errors import ArticleError, Reason
from pipeline.fetch.load import load, utc_now
from pipeline.fetch.web import PoliteWeb
from pipeline.models import ArticleRef, RawPage
from pipeline.settings import FetchSettings
from pipeline.urls import canonicalize, document_id, looks_like_article, registered_domain, without_credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its name, whether the way goes on, the reason if it does not, and what was found in words."""

    name: str
    ok: bool
    detail: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All steps taken, and the page if the way led to one (for extraction to be tried on)."""

    url: str
    steps: tuple[Step, ...]
    page: RawPage | None


def trace_url(
    url: str,
    *,
    settings: FetchSettings,
    politeness_dir: Path,
    clock: Callable[[], datetime] = utc_now,
    make_web: Callable[..., PoliteWeb] = PoliteWeb,
) -> Trace:
    """Take one URL through discovery's rules, robots.txt and fetching, and tell each step.

    A URL that discovery would turn away is fetched all the same, as whoever asks wants to see what would come.
    Raises ConfigurationError where settings forbid to fetch.
    """
    shown = without_credentials(url)
    steps: list[Step] = []
    try:
        canonical = canonicalize(url)
    except ValueError as error:
        steps.append(Step(name="url", ok=False, detail=str(error), reason=Reason.BAD_URL))
        return Trace(url=shown, steps=tuple(steps), page=None)
    steps.append(Step(name="url", ok=True, detail=f"canonical form {canonical}, document id {document_id(canonical)}"))
    reason = looks_like_article(url)
    steps.append(
        Step(
            name="discovery rules",
            ok=reason is None,
            reason=reason,
            detail="may be an article by its looks"
            if reason is None
            else "a source's listing would not get it fetched",
        )
    )
    events: list[Mapping[str, Any]] = []
    with make_web(settings, politeness_dir, observe=events.append) as web:
        web.require_contact([url])
        steps.append(_robots_step(web, url))
        (result,) = load(
            [ArticleRef(source_id="", url=url, via="urltest")],
            settings=settings,
            politeness_dir=politeness_dir,
            clock=clock,
            web=web,
        )
    steps += [
        Step(name="redirect", ok=True, detail=f"{event['http.response.status_code']} to {event['url.final']}")
        for event in events
        if event["event.action"] == "redirect"
    ]
    if isinstance(result, RawPage):
        size = f"{len(result.body):,} bytes"
        detail = f"{result.status}, {result.media_type}, charset {result.charset or 'not stated'}, {size}"
        steps.append(Step(name="fetch", ok=True, detail=detail))
        return Trace(url=shown, steps=tuple(steps), page=result)
    outcome = result.outcome
    steps.append(Step(name="fetch", ok=False, reason=outcome.reason, detail=f"{outcome.kind}: {outcome.detail}"))
    return Trace(url=shown, steps=tuple(steps), page=None)


def _robots_step(web: PoliteWeb, url: str) -> Step:
    try:
        rules = web.robots_rules(url)
    except ArticleError as error:
        return Step(name="robots.txt", ok=False, reason=error.reason, detail=error.detail)
    if not rules.reachable:
        return Step(name="robots.txt", ok=False, reason=rules.reason, detail=f"can't be had: {rules.detail}")
    if not web.robots_allow(rules, url):
        return Step(name="robots.txt", ok=False, reason=Reason.ROBOTS_DENIED, detail="forbids this address to us")
    delay = max(web.robots_delay(rules), web.settings.delay_seconds)
    pace = f"a pause of {delay:g} s between requests to {registered_domain(url) or 'this host'}"
    return Step(name="robots.txt", ok=True, detail=f"allowed; {pace}{f' ({rules.detail})' if rules.detail else ''}")

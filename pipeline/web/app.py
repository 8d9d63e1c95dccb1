"""The FastAPI application behind the search page. It only reads, and every answer carries a strict policy.

Pages are rendered on the server by Jinja2, which escapes every value; no template marks anything as safe. The content
security policy allows this application's own style sheet and script and nothing else, so that even markup that got
through would be inert. Articles' own pages are only ever linked to.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from elasticsearch import Elasticsearch
from fastapi import FastAPI, HTTPException, Request
from fastapi.params import Depends
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline import localnode, run
from pipeline.enrich.resolution import EntityReview
from pipeline.errors import ArticleError, ConfigurationError, FatalError, IndexUnavailableError, NewsError
from pipeline.extract.worker import extract_all
from pipeline.index import client as index_client
from pipeline.index import quarantine
from pipeline.index.templates import Names
from pipeline.kibana import links
from pipeline.models import ArchiveAddress, OutcomeKind, RawPage
from pipeline.run import Services
from pipeline.search import (
    WINDOW,
    QueryError,
    SearchResults,
    complete,
    get_document,
    same_story,
    search,
    similar,
)
from pipeline.settings import ElasticsearchConnection, load_settings
from pipeline.web import views
from pipeline.web.map import spots, world_map

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""What every answer carries. Airflow shows its plugins' pages in a frame of the same origin, and nobody else may."""

_WAIT_SECONDS = 1.5
"""A reader is told sooner than a run that Elasticsearch is away."""

_LISTED_FAILURES = 200

_SILENCE = timedelta(minutes=30)
"""A run that has no report and shows no sign of life for so long is shown as stopped."""


def _entity_review(services: Services) -> tuple[EntityReview, tuple[str, ...]]:
    """The reviewed list as it is now, and what a reader should know: one that is being edited stops nobody's search."""
    try:
        return services.entity_review(), ()
    except ConfigurationError:
        return EntityReview(), ("Names are searched as typed: entities.toml has a mistake, which `news doctor` names.",)


def reader_services() -> Services:
    """Services that only read: the embedded node is used where it runs, and never started.

    Raises IndexUnavailableError where it doesn't run, ConfigurationError for wrong settings.
    """
    settings = load_settings()
    if settings.elasticsearch is None:
        node = localnode.status(run.node_settings(settings))
        if node.url is None:
            raise IndexUnavailableError(
                "The embedded Elasticsearch does not run.", hint="Start it with `news es start` or `make up`."
            )
        settings = replace(settings, elasticsearch=ElasticsearchConnection(url=node.url))
    return Services(settings=settings)


def create_app(
    services_factory: Callable[[], Services] = reader_services,
    *,
    base_path: str = "",
    may_read: Sequence[Depends] = (),
    may_operate: Sequence[Depends] = (),
    login_url: Callable[[str], str] | None = None,
) -> FastAPI:
    """The application. Nothing is opened before the first request.

    ``services_factory`` is asked for services when they are first needed, and again after Elasticsearch was away.
    ``base_path`` is put before all addresses where a proxy takes it off; a mount's own path is known anyway.
    ``may_read`` guards all pages, ``may_operate`` also those about runs, sources and failures: dependencies that
    raise HTTPException(401 or 403). ``login_url`` gives the address of a log-in that leads back to a path.
    """
    site = _Site(services_factory, base_path.rstrip("/"), login_url)
    app = FastAPI(title="News search", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_Headers)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    app.exception_handler(StarletteHTTPException)(site.refused)
    app.exception_handler(NewsError)(site.failed)
    app.exception_handler(Exception)(site.broken)
    reading, operating = [*may_read], [*may_read, *may_operate]
    pages: list[tuple[str, Callable[..., Response], list[Depends]]] = [
        ("/", site.search_page, reading),
        ("/complete", site.completions, reading),
        ("/article/{document_id}", site.article_page, reading),
        ("/article/{document_id}/original", site.original_page, reading),
        ("/article/{document_id}/changes", site.changes_page, reading),
        ("/ingestion", site.ingestion_page, operating),
        ("/run", site.run_page, operating),
        ("/explain", site.explain_page, operating),
    ]
    for path, endpoint, dependencies in pages:
        app.add_api_route(path, endpoint, methods=["GET", "HEAD"], dependencies=dependencies, response_model=None)
    return app


class _Headers:
    """Puts the policy on every answer, also on those of the static files."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.lower().encode(), value.encode())
                        for name, value in HEADERS.items()
                        if name.lower().encode() not in present
                    ),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)


class _Site:
    """The pages, and the services that they share."""

    def __init__(
        self, services_factory: Callable[[], Services], base_path: str, login_url: Callable[[str], str] | None
    ) -> None:
        self._factory = services_factory
        self._base_path = base_path
        self._login_url = login_url
        self._lock = threading.Lock()
        self._opened: Services | None = None
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
        )
        self._templates.filters.update(
            moment=views.moment, harmless=views.harmless_url, lang=views.html_language, segments=views.segments
        )
        self._templates.globals.update(
            facets=views.FACETS,
            facet_of_type=views.FACET_OF_TYPE,
            label=views.label,
            area_name=views.area_name,
            headline=views.headline,
            passages=views.passages,
            page_size=views.PAGE_SIZE,
            facets_open=6,
            outcome_kinds=[kind.value for kind in OutcomeKind],
        )

    # ---------------------------------------------------------------------------------------- search

    def search_page(self, request: Request) -> Response:
        """Search box, facets and results. A wrong question is explained beside it."""
        results, problem, question = SearchResults(total=0, hits=(), facets={}), "", views.Question()
        world = None
        try:
            question = views.question_of(request.query_params.multi_items())
            services = self._services()
            review, warnings = _entity_review(services)
            asked, client = question.request(services.prefix, review), _quick(services)
            results = search(client, asked, embedder=services.embedder, wait_seconds=_WAIT_SECONDS)
            results = replace(results, notes=(*warnings, *results.notes))
            if question.map and results.total:
                found = spots(client, asked, close=bool(question.area), wait_seconds=_WAIT_SECONDS)
                world = world_map(found, question.area)
        except QueryError as error:
            problem = error.message
            question = replace(question, query=request.query_params.get("q", "")[:2_000])
        last = max(1, -(-min(results.total, WINDOW) // views.PAGE_SIZE))
        return self._page(
            request,
            "search.html",
            HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
            question=question,
            results=results,
            problem=problem,
            bars=views.timeline(results.timeline),
            world=world,
            last_page=last,
            pages=_neighbours(question.page, last),
        )

    def completions(self, request: Request) -> Response:
        """Names that begin as typed, as JSON."""
        services = self._services()
        found = complete(
            _quick(services),
            request.query_params.get("q", ""),
            review=_entity_review(services)[0],
            prefix=services.prefix,
            wait_seconds=_WAIT_SECONDS,
        )
        return JSONResponse([{"name": item.name, "type": item.type.value, "articles": item.articles} for item in found])

    # --------------------------------------------------------------------------------------- article

    def article_page(self, request: Request, document_id: str) -> Response:
        """One article: its text, what is known of it, what is like it, what happened to it."""
        services = self._services()
        document = self._document(services, document_id)
        client, prefix = _quick(services), services.prefix
        history = run.explain(services, document["_id"])
        return self._page(
            request,
            "article.html",
            document=document,
            paragraphs=views.paragraphs(document.get("body", ""), document.get("mentions", [])),
            facts=views.facts(document),
            entities=views.entities(document),
            similar=similar(client, document, prefix=prefix, wait_seconds=_WAIT_SECONDS),
            same=same_story(client, document, prefix=prefix, wait_seconds=_WAIT_SECONDS),
            history=history["runs"],
            versions=_versions(history),
            authors=", ".join(map(str, views.many(document.get("authors")))),
            captions=views.many(document.get("captions")),
            revisions=views.revisions(document),
        )

    def original_page(self, request: Request, document_id: str) -> Response:
        """The archived record of an article as text, just as it came."""
        services = self._services()
        document = self._document(services, document_id)
        addresses = _known_addresses(document, run.explain(services, document["_id"]))
        wanted = request.query_params.get("digest") or (document.get("archive") or {}).get("digest")
        if wanted not in addresses:
            raise HTTPException(HTTPStatus.NOT_FOUND, "The archive holds no such record of this article.")
        (page,) = services.archive.read([addresses[wanted]])
        if isinstance(page, ArticleError):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"The archived record can't be read: {page.detail}")
        text, cut = views.as_text(page.body, page.charset)
        return self._page(
            request, "original.html", document=document, raw=page, text=text, cut=cut, address=addresses[wanted]
        )

    def changes_page(self, request: Request, document_id: str) -> Response:
        """Two archived versions of an article side by side, as the extractor reads them."""
        services = self._services()
        document = self._document(services, document_id)
        addresses = _known_addresses(document, run.explain(services, document["_id"]))
        wanted = [request.query_params.get("old", ""), request.query_params.get("new", "")]
        if not all(digest in addresses for digest in wanted):
            raise HTTPException(HTTPStatus.NOT_FOUND, "The archive holds no such two versions of this article.")
        pages = list(services.archive.read([addresses[digest] for digest in wanted]))
        raw = [page for page in pages if isinstance(page, RawPage)]
        if len(raw) < len(pages):
            raise HTTPException(HTTPStatus.NOT_FOUND, "An archived version can't be read any more.")
        options = services.settings.extract
        # A page may keep an extractor busy for ever; in a process of its own that is cut short.
        read = [answer for _, answer, _ in extract_all(raw, options, timeout_seconds=options.timeout_seconds)]
        texts = [
            [f"({answer.reason}: {answer.detail})"]
            if isinstance(answer, ArticleError)
            else [answer.headline, *answer.body.split("\n\n")]
            for answer in read
        ]
        return self._page(
            request,
            "changes.html",
            document=document,
            old=raw[0],
            new=raw[1],
            changes=views.changes(texts[0], texts[1]),
        )

    # ------------------------------------------------------------------------------------- ingestion

    def ingestion_page(self, request: Request) -> Response:
        """Sources' health, the latest runs, and what failed with the command that tries it again."""
        services = self._services()
        client, names = _quick(services), Names(services.prefix)
        sources = index_client.call(
            lambda: client.search(
                index=names.sources,
                ignore_unavailable=True,
                size=1_000,
                sort=[{"status": {"order": "asc", "unmapped_type": "keyword"}},
                      {"source.id": {"order": "asc", "unmapped_type": "keyword"}}],
            ),
            wait_seconds=_WAIT_SECONDS,
        )  # fmt: skip
        chosen = request.query_params.get("source") or None
        failed = quarantine.entries(client, source=chosen, limit=_LISTED_FAILURES + 1, prefix=services.prefix)
        return self._page(
            request,
            "ingestion.html",
            sources=[hit["_source"] for hit in sources["hits"]["hits"]],
            runs=services.ledger.runs(30),
            quarantine=failed[:_LISTED_FAILURES],
            more_failed=len(failed) > _LISTED_FAILURES,
            chosen=chosen,
            added=self._count(client, names.articles, {"range": {"first_seen_at": {"gte": "now-1d"}}}),
            failing=self._count(client, names.quarantine, {"match_all": {}}),
            silent_since=services.now() - _SILENCE,
            kibana=_kibana() and links.dashboards(_kibana()),
        )

    def run_page(self, request: Request) -> Response:
        """One run's report. Airflow's pages know a run by its DAG and run id, the ledger by both together."""
        parameters = request.query_params
        run_id = parameters.get("id") or "/".join(filter(None, (parameters.get("dag_id"), parameters.get("run_id"))))
        services = self._services()
        record = services.ledger.run(run_id)
        if record is None:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"The ledger knows no run {run_id!r}. It is no ingestion run, or not planned yet."
            )
        tally = services.ledger.tally(run_id)
        kibana = _kibana() and links.run_dashboard(
            _kibana(),
            run_id,
            since=record.started_at,
            until=record.finished_at or record.heartbeat_at,
            prefix=services.prefix,
        )
        bad = [
            entry
            for kind in (OutcomeKind.FAILED, OutcomeKind.REJECTED)
            for entry in services.ledger.results(run_id, kind=kind)
        ]
        return self._page(
            request,
            "run.html",
            record=record,
            tally=tally.as_dict(),
            bad=bad[:_LISTED_FAILURES],
            more=max(0, len(bad) - _LISTED_FAILURES),
            silent_since=services.now() - _SILENCE,
            kibana=kibana,
        )

    def explain_page(self, request: Request) -> Response:
        """What happened to any address, path or document id."""
        services = self._services()
        name = request.query_params.get("name", "").strip()
        history: Mapping[str, Any] = run.explain(services, name) if name else {"runs": [], "document": None}
        return self._page(request, "explain.html", name=name, history=history["runs"], document=history["document"])

    # --------------------------------------------------------------------------------------- failing

    def refused(self, request: Request, error: Exception) -> Response:
        """The page for what is not there, or not for this reader."""
        assert isinstance(error, StarletteHTTPException)
        hint, link = "", None
        if error.status_code == HTTPStatus.UNAUTHORIZED and self._login_url:
            link = self._login_url(str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""))
        if error.status_code == HTTPStatus.FORBIDDEN:
            hint = "Ask whoever runs this Airflow for the permission."
        said = {HTTPStatus.UNAUTHORIZED: "Please log in first."}.get(HTTPStatus(error.status_code), error.detail)
        return self._error(request, error.status_code, said, hint, link, error.headers)

    def failed(self, request: Request, error: Exception) -> Response:
        """The page for an error with a name: Elasticsearch or the archive away, wrong settings."""
        assert isinstance(error, NewsError)
        log.warning("%s: %s", request.url.path, error.message)
        passing = not isinstance(error, FatalError)
        if passing:
            with self._lock:
                self._opened = None  # the embedded node may come back on another port
        status = HTTPStatus.SERVICE_UNAVAILABLE if passing else HTTPStatus.INTERNAL_SERVER_ERROR
        hint = error.hint or ("Try again in a moment." if passing else "")
        return self._error(request, status, error.message, hint, None, {"Retry-After": "10"} if passing else None)

    def broken(self, request: Request, error: Exception) -> Response:
        """The page for a fault of ours; the log has the rest."""
        log.error("%s failed", request.url.path, exc_info=error)
        said = "This page failed, by a fault of the program. The log of the server says more."
        return self._error(request, HTTPStatus.INTERNAL_SERVER_ERROR, said, "", None, None)

    def _error(
        self,
        request: Request,
        status: int,
        said: str,
        hint: str,
        link: str | None,
        headers: Mapping[str, str] | None,
    ) -> Response:
        response = self._page(
            request, "error.html", status, said=said, hint=hint, link=link, title=HTTPStatus(status).phrase
        )
        response.headers.update(headers or {})
        return response

    # ----------------------------------------------------------------------------------------- parts

    def _services(self) -> Services:
        with self._lock:
            if self._opened is None:
                self._opened = self._factory()
            return self._opened

    def _count(self, client: Elasticsearch, index: str, query: Mapping[str, Any]) -> int:
        answer = index_client.call(
            lambda: client.count(index=index, ignore_unavailable=True, query=query), wait_seconds=_WAIT_SECONDS
        )
        return int(answer["count"])

    def _document(self, services: Services, document_id: str) -> dict[str, Any]:
        document = get_document(_quick(services), document_id, prefix=services.prefix)
        if document is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no article {document_id!r} in the index.")
        return document

    def _page(self, request: Request, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
        base = self._base_path or request.scope.get("root_path", "")

        def to(path: str, **parameters: Any) -> str:
            given = {name: value for name, value in parameters.items() if value is not None}
            return f"{base}{quote(path)}" + (f"?{urlencode(given)}" if given else "")

        html = self._templates.get_template(template).render(to=to, **values)
        # Headers here too: an answer to a fault of ours comes from outside the middleware.
        return HTMLResponse(html, status, headers={**HEADERS, "Cache-Control": "private, no-cache"})


def _quick(services: Services) -> Elasticsearch:
    return services.elasticsearch.options(request_timeout=15)


def _kibana() -> str:
    """The address of the Kibana that belongs to this installation, if one is set."""
    return views.harmless_url(os.environ.get("KIBANA_URL")) or ""


def _neighbours(page: int, last: int) -> list[int | None]:
    """The pages to offer: first, last, and those around this one; None for a gap."""
    wanted = sorted({1, last, *(number for number in range(page - 2, page + 3) if 1 <= number <= last)})
    offered: list[int | None] = []
    for number in wanted:
        if offered and number - (offered[-1] or 0) > 1:
            offered.append(None)
        offered.append(number)
    return offered


def _known_addresses(document: Mapping[str, Any], history: Mapping[str, Any]) -> dict[str, ArchiveAddress]:
    """The archived records of this article by digest. No other record can be asked for."""
    known = [event["archive"] for event in history["runs"]] + [document.get("archive")]
    return {address["digest"]: ArchiveAddress(**address) for address in known if address}


def _versions(history: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The different records from which the article was read, oldest first."""
    seen: dict[str, dict[str, Any]] = {}
    for event in history["runs"]:
        if event["archive"] and event["outcome"] in ("indexed", "updated", "unchanged", "duplicate"):
            seen.setdefault(
                event["archive"]["digest"],
                {"digest": event["archive"]["digest"], "ref": event["ref"], "at": event["discovered_at"]},
            )
    return list(seen.values())

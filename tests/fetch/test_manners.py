"""robots.txt, turns, pauses, retries: how sites are treated."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import stamina
from newsworld.server import NewsServer, Reply

from pipeline.errors import ArticleError, ArticleFailed, Reason
from pipeline.fetch import PoliteWeb, load
from pipeline.fetch.politeness import LONGEST_REST_SECONDS, Politeness
from pipeline.models import ArticleRef, ItemResult, RawPage
from pipeline.settings import FetchSettings

MakeWeb = Callable[..., PoliteWeb]


def reason_of(web: PoliteWeb, url: str) -> Reason:
    with pytest.raises(ArticleError) as error:
        web.get(url)
    return error.value.reason


async def everything_here(host: str) -> Sequence[str]:
    return ["127.0.0.1"]


ROBOTS = b"""
User-agent: *
Disallow: /private/
Allow: /private/open
Disallow: /*.print$

User-agent: news-pipeline
Disallow: /not-for-us
Crawl-delay: 0.2
"""


def test_what_robots_txt_forbids_is_not_requested(server: NewsServer, web: PoliteWeb) -> None:
    """The group for our name counts, by RFC 9309; what it forbids is rejected and never asked for."""
    server.on("/robots.txt", Reply(body=ROBOTS, content_type="text/plain"))
    server.on("*", b"<p>page")
    assert reason_of(web, server.url("/not-for-us/a")) is Reason.ROBOTS_DENIED
    web.get(server.url("/private/a"))  # only forbidden to others
    assert server.paths() == ["/robots.txt", "/private/a"]


def test_the_general_group_counts_where_none_is_ours(server: NewsServer, make_web: MakeWeb) -> None:
    """A crawler that robots.txt doesn't name obeys the group for all; the longest match wins."""
    web = make_web(user_agent="other-name/1.0")
    server.on("/robots.txt", Reply(body=ROBOTS, content_type="text/plain"))
    server.on("*", b"<p>page")
    assert reason_of(web, server.url("/private/a")) is Reason.ROBOTS_DENIED
    assert reason_of(web, server.url("/a.print")) is Reason.ROBOTS_DENIED
    assert web.get(server.url("/private/open")).status == 200


def test_a_redirect_into_a_forbidden_place_is_not_followed(server: NewsServer, web: PoliteWeb) -> None:
    """robots.txt holds for every hop, on whatever host it is."""
    server.on("/robots.txt", Reply(body=b"User-agent: *\nDisallow: /private", content_type="text/plain"))
    url = server.on("/a", Reply(status=302, headers={"location": "/private/b"}))
    assert reason_of(web, url) is Reason.ROBOTS_DENIED
    assert "/private/b" not in server.paths()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_no_robots_txt_allows_everything(status: int, server: NewsServer, web: PoliteWeb) -> None:
    """RFC 9309 2.3.1.3: a robots.txt that is 'unavailable' (4xx) forbids nothing."""
    server.on("/robots.txt", Reply(status=status))
    assert web.get(server.on("/a", b"<p>a")).status == 200


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_an_unreachable_robots_txt_forbids_everything(status: int, server: NewsServer, web: PoliteWeb) -> None:
    """RFC 9309 2.3.1.4: while robots.txt can't be had (5xx; we count 429 too), nothing is asked for."""
    server.on("/robots.txt", Reply(status=status))
    assert reason_of(web, server.on("/a", b"<p>a")) is Reason.ROBOTS_UNREACHABLE
    assert server.paths() == ["/robots.txt"]


def test_robots_txt_may_redirect_and_be_large(server: NewsServer, web: PoliteWeb) -> None:
    """Redirects of robots.txt are followed; of a huge one the first half megabyte counts."""
    server.on("/robots.txt", Reply(status=301, headers={"location": "/other/robots.txt"}))
    body = b"User-agent: *\nDisallow: /private\n" + b"# filler\n" * 200_000
    server.on("/other/robots.txt", Reply(body=body, content_type="text/plain"))
    assert reason_of(web, server.on("/private/a", b"<p>a")) is Reason.ROBOTS_DENIED
    assert web.get(server.on("/a", b"<p>a")).status == 200


def test_robots_txt_is_kept_for_a_day_on_disk(server: NewsServer, make_web: MakeWeb) -> None:
    """A day long nobody on this machine asks for it again, then it is read anew, and old rules bridge an outage."""
    now = [time.time()]
    server.on("/robots.txt", Reply(body=b"User-agent: *\nDisallow: /private", content_type="text/plain"))
    server.on("*", b"<p>page")
    make_web(clock=lambda: now[0]).get(server.url("/a"))
    make_web(clock=lambda: now[0]).get(server.url("/b"))
    assert server.paths().count("/robots.txt") == 1
    now[0] += 25 * 3600
    server.on("/robots.txt", Reply(status=500))
    web = make_web(clock=lambda: now[0])
    assert web.get(server.url("/c")).status == 200
    assert reason_of(web, server.url("/private/a")) is Reason.ROBOTS_DENIED
    assert server.paths().count("/robots.txt") == 2


def gaps(server: NewsServer, *hosts: str) -> list[float]:
    times = [seen.at for seen in server.seen if seen.host in hosts]
    return [later - earlier for earlier, later in pairwise(times)]


def test_one_domain_sees_one_request_at_a_time_with_a_pause(server: NewsServer, make_web: MakeWeb) -> None:
    """All hosts of a registered domain share one turn, robots.txt and redirects included."""
    web = make_web(delay_seconds=0.15, resolve=everything_here)
    hosts = ("www.paper.example", "sport.paper.example")
    server.on("*", lambda seen: Reply(body=b"<p>page", wait=0.05))
    refs = [ArticleRef(source_id="s", url=server.url(f"/{n}", hosts[n % 2])) for n in range(5)]
    results = list(load(refs, settings=web.settings, politeness_dir=Path("unused"), web=web))
    assert sum(isinstance(result, RawPage) for result in results) == 5
    assert min(gaps(server, *hosts)) >= 0.15
    assert max(server.busiest.values()) == 1


def test_crawl_delay_and_the_sources_own_delay(server: NewsServer, make_web: MakeWeb) -> None:
    """The pause is the source's own where it has one, and never shorter than the crawl-delay of robots.txt."""
    server.on("/robots.txt", Reply(body=b"User-agent: *\nCrawl-delay: 0.3", content_type="text/plain"))
    server.on("*", b"<p>page")
    web = make_web(delay_seconds=60)
    refs = [ArticleRef(source_id="s", url=server.url(f"/{n}")) for n in range(3)]
    list(load(refs, settings=web.settings, politeness_dir=Path("unused"), web=web, delays={"s": 0.01}))
    page_gaps = gaps(server, "127.0.0.1")[1:]
    assert len(page_gaps) == 2
    assert min(page_gaps) >= 0.3


def _fetch_all(urls: list[str], directory: Path, settings: FetchSettings, together: Any) -> None:
    together.wait(60)
    refs = [ArticleRef(source_id="s", url=url) for url in urls]
    list(load(refs, settings=settings, politeness_dir=directory))


def test_processes_share_the_turns(server: NewsServer, tmp_path: Path, fetch_settings: FetchSettings) -> None:
    """Two tasks of one machine that read the same site keep to one request at a time and the pause between."""
    server.on("*", lambda seen: Reply(body=b"<p>page", wait=0.02))
    settings = fetch_settings.model_copy(update={"delay_seconds": 0.1})
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    workers = [
        context.Process(
            target=_fetch_all, args=([server.url(f"/{n}/{i}") for i in range(6)], tmp_path, settings, together)
        )
        for n in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert len([path for path in server.paths() if path != "/robots.txt"]) == 12
    assert min(gaps(server, "127.0.0.1")) >= 0.1
    assert server.busiest["127.0.0.1"] == 1


def test_what_may_pass_is_tried_again(server: NewsServer, web: PoliteWeb) -> None:
    """Server errors and broken connections get another try; what won't change does not."""
    stamina.set_testing(True, attempts=3)
    answers = iter([Reply(status=502), Reply(raw=b""), Reply(body=b"<p>at last")])
    assert web.get(server.on("/flaky", lambda seen: next(answers))).body == b"<p>at last"
    reason_of(web, server.on("/gone", Reply(status=410)))
    reason_of(web, server.on("/always", Reply(status=500)))
    assert [server.paths().count(path) for path in ("/flaky", "/gone", "/always")] == [3, 1, 3]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.HTTP_401), (403, Reason.HTTP_403), (404, Reason.HTTP_404), (410, Reason.HTTP_410),
        (418, Reason.HTTP_4XX),
        (429, Reason.HTTP_429), (500, Reason.HTTP_5XX), (503, Reason.HTTP_5XX), (300, Reason.HTTP_OTHER), (204, None),
    ],
)  # fmt: skip
def test_every_status_has_its_reason(status: int, reason: Reason | None, server: NewsServer, web: PoliteWeb) -> None:
    """What a site answered can be told from the reason."""
    url = server.on("/a", Reply(status=status))
    if reason is None:
        assert web.get(url).status == status
    else:
        assert reason_of(web, url) is reason


def test_a_host_that_asks_for_a_pause_gets_it(server: NewsServer, make_web: MakeWeb) -> None:
    """After 429 with Retry-After nothing is asked of the domain until then; afterwards it is asked again."""
    now = [time.time()]
    web = make_web(clock=lambda: now[0])
    busy = server.on("/busy", Reply(status=429, headers={"retry-after": "3600"}))
    fine = server.on("/fine", b"<p>fine")
    assert reason_of(web, busy) is Reason.HTTP_429
    assert reason_of(web, fine) is Reason.HOST_RESTING
    assert reason_of(make_web(clock=lambda: now[0]), fine) is Reason.HOST_RESTING  # another process knows too
    assert "/fine" not in server.paths()
    now[0] += 3601
    assert web.get(fine).status == 200


def test_a_dead_host_rests_longer_and_longer_but_never_for_ever(tmp_path: Path) -> None:
    """Failures in a row make growing pauses with an upper bound; one answer ends them."""
    import asyncio

    now = [1_000_000.0]
    rests = []
    reasons: set[Reason] = set()

    async def fail_many_times() -> None:
        turns = Politeness(tmp_path, clock=lambda: now[0], max_wait_seconds=1)
        for _ in range(20):
            async with turns.turn("dead.example", "www.dead.example", delay_seconds=0) as turn:
                turn.failed()
            started = now[0]
            while True:
                try:
                    async with turns.turn("dead.example", "www.dead.example", delay_seconds=0):
                        break
                except ArticleFailed as error:
                    reasons.add(error.reason)
                    now[0] += 60
            rests.append(now[0] - started)
        async with turns.turn("dead.example", "www.dead.example", delay_seconds=0) as turn:
            turn.answered()
        async with turns.turn("dead.example", "www.dead.example", delay_seconds=0):
            pass

    asyncio.run(fail_many_times())
    assert reasons == {Reason.HOST_RESTING}
    assert rests[:2] == [0, 0]  # patience first
    assert rests == sorted(rests)
    assert rests[3] > rests[2] > 0
    assert rests[-1] == LONGEST_REST_SECONDS


def test_one_dead_host_does_not_silence_its_domain(server: NewsServer, make_web: MakeWeb) -> None:
    """Other hosts of the same domain are still read."""

    async def resolve(host: str) -> Sequence[str]:
        if host.startswith("dead"):
            raise OSError("no such name")
        return ["127.0.0.1"]

    web = make_web(resolve=resolve)
    server.on("*", b"<p>page")
    reasons = [reason_of(web, server.url(f"/{n}", "dead.paper.example")) for n in range(5)]
    assert reasons[0] is Reason.DNS
    assert web.get(server.url("/a", "www.paper.example")).status == 200


def test_unchanged_pages_are_asked_for_by_their_version(server: NewsServer, make_web: MakeWeb) -> None:
    """A page with known validators is asked whether it changed; 304 ends as unchanged, with the document's id."""
    from pipeline.fetch import Validators
    from pipeline.models import OutcomeKind
    from pipeline.urls import canonicalize, document_id

    def page(seen: object) -> Reply:
        same = getattr(seen, "headers", {}).get("if-none-match") == '"v1"'
        return Reply(status=304) if same else Reply(body=b"<p>page", headers={"etag": '"v1"'})

    url = server.on("/a", page)
    id_ = document_id(canonicalize(url))
    web = make_web()
    ref = ArticleRef(source_id="s", url=url)

    def one(**more: object) -> RawPage | ItemResult:
        return next(load([ref], settings=web.settings, politeness_dir=Path("unused"), web=web, **more))  # type: ignore[arg-type]

    assert isinstance(one(), RawPage)
    result = one(validators={id_: Validators(etag='"v1"')})
    assert isinstance(result, ItemResult)
    assert (result.outcome.kind, result.outcome.reason) == (OutcomeKind.UNCHANGED, Reason.NOT_MODIFIED)
    assert result.document_id == id_
    assert isinstance(one(validators={id_: Validators(etag='"v0"')}), RawPage)

"""Three scheduled runs over the whole news world, into a real Elasticsearch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpcore2
import pytest
import stamina
from installation import Installation, installation_in

from newsworld.server import NewsServer
from newsworld.world import ADDRESSES, World, host_name, resolve
from pipeline.run import run_now
from pipeline.schedule import RunRequest
from pipeline.urls import canonicalize, registered_domain_of_host

DELAY = 0.1
START = datetime(2024, 5, 10, tzinfo=UTC)


@pytest.fixture
def world() -> Iterator[World]:
    with NewsServer(ADDRESSES) as server:
        yield World(server)


@pytest.fixture
def installation(tmp_path: Path, elasticsearch_url: str, world: World) -> Iterator[Installation]:
    settings = {
        "NEWS_EXTRACT__WORKERS": "0",
        "NEWS_FETCH__ALLOW_LOOPBACK": "true",
        "NEWS_FETCH__CONTACT": "https://operator.example/bot",
        "NEWS_FETCH__DELAY_SECONDS": str(DELAY),
        "NEWS_FETCH__TIMEOUT_SECONDS": "3",
        "NEWS_FETCH__TOTAL_TIMEOUT_SECONDS": "3",
        "NEWS_FETCH__MAX_BYTES": "1000000",
    }
    with installation_in(tmp_path, elasticsearch_url, **settings) as made:
        made.write_config(sources=world.source_entries())
        yield made


def scheduled_run(installation: Installation, hour: int) -> dict[str, Any]:
    services = installation.services(now=lambda: START + timedelta(hours=hour))
    sources = installation.sources()
    return run_now(services, RunRequest(source_ids=tuple(s.id for s in sources)), sources, kind="news run")


@pytest.mark.allow_hosts(list(ADDRESSES))
def test_every_good_article_once_and_no_site_harmed(
    world: World, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over three runs each good article is indexed exactly once, corrected where its paper corrected it, kept where
    the paper removed it; no host sees two requests closer than the delay or at a time, nothing forbidden is asked
    for, nobody connects to a private address, and each trouble ends with its own reason."""
    connected: list[str] = []

    connect = httpcore2.AnyIOBackend.connect_tcp

    async def recorded(self: httpcore2.AnyIOBackend, host: str, *rest: Any, **more: Any) -> Any:
        connected.append(host)
        if not host.startswith("127.0.0."):
            raise httpcore2.ConnectError("recorded, not connected")
        return await connect(self, host, *rest, **more)

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", recorded)
    monkeypatch.setattr("pipeline.fetch.web.resolve_by_system", resolve)
    stamina.set_testing(True, attempts=3)
    try:
        first = scheduled_run(installation, 0)
        good = world.good_stories()
        assert len(good) == 36 * 3
        expected = {canonicalize(world.story_url(story)): story.title for story in good}
        assert headlines(installation) == expected
        assert first["outcomes"]["indexed"] == len(good)
        assert {key: count for key, count in first["reasons"].items() if key in TROUBLE} == TROUBLE

        corrected = [world.papers[host_name(n)].stories[0] for n in (1, 17, 23, 27)]  # one of each kind of listing
        removed = world.papers[host_name(2)].stories[1]
        for story in corrected:
            world.correct(story)
        world.remove(removed)
        new = world.publish(host_name(3), "late-edition")
        second = scheduled_run(installation, 1)
        expected |= {canonicalize(world.story_url(story)): story.title for story in [*corrected, new]}
        assert headlines(installation) == expected  # the removed article is still there
        assert (second["outcomes"]["indexed"], second["outcomes"]["updated"]) == (1, len(corrected))
        asked = len(world.server.seen)
        third = scheduled_run(installation, 2)
        assert headlines(installation) == expected
        assert (third["outcomes"]["indexed"], third["outcomes"]["updated"]) == (0, 0)
        assert not [seen for seen in world.server.seen[asked:] if "/news/story" in seen.path]  # nothing fetched again
    finally:
        stamina.set_testing(False)

    assert not {(seen.host, seen.path.partition("?")[0]) for seen in world.server.seen} & world.forbidden
    by_domain: defaultdict[str, list[float]] = defaultdict(list)
    for seen in world.server.seen:
        by_domain[registered_domain_of_host(seen.host) or seen.host].append(seen.at)
    assert len(by_domain) == len(ADDRESSES)
    closest = min(later - earlier for times in by_domain.values() for earlier, later in pairwise(times))
    assert closest >= DELAY
    assert max(world.server.busiest.values()) == 1
    assert set(connected) == set(ADDRESSES)


TROUBLE = {
    "rejected(robots_denied)": 36,
    "rejected(section_page)": 36,
    "failed(http_404)": 36,
    "rejected(too_large)": 3,
    "failed(too_many_redirects)": 1,
    "rejected(binary)": 1,
    "rejected(private_address)": 2,
    "rejected(scheme_not_allowed)": 1,
    "failed(timeout)": 1,
    "failed(http_429)": 1,
    "rejected(home_page)": 1,
    "rejected(not_html)": 1,
}


def headlines(installation: Installation) -> dict[str, str]:
    """What is indexed, by canonical URL. An address that stands there twice would fail in ``documents``."""
    documents = list(installation.documents().values())
    found = {document["canonical_url"] or document["url"]: document["headline"] for document in documents}
    assert len(found) == len(documents)
    return {canonicalize(url): headline for url, headline in found.items()}

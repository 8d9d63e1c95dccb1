"""Every URL asked for or turned away leaves one event with its reason, in ECS names."""

from __future__ import annotations

import logging

import pytest
from newsworld.server import NewsServer, Reply

from pipeline.errors import ArticleError
from pipeline.fetch import PoliteWeb


def test_each_url_leaves_one_event_with_its_reason(
    server: NewsServer, web: PoliteWeb, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads the log knows of each URL whether it came, and why not."""
    caplog.set_level(logging.DEBUG, "pipeline.fetch")
    server.on("/robots.txt", Reply(body=b"User-agent: *\nDisallow: /private", content_type="text/plain"))
    cases = {
        server.on("/a", b"<p>a"): None,
        server.on("/gone", Reply(status=410)): "http_410",
        server.url("/private"): "robots_denied",
        "http://10.0.0.1/": "private_address",
        "ftp://paper.example/": "scheme_not_allowed",
        server.on("/large", b"x" * 300_000): "too_large",
    }
    for url, reason in cases.items():
        if reason is None:
            web.get(url, source_id="paper")
        else:
            with pytest.raises(ArticleError):
                web.get(url, source_id="paper")
    events = [vars(record) for record in caplog.records if vars(record).get("event.action") == "fetch"]
    assert {event["url.full"]: event.get("event.reason") for event in events} == cases
    assert len(events) == len(cases)
    for event in events:
        assert event["event.outcome"] == ("success" if event.get("event.reason") is None else "failure")
        assert event["news.source.id"] == "paper"
        assert event["event.duration"] >= 0
    assert events[0]["http.response.status_code"] == 200

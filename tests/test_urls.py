from __future__ import annotations

import socket

import pytest

from pipeline.errors import Reason
from pipeline.urls import (
    believable_canonical,
    canonicalize,
    content_id,
    document_id,
    looks_like_article,
    registered_domain,
    request_url,
    without_credentials,
)

CANONICAL = [
    ("HTTP://Example.COM:80/a", "https://example.com/a"),
    ("https://example.com:443/a", "https://example.com/a"),
    ("http://example.com:8080/a", "http://example.com:8080/a"),
    ("https://example.com", "https://example.com/"),
    ("https://example.com./a", "https://example.com/a"),
    ("https://user:secret@example.com/a", "https://example.com/a"),
    ("https://example.com/a#comments", "https://example.com/a"),
    ("https://example.com/app#!/story/5", "https://example.com/app#!/story/5"),
    ("https://example.com/a/./b/../c", "https://example.com/a/c"),
    ("https://example.com//a//b", "https://example.com/a/b"),
    ("https://example.com/%7Eann/%e4%bd%a0", "https://example.com/~ann/%E4%BD%A0"),
    ("https://example.com/你", "https://example.com/%E4%BD%A0"),
    ("https://example.com/a%2Fb", "https://example.com/a%2Fb"),
    ("https://example.com/100%", "https://example.com/100%25"),
    ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
    ("https://example.com/a?b=2&a=1", "https://example.com/a?a=1&b=2"),
    ("https://example.com/a?utm_source=x&utm_medium=y&fbclid=z&gclid=1&id=7", "https://example.com/a?id=7"),
    ("https://example.com/a?PHPSESSID=abc&p=1", "https://example.com/a?p=1"),
    ("https://example.com/a;jsessionid=1F2E?p=1", "https://example.com/a?p=1"),
    ("https://example.com/a?ref=rss", "https://example.com/a"),
    ("https://example.com/a?ref=4711", "https://example.com/a?ref=4711"),
    ("https://example.com/?12345", "https://example.com/?12345"),
    ("https://example.com/a?x=", "https://example.com/a?x="),
    ("https://m.example.com/a", "https://example.com/a"),
    ("https://en.m.example.org/a", "https://en.example.org/a"),
    ("https://amp.example.co.uk/a", "https://example.co.uk/a"),
    ("https://example.com/amp/a-long-story", "https://example.com/a-long-story"),
    ("https://example.com/news/storm-hits-the-coast-again/amp/", "https://example.com/news/storm-hits-the-coast-again"),
    ("https://example.com/news/story.amp.html", "https://example.com/news/story.html"),
    ("https://example.com/technology/amp", "https://example.com/technology/amp"),
    ("https://example.com/a?amp=1", "https://example.com/a"),
    ("https://www.google.com/amp/s/www.example.com/a", "https://www.example.com/a"),
    ("https://www-example-com.cdn.ampproject.org/c/s/www.example.com/a", "https://www.example.com/a"),
    ("  https://example.com/a \n", "https://example.com/a"),
    ("https:\\\\example.com\\a", "https://example.com/a"),
    ("http://0x7f.1:81/", "http://127.0.0.1:81/"),
    ("http://2130706433:81/", "http://127.0.0.1:81/"),
    ("http://[::FFFF:10.0.0.1]:81/", "http://[::ffff:a00:1]:81/"),
]


@pytest.mark.parametrize(("given", "expected"), CANONICAL)
def test_spellings_of_one_page_have_one_canonical_form(given: str, expected: str) -> None:
    """However a link to a page is written, it is the same article; and the canonical form is its own canonical form."""
    assert canonicalize(given) == expected
    assert canonicalize(expected) == expected


@pytest.mark.parametrize(
    "given",
    [
        "", "example.com/a", "/a", "ftp://example.com/a", "file:///etc/passwd", "gopher://x/", "data:text/html,x",
        "javascript:alert(1)",
        "mailto:a@example.com", "http://", "http:///a", "https://exa mple.com/", "http://a..b/", "http://example.com:99999/",
        "http://example.com:x/", "http://[::1/", "http://999.1.1.1/", "http://" + "a" * 300 + ".com/", "http://example.com/\ud800",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(given: str) -> None:
    """Anything but an absolute http(s) URL with a usable host is refused with ValueError and nothing else."""
    with pytest.raises(ValueError):  # noqa: PT011
        canonicalize(given)


def test_credentials_never_show() -> None:
    """User names and passwords in URLs appear neither in shown URLs, nor in requests, nor in error messages."""
    assert without_credentials("https://ann:s3cret@example.com/a@b") == "https://example.com/a@b"
    assert "s3cret" not in request_url("https://ann:s3cret@example.com/")
    for bad in ("https://ann:s3cret@/x", "ftp://ann:s3cret@example.com/", "https://ann:s3cret@exa mple.com/"):
        with pytest.raises(ValueError, match=r".") as error:
            canonicalize(bad)
        assert "s3cret" not in str(error.value)


def test_ids_ignore_what_sites_treat_alike() -> None:
    """http or https, www. or not, closing slash or not: one document. Other queries and paths: another."""
    same = {
        document_id(canonicalize(u))
        for u in ("http://www.example.com/a/", "https://example.com/a", "https://m.example.com/a?utm_source=t")
    }
    assert len(same) == 1
    assert document_id("https://example.com/a?p=1") != document_id("https://example.com/a?p=2")
    assert len(same.pop()) == 32
    assert content_id("abc") != document_id("abc")


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://news.bbc.co.uk/a", "bbc.co.uk"),
        ("https://a.blogspot.com/", "a.blogspot.com"),
        ("https://www.example.museum-of-nowhere/", "example.museum-of-nowhere"),
        ("http://127.0.0.1/", None),
        ("http://[::1]/", None),
        ("http://localhost/", None),
        ("not a url", None),
    ],
)
def test_registered_domains_come_from_the_packaged_list(
    url: str, domain: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registered domains follow the public suffix list, without any network."""

    def no_socket(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_socket)
    assert registered_domain(url) == domain


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.com/", Reason.HOME_PAGE),
        ("https://example.com/en/", Reason.HOME_PAGE),
        ("https://example.com/index.html", Reason.HOME_PAGE),
        ("https://example.com/?p=123", None),
        ("https://example.com/?12345", None),
        ("https://example.com/?utm_source=x", Reason.HOME_PAGE),
        ("https://example.com/tag/elections", Reason.SECTION_PAGE),
        ("https://example.com/author/ann-smith/", Reason.SECTION_PAGE),
        ("https://example.com/de/thema/klima", Reason.SECTION_PAGE),
        ("https://example.com/news/page/3", Reason.SECTION_PAGE),
        ("https://example.com/topics/2024/05/why-the-river-rose-so-fast", None),
        ("https://example.com/category/world/minister-resigns-after-vote-on-budget", None),
        ("https://example.com/video/goal-of-the-week", Reason.VIDEO_ONLY),
        ("https://www.youtube.com/watch?v=abc", Reason.VIDEO_ONLY),
        ("https://example.com/login?next=/a", Reason.LOGIN_PAGE),
        ("https://example.com/account/signin", Reason.LOGIN_PAGE),
        ("https://example.com/feed", Reason.NOT_AN_ARTICLE_URL),
        ("https://example.com/images/a.jpg", Reason.NOT_AN_ARTICLE_URL),
        ("https://example.com/report.pdf", Reason.NOT_AN_ARTICLE_URL),
        ("https://example.com/sport/story-1", None),
        ("https://example.com/world", None),
        ("https://example.com/2024/05/06/a-story", None),
        ("https://example.com/video-shows-bridge-collapse", None),
        ("https://example.com/news/the-login-that-broke-a-bank", None),
        ("nonsense", Reason.BAD_URL),
    ],
)
def test_only_what_is_surely_no_article_is_turned_away(url: str, reason: Reason | None) -> None:
    """Home, list, video and login pages are told by their addresses; whatever is in doubt is let through."""
    assert looks_like_article(url) == reason


@pytest.mark.parametrize(
    ("page", "stated", "believed"),
    [
        ("https://m.example.com/a?utm_source=x", "https://www.example.com/a", "https://www.example.com/a"),
        ("https://www.example.com/a", "/b", "https://www.example.com/b"),
        ("https://www.example.com/a", "https://www.example.com/", None),
        ("https://www.example.com/", "https://example.com/", "https://example.com/"),
        ("https://www.example.com/a", "https://evil.example.net/a", None),
        ("https://www.example.com/a", "https://www.example.com/tag/x", None),
        ("https://www.example.com/a", "javascript:void(0)", None),
        ("https://www.example.com/a", "", "https://www.example.com/a"),
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/b", "http://127.0.0.1:8000/b"),
        (None, "https://www.example.com/a", "https://www.example.com/a"),
        (None, "https://www.example.com/", None),
        (None, "/a", None),
    ],
)
def test_a_pages_own_address_is_believed_within_reason(page: str | None, stated: str, believed: str | None) -> None:
    """A canonical link counts on the page's own registered domain and when it is no home page."""
    assert believable_canonical(page, stated) == believed

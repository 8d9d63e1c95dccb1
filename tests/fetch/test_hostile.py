"""Addresses and answers that try to lead the fetcher where it must not go, or to bury it."""

from __future__ import annotations

import gzip
import logging
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Sequence

import brotli
import httpcore2
import pytest
from newsworld.server import NewsServer, Reply

from pipeline.errors import ArticleError, ConfigurationError, Reason
from pipeline.fetch import PoliteWeb

MakeWeb = Callable[..., PoliteWeb]


class Recorder(httpcore2.AsyncNetworkBackend):
    """The call that connects: writes down where to, and lets nothing but loopback through."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._real = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.asked.append(host)
        if not host.startswith("127."):
            raise httpcore2.ConnectError("recorded, not connected")
        return await self._real.connect_tcp(host, port, timeout, local_address, socket_options)


def reason_of(web: PoliteWeb, url: str) -> Reason:
    with pytest.raises(ArticleError) as error:
        web.get(url)
    return error.value.reason


PRIVATE_URLS = [
    "http://127.0.0.1/", "http://localhost/", "http://127.1/", "http://0x7f.1/", "http://0x7f000001/", "http://0177.0.0.1/",
    "http://2130706433/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:10.0.0.1]/", "http://10.0.0.1/",
    "http://167772161/", "http://192.168.0.1:8080/admin", "http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/",
    "http://[fd00:ec2::254]/", "http://[64:ff9b::a00:1]/", "http://100.64.0.1/", "http://0.0.0.0/", "http://0/", "http://224.0.0.1/",
    "http://%31%30.0.0.1/", "http://①⓪.0.0.1/", "https://user:pw@10.0.0.1/", "http:\\\\10.0.0.1\\x",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_no_connection_to_private_addresses_however_spelled(url: str, make_web: MakeWeb) -> None:
    """A URL of a private address, in whatever spelling, is rejected as such, and nobody tries to connect."""
    recorder = Recorder()
    web = make_web(connector=recorder, allow_loopback=False)
    assert reason_of(web, url) is Reason.PRIVATE_ADDRESS
    assert recorder.asked == []


@pytest.mark.parametrize("target", [*PRIVATE_URLS[8:], "//10.0.0.1/x", "http://internal.example/"])
def test_no_redirect_leads_to_a_private_address(target: str, server: NewsServer, make_web: MakeWeb) -> None:
    """Each hop of a redirect is checked like the first address."""
    recorder = Recorder()

    async def resolve(host: str) -> Sequence[str]:
        return ["10.1.2.3", "fd00::1"] if host == "internal.example" else [host]

    location = target.encode("utf-8").decode("latin-1")
    url = server.on("/story", Reply(status=302, headers={"location": location}))
    web = make_web(connector=recorder, resolve=resolve)
    assert reason_of(web, url) is Reason.PRIVATE_ADDRESS
    assert set(recorder.asked) == {"127.0.0.1"}


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "gopher://10.0.0.1:70/_x",
        "data:text/html,hello",
        "ftp://127.0.0.1/",
        "javascript:alert(1)",
    ],
)
def test_no_redirect_leads_to_another_scheme(target: str, server: NewsServer, web: PoliteWeb) -> None:
    """A redirect to anything but http(s) ends the way, and so does such a URL itself."""
    url = server.on("/story", Reply(status=301, headers={"location": target}))
    assert reason_of(web, url) is Reason.SCHEME_NOT_ALLOWED
    assert reason_of(web, target) is Reason.SCHEME_NOT_ALLOWED


def test_a_dns_answer_that_changes_does_not_matter(server: NewsServer, make_web: MakeWeb) -> None:
    """A name that is public when asked first and private when asked next is connected to by checked addresses only."""
    recorder = Recorder()
    answers = iter([["93.184.215.14"], ["127.0.0.1"], ["10.0.0.1"]])
    asked = []

    async def resolve(host: str) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    web = make_web(connector=recorder, resolve=resolve, allow_loopback=False)
    url = f"http://rebinding.example:{server.port}/story"
    assert reason_of(web, url) is Reason.CONNECTION  # the recorder refuses the public address
    assert reason_of(web, url.replace("/story", "/2").replace("rebinding", "a.rebinding")) is Reason.PRIVATE_ADDRESS
    assert reason_of(web, url.replace("rebinding", "b.rebinding")) is Reason.PRIVATE_ADDRESS
    assert recorder.asked == ["93.184.215.14"]
    assert len(asked) == 3
    assert server.seen == []


def test_mixed_dns_answers_use_the_public_one_only(make_web: MakeWeb) -> None:
    """Of several addresses of a name only the allowed ones are ever tried."""
    recorder = Recorder()

    async def resolve(host: str) -> Sequence[str]:
        return ["10.0.0.1", "::ffff:192.168.0.1", "8.8.8.8", "127.0.0.1"]

    reason_of(make_web(connector=recorder, resolve=resolve, allow_loopback=False), "http://mixed.example/")
    assert recorder.asked == ["8.8.8.8"]


def test_nothing_beyond_loopback_without_a_contact(server: NewsServer, make_web: MakeWeb) -> None:
    """Before any site is asked, the operator has to say who is asking; redirects can't get around that."""
    web = make_web(contact="")
    with pytest.raises(ConfigurationError, match=r"fetch\.contact"):
        web.get("https://news.example/story")
    url = server.on("/out", Reply(status=302, headers={"location": "https://news.example/story"}))
    assert reason_of(web, url) is Reason.EXCLUDED
    assert web.get(server.on("/fine", b"<p>fine")).body == b"<p>fine"


def test_the_user_agent_names_the_contact(server: NewsServer, web: PoliteWeb) -> None:
    """Sites see who asks and where to complain."""
    web.get(server.on("/a", b"<p>a"))
    assert server.seen[-1].headers["user-agent"] == "news-pipeline/0.1 (+https://operator.example/bot)"


def test_cookies_are_not_kept(server: NewsServer, web: PoliteWeb) -> None:
    """A site's cookie is never sent back."""
    url = server.on("/a", Reply(body=b"<p>a", headers={"set-cookie": "track=1; Path=/"}))
    web.get(url)
    web.get(url)
    assert all("cookie" not in seen.headers for seen in server.seen)


BOMB = b"<p>" + b"0" * 50_000_000


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", lambda data: brotli.compress(data, quality=1)),
        ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    ],
)
def test_compression_bombs_are_harmless(
    encoding: str, pack: Callable[[bytes], bytes], server: NewsServer, web: PoliteWeb
) -> None:
    """What unpacks to more than the limit is dropped while it unpacks: memory stays near the limit."""
    packed = pack(BOMB)
    url = server.on("/bomb", Reply(body=packed, headers={"content-encoding": encoding}))
    web.get(server.on("/warm-up", b"<p>x"))
    tracemalloc.start()
    assert reason_of(web, url) is Reason.TOO_LARGE
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(packed) + 8_000_000


def test_endless_bodies_end_at_the_limit(server: NewsServer, web: PoliteWeb) -> None:
    """Stated and unstated lengths beyond the limit are both too large."""
    stated = server.on("/stated", Reply(body=b"x", headers={"content-length": "999999999"}, cut=1))
    unstated = server.on(
        "/unstated", Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n" + b"x" * 1_000_000)
    )
    assert reason_of(web, stated) is Reason.TOO_LARGE
    assert reason_of(web, unstated) is Reason.TOO_LARGE


def test_headers_have_limits(server: NewsServer, web: PoliteWeb) -> None:
    """Headers without end are cut off, by size and by number."""
    large = server.on("/large", Reply(raw=b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000 + b"\r\n\r\n"))
    many = server.on("/many", Reply(raw=b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 5_000 + b"\r\n"))
    assert reason_of(web, large) is Reason.TOO_LARGE
    assert reason_of(web, many) is Reason.TOO_LARGE


def test_slow_drips_end_in_time(server: NewsServer, make_web: MakeWeb) -> None:
    """A body that comes byte by byte, each in time, still has to be whole by the total limit."""
    web = make_web(total_timeout_seconds=0.5, timeout_seconds=5)
    url = server.on("/drip", Reply(body=b"x" * 1000, drip=0.05))
    start = time.monotonic()
    assert reason_of(web, url) is Reason.TIMEOUT
    assert time.monotonic() - start < 5


def test_silence_ends_in_time(server: NewsServer, make_web: MakeWeb) -> None:
    """A server that accepts and says nothing is given up."""
    web = make_web(timeout_seconds=0.3)
    assert reason_of(web, server.on("/silent", Reply(wait=30))) is Reason.TIMEOUT


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"this is not HTTP at all\r\n\r\n", Reason.CONNECTION),
        (b"", Reason.CONNECTION),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 100\r\n\r\nhalf", Reason.CONNECTION),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-encoding: gzip\r\n\r\nnot gzip",
            Reason.BROKEN_COMPRESSION,
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-encoding: br\r\n\r\nnot brotli",
            Reason.BROKEN_COMPRESSION,
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-encoding: zstd\r\n\r\nnot zstd",
            Reason.BROKEN_COMPRESSION,
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: " + b"gzip, " * 50 + b"gzip\r\n\r\nx", Reason.BROKEN_COMPRESSION),
    ],
)
def test_broken_answers_have_their_reason(raw: bytes, reason: Reason, server: NewsServer, web: PoliteWeb) -> None:
    """Broken HTTP and broken compression are named, and stop nothing."""
    assert reason_of(web, server.on("/broken", Reply(raw=raw))) is reason
    assert web.get(server.on("/fine", b"<p>fine")).status == 200


def test_redirects_have_a_limit_and_loops_are_seen(server: NewsServer, web: PoliteWeb) -> None:
    """Circles end at once, long ways at the limit."""
    server.on("/a", Reply(status=302, headers={"location": "/b"}))
    server.on("/b", Reply(status=302, headers={"location": "/a#again"}))
    server.on("*", lambda seen: Reply(status=302, headers={"location": f"/next/{len(server.seen)}"}))
    assert reason_of(web, server.url("/a")) is Reason.TOO_MANY_REDIRECTS
    before = len(server.seen)
    assert reason_of(web, server.url("/endless")) is Reason.TOO_MANY_REDIRECTS
    assert len(server.seen) - before == 6


def test_credentials_are_neither_sent_nor_logged(
    server: NewsServer, web: PoliteWeb, caplog: pytest.LogCaptureFixture
) -> None:
    """User and password of a URL go nowhere: not to the site, not into events, not into answers."""
    caplog.set_level(logging.DEBUG)
    url = server.on("/a", b"<p>a").replace("http://", "http://ann:s3cret@")
    answer = web.get(url)
    assert "s3cret" not in answer.url + answer.final_url
    assert all("authorization" not in seen.headers for seen in server.seen)
    reason_of(web, url.replace("/a", "/missing"))
    assert not any("s3cret" in str(vars(record)) for record in caplog.records)

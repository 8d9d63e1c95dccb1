"""The news world: fifty host names on 127.0.0.x, most of them papers, some of them trouble."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from newsworld.server import NewsServer, Reply, Seen

HOSTS = 50
START = "2024-05-06T07:08:09Z"
ADDRESSES = tuple(f"127.0.0.{n}" for n in range(1, HOSTS + 1))
_WORDS = (
    *("harbour", "council", "bridge", "river", "teachers", "strike", "orchard", "market", "winter", "budget", "mayor"),
    *("railway", "storm", "library", "engineers", "hospital", "vote", "island", "ferry", "museum", "farmers", "court"),
)


@dataclass(slots=True)
class Story:
    """An article of one paper. ``text`` changes when it is corrected."""

    host: str
    path: str
    title: str
    text: str
    date: str = "Mon, 06 May 2024 07:08:09 GMT"
    corrected: str = ""


@dataclass(slots=True)
class Paper:
    """A site with a listing of one kind and its stories."""

    host: str
    kind: str
    stories: list[Story] = field(default_factory=list)


def host_name(number: int) -> str:
    return f"www.paper{number:02}.example"


async def resolve(host: str) -> Sequence[str]:
    """The world's DNS: each paper has an address of its own, and one name leads to where nobody may go."""
    if host == "internal.paper41.example":
        return ["10.0.0.7"]
    number = host.rpartition(".example")[0].rpartition("paper")[2]
    if not number.isdigit():
        raise OSError(f"no such host {host}")
    return [f"127.0.0.{int(number)}"]


def make_text(seed: str) -> str:
    """Three paragraphs that no other seed gives."""
    chance = random.Random(seed)
    sentences = [
        f"The {' '.join(chance.sample(_WORDS, 3))} report {chance.randrange(10**6)} was read to the town on Monday."
        for _ in range(9)
    ]
    return "\n".join(f"<p>{' '.join(sentences[i : i + 3])}</p>" for i in (0, 3, 6))


class World:
    """The papers, what they name, and how the trouble behaves."""

    def __init__(self, server: NewsServer) -> None:
        self.server = server
        self.papers: dict[str, Paper] = {}
        self.forbidden: set[tuple[str, str]] = set()
        self._flaky: set[str] = set()
        kinds = ["rss"] * 16 + ["atom"] * 6 + ["jsonfeed"] * 4 + ["sitemap"] * 6
        for number, kind in enumerate(kinds, start=1):
            self._add_paper(host_name(number), kind)
        for number in (33, 34):  # slow, but good
            self._add_paper(host_name(number), "rss", wait=0.3)
        for number in (35, 36):  # each page fails once
            self._add_paper(host_name(number), "rss", flaky=True)
        self._add_trouble()

    def source_entries(self) -> str:
        """sources.toml for this world: every host is a source."""
        entries = []
        for number in range(1, HOSTS + 1):
            host = host_name(number)
            paper = self.papers.get(host)
            sitemap = paper is not None and paper.kind == "sitemap"
            location = self.server.url("/" if sitemap else "/feed", host)
            kind = "sitemap" if sitemap else "feed"
            entries.append(f'[[source]]\nid = "paper{number:02}"\nkind = "{kind}"\nlocation = "{location}"\n')
        return "\n".join(entries)

    def good_stories(self) -> list[Story]:
        return [story for paper in self.papers.values() for story in paper.stories]

    def story_url(self, story: Story) -> str:
        return self.server.url(story.path, story.host)

    def correct(self, story: Story) -> None:
        """The paper changes a story, and its listing says so."""
        story.title += " (corrected)"
        story.text = make_text(f"corrected {story.host}{story.path}")
        story.corrected = "2024-05-08T00:00:00Z"

    def remove(self, story: Story) -> None:
        """The paper takes a story off its site and its listing."""
        self.papers[story.host].stories.remove(story)
        self.server.routes.pop((story.host, story.path))

    def publish(self, host: str, name: str) -> Story:
        story = Story(host, f"/news/{name}", f"{name} of {host}", make_text(f"{host} {name}"))
        self.papers[host].stories.insert(0, story)
        self._serve(story)
        return story

    def _add_paper(self, host: str, kind: str, *, wait: float = 0.0, flaky: bool = False) -> None:
        paper = self.papers[host] = Paper(host, kind)
        for number in range(1, 4):
            story = Story(host, f"/news/story-{number}", f"Story {number} of {host}", make_text(f"{host}{number}"))
            paper.stories.append(story)
            self._serve(story, wait=wait, flaky=flaky)
        robots = "User-agent: *\nDisallow: /private/\n"
        if kind == "sitemap":
            robots += f"Sitemap: {self.server.url('/sitemap.xml.gz', host)}\n"
        self.server.on("/robots.txt", Reply(body=robots.encode(), content_type="text/plain"), host)
        # Each paper also names something forbidden, something that is no article, and something that is gone.
        self.forbidden.add((host, "/private/draft"))
        self.server.on("/private/draft", Reply(body=b"<p>secret"), host)
        self.server.on(
            "/sitemap.xml.gz" if kind == "sitemap" else "/feed", lambda seen: self._listing(paper, seen), host
        )

    def _serve(self, story: Story, *, wait: float = 0.0, flaky: bool = False) -> None:
        def answer(seen: Seen) -> Reply:
            if flaky and story.path not in self._flaky:
                self._flaky.add(story.path)
                return Reply(status=502)
            tag = f'"{hash((story.title, story.text))}"'
            if seen.headers.get("if-none-match") == tag:
                return Reply(status=304, headers={"etag": tag})
            page = (
                f'<!doctype html><html lang="en"><head><title>{escape(story.title)}</title></head><body>'
                f"<nav>Home</nav><article><h1>{escape(story.title)}</h1>{story.text}</article></body></html>"
            )
            return Reply(body=page.encode(), headers={"etag": tag}, wait=wait)

        self.server.on(story.path, answer, story.host)

    def _listing(self, paper: Paper, seen: Seen) -> Reply:
        build = {"rss": self._rss, "atom": self._atom, "jsonfeed": self._json_feed, "sitemap": self._sitemap}[
            paper.kind
        ]
        body = build(paper)
        tag = f'"{hash(body)}"'
        if seen.headers.get("if-none-match") == tag:
            return Reply(status=304, headers={"etag": tag})
        return Reply(body=body, headers={"etag": tag}, content_type="application/octet-stream")

    def _links(self, paper: Paper) -> list[tuple[str, str, str]]:
        stories = [(f"{story.path}?utm_source=feed", story.title, story.corrected) for story in paper.stories]
        return [*stories, ("/private/draft", "Draft", ""), ("/tag/all", "All", ""), ("/news/gone", "Gone", "")]

    def _rss(self, paper: Paper) -> bytes:
        items = "".join(
            f"<item><title>{escape(t)}</title><link>{escape(p)}</link></item>" for p, t, _ in self._links(paper)
        )
        return f'<rss version="2.0"><channel><title>P</title>{items}</channel></rss>'.encode()

    def _atom(self, paper: Paper) -> bytes:
        items = "".join(
            f'<entry><title>{escape(t)}</title><link href="{escape(p)}"/><updated>{c or START}</updated></entry>'
            for p, t, c in self._links(paper)
        )
        return f'<feed xmlns="http://www.w3.org/2005/Atom">{items}</feed>'.encode()

    def _json_feed(self, paper: Paper) -> bytes:
        items = [{"id": p, "url": p, "title": t} for p, t, _ in self._links(paper)]
        return json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items}).encode()

    def _sitemap(self, paper: Paper) -> bytes:
        urls = "".join(
            f"<url><loc>{self.server.url(escape(p), paper.host)}</loc>{f'<lastmod>{c}</lastmod>' if c else ''}</url>"
            for p, _, c in self._links(paper)
        )
        return gzip.compress(f"<urlset>{urls}</urlset>".encode(), mtime=0)

    def _add_trouble(self) -> None:
        on, numbers = self.server.on, iter(range(37, HOSTS + 1))

        def trouble(reply: Reply | None, *, feed: Reply | None = None, robots: Reply | None = None) -> str:
            host = host_name(next(numbers))
            item = (
                b'<rss version="2.0"><channel><item><title>T</title><link>/news/trouble</link></item></channel></rss>'
            )
            on("/feed", feed or Reply(body=item, content_type="application/rss+xml"), host)
            on("/robots.txt", robots or Reply(status=404), host)
            if reply is not None:
                on("/news/trouble", reply, host)
            return host

        redirect = {"status": 302}
        trouble(Reply(body=b"<p>" + b"x" * 3_000_000))  # 37: huge
        trouble(Reply(**redirect, headers={"location": "/news/trouble"}))  # 38: in circles
        trouble(Reply(body=random.Random(1).randbytes(5000)))  # 39: says it is HTML
        trouble(Reply(**redirect, headers={"location": "http://169.254.169.254/latest/meta-data/"}))  # 40
        trouble(Reply(**redirect, headers={"location": "http://internal.paper41.example/admin"}))  # 41
        trouble(Reply(**redirect, headers={"location": "file:///etc/passwd"}))  # 42
        trouble(Reply(body=gzip.compress(b"<p>" + b"0" * 50_000_000), headers={"content-encoding": "gzip"}))  # 43
        trouble(Reply(body=b"x" * 1000, drip=0.05))  # 44: byte by byte
        trouble(Reply(raw=b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000))  # 45: headers without end
        trouble(None, feed=Reply(body=b"<!doctype html><html><body>Welcome</body></html>"))  # 46: a feed that is none
        silent = trouble(Reply(body=b"<p>never"), robots=Reply(status=500))  # 47: robots.txt in trouble
        self.forbidden |= {(silent, "/feed"), (silent, "/news/trouble")}
        trouble(Reply(status=429, headers={"retry-after": "3600"}))  # 48: wants a pause
        trouble(Reply(**redirect, headers={"location": "/"}))  # 49: the removed article that leads home
        on("/", Reply(body=b"<p>Home"), host_name(49))
        trouble(Reply(body=b"%PDF-1.4 x", content_type="application/pdf"))  # 50

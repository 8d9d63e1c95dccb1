"""Lists of URLs, and many sources at once."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from newsworld.server import NewsServer, Reply

from pipeline.discover import discover, discover_all
from pipeline.errors import Reason, SourceUnavailableError
from pipeline.fetch import PoliteWeb
from pipeline.models import ArticleRef, ItemResult, OutcomeKind, Source, SourceKind
from pipeline.settings import load_settings

NOW = datetime(2024, 6, 1, tzinfo=UTC)
LIST = (
    "\ufeff# our list\n\nhttps://paper.example/a\r\n  https://paper.example/b   a note\nhttps://paper.example/a?utm_source=x\n"
    "nonsense\nftp://paper.example/c\nhttps://paper.example/\nhttps://ann:s3cret@paper.example/d\n" + "x" * 9000 + "\n"
)
NAMED = ["https://paper.example/a", "https://paper.example/b", "https://paper.example/d"]
ENDED = [
    (OutcomeKind.DUPLICATE, None),
    (OutcomeKind.REJECTED, Reason.BAD_URL),
    (OutcomeKind.REJECTED, Reason.SCHEME_NOT_ALLOWED),
    (OutcomeKind.REJECTED, Reason.HOME_PAGE),
    (OutcomeKind.FAILED, Reason.BAD_URL),
]


def read(location: str, web: Any, base: Path = Path("/nowhere"), **fields: Any) -> list[ArticleRef | ItemResult]:
    source = Source(id="list", kind=SourceKind.URLS, location=location, **fields)
    return list(discover(source, window=None, base_dir=base, web=web, now=NOW, settings=load_settings({})))


def check(found: list[ArticleRef | ItemResult]) -> None:
    assert [item.url for item in found if isinstance(item, ArticleRef)] == NAMED
    assert [(i.outcome.kind, i.outcome.reason) for i in found if isinstance(i, ItemResult)] == ENDED
    assert "s3cret" not in repr(found)


def test_a_list_comes_from_a_file_from_input_or_from_the_web(
    tmp_path: Path, server: NewsServer, web: PoliteWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a list comes from, each line is a reference or has its reason; comments and blank lines are neither."""
    (tmp_path / "list.txt").write_text(LIST, encoding="utf-8", newline="")
    (tmp_path / "list.txt.gz").write_bytes(gzip.compress(LIST.encode()))
    check(read("list.txt", web, tmp_path))
    check(read("list.txt.gz", web, tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(LIST))
    check(read("-", web))
    check(read(server.on("/list.txt", Reply(body=LIST.encode(), content_type="text/plain")), web))


def test_a_list_that_can_not_be_read_is_the_sources_failure(server: NewsServer, web: PoliteWeb, tmp_path: Path) -> None:
    """A missing list, and a web page in a list's place, say so and what to do."""
    for location, reason in (("gone.txt", Reason.FILE_MISSING), (server.url("/gone.txt"), Reason.HTTP_404)):
        with pytest.raises(SourceUnavailableError) as error:
            read(location, web, tmp_path)
        assert error.value.reason is reason
    with pytest.raises(SourceUnavailableError, match="is a web page"):
        read(server.on("/", b"<html>"), web)


def test_patterns_and_domains_choose(tmp_path: Path, web: PoliteWeb) -> None:
    """include, exclude and domains hold for lists as for every source."""
    (tmp_path / "list.txt").write_text(
        "".join(f"https://{h}/{p}\n" for h in ("a.example", "b.example") for p in ("x/1", "y/1"))
    )
    found = read("list.txt", web, tmp_path, include=("*/x/*",), domains=("a.example",))
    assert [item.url for item in found if isinstance(item, ArticleRef)] == ["https://a.example/x/1"]
    assert {i.outcome.reason for i in found if isinstance(i, ItemResult)} == {Reason.EXCLUDED}
    assert len(read("list.txt", web, tmp_path, max_items=3)) == 3


def test_many_sources_are_asked_at_a_time(server: NewsServer, web: PoliteWeb, tmp_path: Path) -> None:
    """Slow sites are waited for together, the answers come in the order of the sources, and one failure is its own."""
    (tmp_path / "list.txt").write_text("https://paper.example/a\n")
    slow = Reply(body=b"https://paper.example/b\n", content_type="text/plain", wait=0.5)

    async def everywhere(host: str) -> list[str]:
        return ["127.0.0.1"]

    locations = [*(server.url("/slow.txt", f"site{n}.example") for n in range(8)), "gone.txt", "list.txt"]
    server.on("/slow.txt", slow)
    sources = [Source(id=f"s{n}", kind=SourceKind.URLS, location=location) for n, location in enumerate(locations)]
    with PoliteWeb(web.settings, tmp_path / "turns", resolve=everywhere) as wide:
        answers = list(
            discover_all(sources, window=None, base_dir=tmp_path, web=wide, now=NOW, settings=load_settings({}))
        )
    assert server.busiest_of_all >= 4
    assert max(server.busiest.values()) == 1
    assert [answer.source for answer in answers] == sources
    assert [len(answer.found) for answer in answers] == [1] * 8 + [0, 1]
    assert [answer.error is not None for answer in answers] == [False] * 8 + [True, False]

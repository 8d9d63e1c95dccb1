"""Extraction in worker processes: in order, within a time limit, whatever a page does."""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import pytest

from pipeline.errors import ArticleFailed, ArticleRejected, Reason
from pipeline.extract import worker
from pipeline.extract.worker import extract_all, worker_pool
from pipeline.models import Article, RawPage
from pipeline.settings import ExtractSettings

MakePage = Callable[..., RawPage]
MakeHtml = Callable[..., str]


def attempt(page: RawPage, settings: ExtractSettings) -> object:
    """What a worker does in these tests: hang, die, or extract."""
    if page.body == b"hang":
        time.sleep(600)
    if page.body == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    return worker._attempt(page, settings)


@pytest.mark.parametrize("workers", [0, 2])
def test_order_is_kept(make_page: MakePage, article_html: MakeHtml, workers: int) -> None:
    """Every page comes back once, in its order, with its article or its error."""
    pages = [make_page(article_html(title=f"Ferry number {n} runs again today")) for n in range(10)] + [make_page("")]
    results = list(extract_all(iter(pages), ExtractSettings(), workers=workers, timeout_seconds=30))
    assert [page for page, _, _ in results] == pages
    assert [result.headline for _, result, _ in results if isinstance(result, Article)] == [
        page_title(p) for p in pages[:10]
    ]
    assert isinstance(results[10][1], ArticleRejected)
    assert all(seconds >= 0 for _, _, seconds in results)


def page_title(page: RawPage) -> str:
    """The title that the test gave a page."""
    return page.body.decode().partition("<title>")[2].partition("</title>")[0]


def test_hanging_and_dying_pages_cost_only_themselves(
    make_page: MakePage, article_html: MakeHtml, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that hangs is ended at its limit, one that kills its worker is counted; the pages after them are extracted."""
    monkeypatch.setattr(worker, "_work", attempt)
    good = make_page(article_html())
    pages = [good, replace(good, body=b"hang"), good, replace(good, body=b"die"), good]
    results = [result for _, result, _ in extract_all(pages, ExtractSettings(), workers=1, timeout_seconds=2)]
    assert [isinstance(result, Article) for result in results] == [True, False, True, False, True]
    hung, dead = results[1], results[3]
    assert isinstance(hung, ArticleFailed)
    assert isinstance(dead, ArticleFailed)
    assert (hung.reason, dead.reason) == (Reason.EXTRACT_TIMEOUT, Reason.EXTRACT_ERROR)


def test_pages_are_read_as_they_are_needed(
    make_page: MakePage, article_html: MakeHtml, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of any length takes the memory of a few pages: no more large ones are read ahead than workers can use."""
    monkeypatch.setattr(worker, "_BYTES_AHEAD", 2_000)
    read = 0

    def pages() -> Iterator[RawPage]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield make_page(article_html())

    results = extract_all(pages(), ExtractSettings(), workers=1, timeout_seconds=30)
    next(results)
    assert read <= 5
    results.close()


def test_workers_can_be_kept_for_several_batches(make_page: MakePage, article_html: MakeHtml) -> None:
    """A pool serves one call after the other, also after one that was left in the middle, and ends with its context."""
    pages = [make_page(article_html(title=f"Ferry number {n} runs again today")) for n in range(60)]
    with worker_pool(1) as pool:
        left = extract_all(iter(pages), ExtractSettings(), workers=1, timeout_seconds=30, pool=pool)
        next(left)
        left.close()
        results = list(extract_all(iter(pages[:3]), ExtractSettings(), workers=1, timeout_seconds=30, pool=pool))
        assert [isinstance(result, Article) for _, result, _ in results] == [True] * 3
        [process] = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    assert not process.is_running()

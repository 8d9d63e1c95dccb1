"""Extraction of many pages in worker processes, each page within a time limit.

A page that hangs in a C library can't be interrupted inside its process; only ending the process helps. pebble's pool
does that and starts another worker. Workers are spawned, not forked: the caller may be a threaded or forked task.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, nullcontext
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from pipeline.errors import ArticleError, ArticleFailed, Reason
from pipeline.extract import extract
from pipeline.models import Article, RawPage
from pipeline.settings import ExtractSettings

_PAGES_PER_WORKER = 2_000  # then a fresh process: C libraries keep what they once took
_PAGES_AHEAD, _MOST_PAGES_AHEAD = 4, 50  # a worker
_BYTES_AHEAD = 8_000_000


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPool | None]:
    """Worker processes for several calls of ``extract_all``: starting one takes as long as 20 pages.

    They start with the first page and are gone when the context is left. None for ``workers=0``.
    """
    if workers <= 0:
        yield None
        return
    pool = ProcessPool(max_workers=workers, max_tasks=_PAGES_PER_WORKER, initializer=warm_up, context=_Context())
    try:
        yield pool
    finally:
        # Also when the caller stops in the middle: nothing may outlive the batch.
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def extract_all(
    pages: Iterable[RawPage],
    settings: ExtractSettings,
    *,
    timeout_seconds: float = 10,
    workers: int = 1,
    pool: ProcessPool | None = None,
) -> Generator[tuple[RawPage, Article | ArticleError, float], None, None]:
    """Extract ``pages`` and yield each with its article or its error and the seconds it took, in the order they came.

    A page that takes longer than ``timeout_seconds`` yields ArticleFailed(EXTRACT_TIMEOUT), one that kills its worker
    (memory, a crash in a C library) ArticleFailed(EXTRACT_ERROR); the worker is replaced and the others go on.
    Four pages a worker are read ahead, and up to 50 as long as all of them together are small (8 MB), so that the
    workers have something to do while the caller is busy with what it got. With ``workers=0`` all happens in this
    process, without a limit. ``pool``, of ``worker_pool`` with as many workers, is used where given and left running.
    """
    if workers <= 0:
        for page in pages:
            yield page, *_attempt(page, settings)
        return
    waiting: deque[tuple[RawPage, ProcessFuture[Attempt]]] = deque()
    ahead = 0
    with nullcontext(pool) if pool is not None else worker_pool(workers) as processes:
        assert processes is not None
        try:
            for page in pages:
                waiting.append((page, processes.schedule(_work, args=(page, settings), timeout=timeout_seconds)))
                ahead += len(page.body)
                while len(waiting) >= _PAGES_AHEAD * workers and (
                    ahead >= _BYTES_AHEAD or len(waiting) >= _MOST_PAGES_AHEAD * workers
                ):
                    ahead -= len(waiting[0][0].body)
                    yield _result(*waiting.popleft(), timeout_seconds)
            while waiting:
                yield _result(*waiting.popleft(), timeout_seconds)
        finally:
            for _, future in waiting:
                future.cancel()  # type: ignore[no-untyped-call]


class _Worker(SpawnProcess):
    """A spawned process that leaves the caller's main module alone.

    A spawned process imports it, for functions that were defined there; ours are not. And in a task of Airflow the
    main module is Airflow's command, which refuses to be imported there.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:
        with _MAIN_LOCK:
            main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
            try:
                return SpawnProcess._Popen(process_obj)
            finally:
                sys.modules["__main__"] = main


class _Context(SpawnContext):
    Process = _Worker


_MAIN_LOCK = threading.Lock()


def warm_up() -> None:
    """Load in a fresh worker what the first page would otherwise wait for."""
    import trafilatura  # noqa: F401

    import pipeline.extract.html
    import pipeline.extract.item  # noqa: F401


Attempt = tuple[Article | ArticleError, float]


def _attempt(page: RawPage, settings: ExtractSettings) -> Attempt:
    start = time.perf_counter()
    answer: Article | ArticleError
    try:
        answer = extract(page, settings=settings)
    except ArticleError as error:
        answer = error.with_traceback(None)
    return answer, time.perf_counter() - start


_work = _attempt  # what a worker does with a page; tests put something in its place


def _result(
    page: RawPage, future: ProcessFuture[Attempt], timeout_seconds: float
) -> tuple[RawPage, Article | ArticleError, float]:
    try:
        return page, *future.result()
    except FutureTimeout:
        error = ArticleFailed(Reason.EXTRACT_TIMEOUT, f"not done within {timeout_seconds:g} s")
        return page, error, timeout_seconds
    except ProcessExpired as expired:
        code = expired.exitcode
        return page, ArticleFailed(Reason.EXTRACT_ERROR, f"the worker process ended with exit code {code}"), 0.0
    except CancelledError:
        return page, ArticleFailed(Reason.EXTRACT_ERROR, "the worker pool was stopped"), 0.0

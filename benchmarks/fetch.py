"""How many pages a second are fetched from loopback, from 1, 20 and 200 hosts, with and without a pause.

Each measurement runs in a process of its own, so that the highest memory is that run's; the server runs in another. Run
it with ``python benchmarks/fetch.py``; the table goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

_TESTS = Path(__file__).resolve().parent.parent / "tests"
_PAGE_BYTES = 40_000


def serve(pipe: Connection) -> None:
    """Answer every request with a page, until the pipe closes."""
    sys.path.insert(0, str(_TESTS))
    from newsworld.server import NewsServer, Reply

    with NewsServer() as server:
        server.on("/robots.txt", Reply(status=404))
        server.on("*", b"<!doctype html><html><body><p>" + b"word " * (_PAGE_BYTES // 5) + b"</p></body></html>")
        pipe.send(server.port)
        while True:
            try:
                pipe.recv()
            except EOFError:
                return
            server.seen.clear()


async def resolve(_host: str) -> Sequence[str]:
    """Every name leads here."""
    return ["127.0.0.1"]


def measure(port: int, hosts: int, pages: int, delay: float) -> dict[str, float]:
    """Fetch ``pages`` of each host once; seconds, pages and the highest memory in bytes."""
    from pipeline.fetch import PoliteWeb, load
    from pipeline.models import ArticleRef, RawPage
    from pipeline.settings import FetchSettings

    logging.disable(logging.CRITICAL)
    settings = FetchSettings(contact="benchmark", allow_loopback=True, delay_seconds=delay, max_hosts=200)
    refs = [
        ArticleRef(source_id="benchmark", url=f"http://site{host}.example:{port}/story-{page}")
        for page in range(pages)
        for host in range(hosts)
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with tempfile.TemporaryDirectory() as folder, PoliteWeb(settings, Path(folder), resolve=resolve) as web:
        start = time.perf_counter()
        results = load(refs, settings=settings, politeness_dir=Path(folder), web=web)
        count = sum(isinstance(result, RawPage) for result in results)
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"pages": count, "seconds": seconds, "start_bytes": before, "peak_bytes": peak}


def main() -> None:
    """Measure all cases and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", help="hosts,pages,delay,port of one measurement; used by the script itself")
    given = parser.parse_args()
    if given.case:
        hosts, pages, delay, port = given.case.split(",")
        print(json.dumps(measure(int(port), int(hosts), int(pages), float(delay))))
        return
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    theirs.close()
    port = ours.recv()
    print("| Hosts | Pause | Pages | Seconds | Pages/s | Most the pause allows | Highest memory |")
    print("|------:|------:|------:|--------:|--------:|----------------------:|---------------:|")
    for delay, cases in ((0.0, ((1, 1000), (20, 100), (200, 10))), (1.0, ((1, 10), (20, 10), (200, 10)))):
        for hosts, pages in cases:
            case = f"{hosts},{pages},{delay},{port}"
            command = [sys.executable, __file__, "--case", case]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            ours.send("clear")
            got = json.loads(done.stdout)
            assert got["pages"] == hosts * pages, got
            most = f"{hosts / delay:,.0f}/s" if delay else "no limit"
            print(
                f"| {hosts} | {delay:g} s | {got['pages']:,.0f} | {got['seconds']:.1f} "
                f"| {got['pages'] / got['seconds']:,.0f} | {most} | {got['peak_bytes'] / 1e6:.0f} MB |"
            )
    ours.close()
    server.join(10)


if __name__ == "__main__":
    main()

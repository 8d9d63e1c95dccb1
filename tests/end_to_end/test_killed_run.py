"""A run that is killed while it works on a WARC file: the next one does the rest, and only the rest."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

from installation import Installation, article_page
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.ledger import Ledger

RECORDS = 400


def write_warc(path: Path) -> None:
    """A WARC file of RECORDS article pages, as a crawler leaves it."""
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for number in range(RECORDS):
            page = article_page(number).encode()
            headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            url = f"https://dunhaven-post.example/news/{number}"
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(page), http_headers=headers)
            )


def test_killed_half_way_the_next_run_does_only_the_rest(installation: Installation, tmp_path: Path) -> None:
    """Killed with -9 in the middle, started again at once: every record is indexed once, none worked on twice."""
    write_warc(tmp_path / "crawl.warc.gz")
    installation.write_config(
        f'[[source]]\nid = "crawl"\nkind = "warc"\nlocation = "{tmp_path / "crawl.warc.gz"}"\n',
        "[ingest]\nbatch_size = 100\n[index]\nbulk_documents = 20\n",
    )
    news = Path(sys.executable).parent / "news"
    process = subprocess.Popen(
        [news, "run", "crawl", "--json"], env=installation.environment, stdout=subprocess.DEVNULL
    )
    ledger = Ledger(f"sqlite:///{installation.home / 'ledger.sqlite'}")
    done = 0
    deadline = time.monotonic() + 120
    while done < RECORDS // 4:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
        if runs := ledger.runs():
            done = ledger.tally(runs[0].run_id).accounted
    process.kill()
    process.wait()
    (killed,) = ledger.runs()
    done = ledger.tally(killed.run_id).accounted
    assert RECORDS // 4 <= done < RECORDS

    report = installation.news_json("run", "crawl")
    assert report["discovered"] == RECORDS - done
    assert report["outcomes"]["indexed"] + report["outcomes"]["unchanged"] == RECORDS - done
    # What was written but not yet noted when the kill came is at most one bulk request.
    assert report["outcomes"]["unchanged"] <= 20
    assert len(installation.documents()) == RECORDS
    assert installation.news_json("run", "crawl")["discovered"] == 0

"""A month of three sources brought back by Airflow's own form, in a real browser, and by the command: the same index.

Usage: ``python benchmarks/backfill.py [--days 30] [--screenshots test-output] [--port 8455]``

A sitemap, a folder and a WARC file on this machine hold two articles for each day. In Chromium somebody logs in to a
real Airflow, looks at the preview, fills in the backfill form, watches the run list, pauses the backfill half-way and
goes on. Then `news backfill` does the same in an installation of its own, and `airflow backfill create` does the first
ten days once more. Prints figures; exit code 1 where the three don't leave the same articles.

Takes about a quarter of an hour on two cores: Airflow starts some five processes for each day.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "dags"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from airflow_pages import AirflowPages, airflow_pages
from installation import REPOSITORY, Installation, article_page
from newsworld.server import NewsServer
from newsworld.warcs import Record, write_warc
from playwright.sync_api import expect

from pipeline import localnode
from pipeline.ledger import RunRecord
from pipeline.localairflow import LocalAirflow, environment, running
from pipeline.localnode import NodeSettings
from pipeline.schedule import BACKFILL_POOL
from pipeline.settings import load_settings

DAG = "news_ingest.0_0_x_x_x"
FIRST = datetime(2026, 9, 1, tzinfo=UTC)
IDS = ("archive", "desk", "paper")


class Past:
    """Three sources on this machine. Empty at first, so that the live schedule has nothing to bring."""

    def __init__(self, root: Path, server: NewsServer) -> None:
        self.root, self.server = root, server
        self.sitemap = server.on("/sitemap.xml", self._listing([]))
        (root / "desk").mkdir()
        (root / "crawl.warc.gz").write_bytes(write_warc([])[0])

    def sources(self) -> str:
        return "\n".join(
            f'[[source]]\nid = "{id_}"\nkind = "{kind}"\nlocation = "{location}"\nschedule = "0 0 * * *"\n'
            for id_, kind, location in (
                ("archive", "warc", self.root / "crawl.warc.gz"),
                ("desk", "folder", self.root / "desk"),
                ("paper", "sitemap", self.sitemap),
            )
        )

    def fill(self, days: int) -> int:
        """Two articles a day for each source, at six in the morning and in the evening; how many there are."""
        entries: list[tuple[str, datetime]] = []
        records: list[Record] = []
        draw = random.Random(1)
        for number in range(days * 2):
            moment = FIRST + timedelta(hours=6 + 12 * number)
            words = "".join(f"<p>{' '.join(_word(draw) for _ in range(60)).capitalize()}.</p>" for _ in range(4))
            path = f"/news/{moment:%Y/%m/%d}/story-{number}.html"
            page = article_page(number, words=words).replace('<link rel="canonical"', '<link rel="nothing"')
            entries.append((self.server.on(path, page.encode()), moment))
            words = " ".join(_word(draw) for _ in range(150))
            file = self.root / "desk" / f"{number:03}.txt"
            file.write_text(f"Report {number} from the desk\n\n{words}.\n", encoding="utf-8")
            os.utime(file, (moment.timestamp(), moment.timestamp()))
            url = f"https://crawled.example/{moment:%Y/%m/%d}/{number}"
            page = article_page(1000 + number, words=" ".join(_word(draw) for _ in range(200))).replace(
                "canonical", "x"
            )
            records.append(Record(url, page.encode(), date=f"{moment:%Y-%m-%dT%H:%M:%SZ}"))
        self.server.on("/sitemap.xml", self._listing(entries))
        (self.root / "crawl.warc.gz").write_bytes(write_warc(records)[0])
        return days * 2 * len(IDS)

    def _listing(self, entries: list[tuple[str, datetime]]) -> bytes:
        urls = "".join(f"<url><loc>{url}</loc><lastmod>{at:%Y-%m-%dT%H:%M:%SZ}</lastmod></url>" for url, at in entries)
        return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()


def _word(draw: random.Random) -> str:
    return "".join(draw.choices("abcdefghilmnoprstuvw", k=draw.randint(3, 9)))


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def wait_for(what: str, answer: Callable[[], Any], seconds: float = 1800) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := answer():
            return found
        time.sleep(1)
    raise SystemExit(f"{what} did not happen within {seconds:.0f} s")


class Operator:
    """Who sits at the browser."""

    def __init__(self, pages: AirflowPages, airflow: LocalAirflow, installation: Installation, shots: Path) -> None:
        self.pages, self.airflow, self.installation, self.shots = pages, airflow, installation, shots

    def reports(self) -> list[RunRecord]:
        """The backfill's runs that have their report."""
        self._runs("backfill", "running")
        runs = self.installation.services().ledger.runs(limit=1000)
        return [run for run in runs if run.run_id.startswith(f"{DAG}/backfill") and run.report is not None]

    def look_at_the_preview(self, days: int, articles: int) -> None:
        form = self.pages.fill_run(DAG, FIRST, FIRST + timedelta(days=days), mode="refetch", preview=True)
        self.pages.screenshot(self.shots / "backfill-preview-form.png")
        self.pages.send(form)
        [run_id] = wait_for("the preview", lambda: self._runs("manual", "success"), 300)
        self.pages.page.goto(f"{self.airflow.url}/dags/{DAG}/runs/{run_id}/tasks/backfill.plan")
        expect(self.pages.page.get_by_text(f"{articles} articles to work on")).to_be_visible()
        self.pages.screenshot(self.shots / "backfill-preview.png")
        assert not self.installation.documents(), "a preview writes nothing"

    def send_the_backfill(self, days: int) -> None:
        form = self.pages.fill_backfill(DAG, FIRST, FIRST + timedelta(days=days - 1), mode="refetch")
        expect(form.get_by_text(f"{days} runs will be triggered.")).to_be_visible()
        self.pages.screenshot(self.shots / "backfill-form.png")
        self.pages.send(form)

    def watch(self, days: int) -> None:
        """The run list while it goes; paused half-way, nothing new begins; gone on with, it ends."""
        page = self.pages.page
        wait_for("half of the runs", lambda: len(self.reports()) >= days // 2)
        page.goto(f"{self.airflow.url}/dags/{DAG}/runs")
        expect(page.get_by_text("Backfill in progress")).to_be_visible()
        expect(page.get_by_text("Running").first).to_be_visible()
        self.pages.screenshot(self.shots / "backfill-progress.png")
        page.get_by_role("button", name="Pause backfill").click()
        expect(page.get_by_role("button", name="Unpause backfill")).to_be_visible()
        wait_for("the pause", lambda: not self._runs("backfill", "running"), 300)
        done = len(self.reports())
        time.sleep(15)
        assert len(self.reports()) == done < days, "paused, it goes on"
        self.pages.screenshot(self.shots / "backfill-paused.png")
        say(f"paused after {done} of {days} runs, and nothing began; going on")
        page.get_by_role("button", name="Unpause backfill").click()
        wait_for("the end of the backfill", lambda: len(self._runs("backfill", "success")) == days)
        page.goto(f"{self.airflow.url}/dags/{DAG}/runs")
        expect(page.get_by_text("Success").first).to_be_visible()
        self.pages.screenshot(self.shots / "backfill-done.png")

    def _runs(self, kind: str, state: str) -> list[str]:
        if self.airflow.revive():
            say("Airflow's scheduler had ended by itself; it is started again")
            self.airflow.wait_until_healthy(300)
        path = f"/api/v2/dags/{DAG}/dagRuns?limit=200&run_type={kind}&state={state}"
        found = self.airflow._request("GET", path).json()["dag_runs"]
        return [run["dag_run_id"] for run in found]

    def tasks(self) -> list[dict[str, Any]]:
        """The tasks of the backfill's runs that did something."""
        path = f"/api/v2/dags/{DAG}/dagRuns/~/taskInstances?limit=1000&state=success"
        found = self.airflow._request("GET", path).json()["task_instances"]
        return [task for task in found if task["dag_run_id"].startswith("backfill")]


def by_airflow(installation: Installation, past: Past, options: argparse.Namespace) -> dict[str, Any]:
    """The month by the form; then the first days once more by `airflow backfill create`."""
    settings = load_settings(installation.environment)
    variables = environment(settings, port=options.port, scheduled=True)
    for name in [name for name in os.environ if name.startswith(("NEWS_", "ELASTICSEARCH_", "AIRFLOW_"))]:
        del os.environ[name]
    os.environ.update(installation.environment)
    with running(settings, scheduled=True, say=say) as airflow, airflow_pages(airflow.address) as pages:
        airflow.wait_for_dag(DAG)
        operator = Operator(pages, airflow, installation, options.screenshots)
        wait_for("the live run", lambda: operator._runs("scheduled", "success"), 600)
        articles = past.fill(options.days)
        operator.look_at_the_preview(options.days, articles)
        say("the preview was seen")
        started = time.monotonic()
        operator.send_the_backfill(options.days)
        operator.watch(options.days)
        minutes = (time.monotonic() - started) / 60
        reports = [run.report for run in operator.reports() if run.report is not None]
        assert all(report["balanced"] for report in reports)
        tasks = operator.tasks()
        ours = [task for task in tasks if task["task_id"].startswith("backfill.")]
        assert {(task["pool"], task["priority_weight"]) for task in ours} == {(BACKFILL_POOL, 1)}
        before = installation.documents()
        again = min(10, options.days)
        last = FIRST + timedelta(days=again - 1)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", DAG),
                *("--from-date", f"{FIRST:%Y-%m-%d}", "--to-date", f"{last:%Y-%m-%d}"),
                *("--reprocess-behavior", "completed", "--dag-run-conf", '{"mode": "refetch"}'),
            ],
            env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        say(f"airflow backfill create: the first {again} days once more")

        def unchanged() -> int:
            return sum(run.report["outcomes"]["unchanged"] for run in operator.reports() if run.report)

        wait_for("the second backfill", lambda: unchanged() == again * 2 * len(IDS))
        wait_for("its end", lambda: len(operator._runs("backfill", "success")) == options.days, 300)
        return {
            "runs": len(reports),
            "articles": len(before),
            "indexed": sum(report["outcomes"]["indexed"] for report in reports),
            "minutes by the form, with a pause": round(minutes, 1),
            "once more by airflow backfill create": f"{again} runs, {unchanged()} unchanged",
            "the same documents after that": installation.documents() == before,
        }


def main() -> int:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--screenshots", type=Path, default=Path("test-output"))
    parser.add_argument("--port", type=int, default=8455, help="of Airflow")
    parser.add_argument("--node-port", type=int, default=0, help="of Elasticsearch")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("stopped"))
    root = Path(tempfile.mkdtemp(prefix="backfill-"))
    home = root / "node"
    home.mkdir()
    distribution = os.environ.get("TEST_ELASTICSEARCH_HOME") or ".cache/test-node"
    (home / "dist").symlink_to(Path(distribution).resolve() / "dist")
    node = NodeSettings(home=home, port=options.node_port, heap="512m")
    try:
        address = localnode.start(node)
        with NewsServer() as server:
            past = Past(root, server)
            installations = []
            for name in ("form", "command"):
                extra = {
                    "NEWS_FETCH__ALLOW_LOOPBACK": "true",
                    "NEWS_FETCH__DELAY_SECONDS": "0",
                    "NEWS_AIRFLOW__PORT": str(options.port),
                    "NEWS_EXTRACT__WORKERS": "1",
                }
                made = Installation(root=root / name, elasticsearch_url=address.url, prefix=name, extra=extra)
                made.write_config(sources=past.sources(), settings='[entities]\nmodel = ""\n')
                (made.project / "plugins").symlink_to(REPOSITORY / "plugins")
                installations.append(made)
            form, command = installations
            found = by_airflow(form, past, options)
            started = time.monotonic()
            report = command.news_json(
                "backfill", "--from", f"{FIRST:%Y-%m-%d}", "--to", f"{FIRST + timedelta(days=options.days):%Y-%m-%d}",
                "--mode", "refetch",
            )  # fmt: skip
            found["seconds by news backfill"] = round(time.monotonic() - started, 1)
            found["indexed by news backfill"] = report["outcomes"]["indexed"]
            ours, theirs = (_content(made) for made in (form, command))
            found["the same by form and command"] = ours == theirs
            found["load"] = round(os.getloadavg()[0], 1)
            print(json.dumps(found, indent=2))
            alike = found["the same by form and command"] and found["the same documents after that"]
            return 0 if alike and found["indexed"] == options.days * 2 * len(IDS) else 1
    finally:
        localnode.stop(node)


def _content(made: Installation) -> dict[str, dict[str, Any]]:
    """Every article but for when and by which run it was read, where its record lies, and the names of its index."""
    return {
        id_: {
            **{key: value for key, value in document.items() if key not in ("fetched_at", "archive")},
            "digest": document["archive"]["digest"],
            "_index": document["_index"].removeprefix(made.prefix),
        }
        for id_, document in made.content().items()
    }


if __name__ == "__main__":
    sys.exit(main())

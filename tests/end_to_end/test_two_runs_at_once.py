from __future__ import annotations

import json
import subprocess
from pathlib import Path

from installation import NEWS, Installation, article_page, write_texts


def test_two_runs_of_one_folder_at_once_leave_each_article_once(installation: Installation, tmp_path: Path) -> None:
    """Two runs over the same files at the same time end well, and leave what one run would have left."""
    folder = write_texts(tmp_path / "inbox", range(150))
    for number in range(150, 250):
        (folder / f"{number}.html").write_text(article_page(number), encoding="utf-8")
    runs = [
        subprocess.Popen(
            [NEWS, "ingest", str(folder), "--json"],
            env=installation.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [run.communicate(timeout=240) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], [said for _, said in answers]
    reports = [json.loads(out) for out, _ in answers]
    for report in reports:
        assert (report["discovered"], report["balanced"], report["outcomes"]["failed"]) == (250, True, 0)
    # Each article was new for exactly one of the two.
    assert sum(report["outcomes"]["indexed"] for report in reports) == 250
    documents = installation.documents()
    assert len(documents) == 250
    assert len({document["content_hash"] for document in documents.values()}) == 250
    assert {item["id"] for report in reports for item in report["items"]} == set(documents)

    again = installation.news_json("ingest", str(folder))
    assert again["outcomes"]["unchanged"] == 250
    assert installation.documents() == documents

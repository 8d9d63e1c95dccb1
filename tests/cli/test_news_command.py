"""The `news` command as people and programs use it: what it prints where, and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from installation import NEWS, Installation, article_page, article_text, installation_in, write_texts
from typer.main import get_command

from pipeline.cli import app, main

SOURCES = '[[source]]\nid = "inbox"\nkind = "folder"\nlocation = "inbox"\nlanguage = "en"\n'


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, elasticsearch_url: str) -> Iterator[Installation]:
    """An installation with a few articles in its index, and the answer of the run that brought them."""
    with installation_in(tmp_path_factory.mktemp("cli"), elasticsearch_url) as made:
        made.write_config(SOURCES)
        write_texts(made.project / "inbox", range(3))
        (made.project / "inbox" / "page.html").write_text(article_page(9), encoding="utf-8")
        assert made.news("run", "inbox").returncode == 0
        yield made


def commands() -> list[tuple[str, ...]]:
    """Every command and subcommand there is."""
    found: list[tuple[str, ...]] = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        subcommands = getattr(command, "commands", None)
        found += [(name, sub) for sub in subcommands] if subcommands else [(name,)]
    return found


def wrong_usage(installation: Installation, *arguments: str) -> str:
    """What a command that must be refused says; nothing goes to standard output."""
    done = installation.news(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return one_line(done.stderr)


def one_line(text: str) -> str:
    """Text as one line, without the frames that help and errors are drawn in."""
    return " ".join(text.replace("│", " ").split())


# --------------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_explains_itself_with_an_example(command: tuple[str, ...]) -> None:
    """`--help` of each command says what it does and shows an example that begins with `news`."""
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert done.exit_code == 0
    assert "Example" in done.stdout
    assert f"news {' '.join(command)}" in done.stdout.partition("Example")[2]


def test_help_needs_no_installation(tmp_path: Path) -> None:
    """`news` alone shows what there is, also where nothing is configured or running."""
    done = subprocess.run([NEWS, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("ingest", "search", "show", "explain", "doctor", "sources"))
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------- ingest


def test_ingest_answers_json_and_nothing_else(installation: Installation, tmp_path: Path) -> None:
    """`--json`: one object with counts that add up and a row for each item; exit code 0; talk goes elsewhere."""
    folder = write_texts(tmp_path / "inbox", range(2))
    answer = installation.news_json("ingest", str(folder), str(folder / "00000.txt"))
    assert answer["discovered"] == 3 == sum(answer["outcomes"].values())
    assert [item["outcome"] for item in answer["items"]] == ["indexed", "indexed", "duplicate"]
    assert set(answer["items"][0]) >= {"ref", "outcome", "reason", "id"}
    assert answer["items"][0]["ref"] == str(folder / "00000.txt")
    assert answer["items"][0]["id"] in installation.documents()
    assert answer["entities"] == "off"

    again = installation.news_json("ingest", str(folder))
    assert [item["outcome"] for item in again["items"]] == ["unchanged", "unchanged"]


def test_ingest_prints_a_report_for_people(installation: Installation, tmp_path: Path) -> None:
    """Without `--json` there is the table of outcomes, on standard error; a failed file is named with its reason."""
    folder = write_texts(tmp_path / "inbox", range(1))
    (folder / "torn.txt.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03torn")
    done = installation.news("ingest", str(folder))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "indexed" in done.stderr
    assert "torn.txt.gz: broken_compression" in done.stderr
    assert "Entities are off" in done.stderr


def test_a_rejected_article_is_no_failure(installation: Installation, tmp_path: Path) -> None:
    """Exit code 0 where all is accounted for and nothing failed: an empty file is refused, not broken."""
    (tmp_path / "empty.txt").touch()
    answer = installation.news_json("ingest", str(tmp_path / "empty.txt"))
    assert [(item["outcome"], item["reason"]) for item in answer["items"]] == [("rejected", "empty")]


def test_a_changed_file_is_ingested_anew(installation: Installation, tmp_path: Path) -> None:
    """What stands in the file now counts, not what was archived before."""
    page = tmp_path / "page.html"
    page.write_text(article_page(1))
    assert installation.news_json("ingest", str(page))["outcomes"]["indexed"] == 1
    page.write_text(article_page(1, words="A correction was added on Tuesday, when the mayor had read the report."))
    assert installation.news_json("ingest", str(page))["outcomes"]["updated"] == 1
    [document] = installation.documents().values()
    assert "A correction was added" in document["body"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ingest",), "--from-archive"),
        (("ingest", "/no/such/file"), "/no/such/file"),
        (("ingest", "x", "--from-archive"), "not both"),
        (("ingest", "--source", "inbox"), "--from-archive"),
        (("run", "nowhere"), "no source 'nowhere'"),
        (("run", "inbox", "--since", "yesterday"), "since: 'yesterday' is no date"),
        (("search", "x", "--sort", "oldest"), "oldest"),
        (("search", "x", "--from", "2026-03-02", "--to", "2026-03-01"), "before"),
        (("search", "x", "--limit", "-1"), "limit"),
        (("serch", "x"), "serch"),
        (("show",), "ID|URL"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    filled: Installation,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, and a message that names what was wrong; nothing on standard output."""
    for name, value in filled.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["news", *arguments])
    with pytest.raises(SystemExit) as done:
        main()
    printed = capsys.readouterr()
    assert (done.value.code, printed.out) == (2, "")
    assert said in one_line(printed.err)


def test_a_mistake_gives_no_traceback(filled: Installation) -> None:
    """The real command, with a wrong word, a wrong source and no argument at all."""
    assert "No such command" in wrong_usage(filled, "serch", "x")
    assert "no source 'nowhere'" in wrong_usage(filled, "run", "nowhere")


# ---------------------------------------------------------------------------------- search, show, explain


def test_search_answers_with_hits_and_facets(filled: Installation) -> None:
    """`--json` gives total, hits with highlights, and facets."""
    answer = filled.news_json("search", "repairing library OR bridge", "--language", "en")
    assert answer["total"] >= 1
    hit = answer["hits"][0]
    assert {"id", "score", "headline", "url", "language", "published_at", "highlights"} <= set(hit)
    assert "<em>" in json.dumps(hit["highlights"])
    assert {"language", "source", "people", "places", "organizations", "day"} <= set(answer["facets"])
    assert answer["facets"]["source"] == [{"value": "inbox", "count": answer["total"]}]


def test_search_forgives_and_limits(filled: Installation) -> None:
    """Phrases, typos with ~, --limit, --source, and an answer of nothing is exit code 0."""
    assert (
        filled.news_json("search", '"Corrie council"')["total"] == filled.news_json("search", "Corrrie~")["total"] > 0
    )
    limited = filled.news_json("search", "council", "--limit", "1")
    assert len(limited["hits"]) == 1 < limited["total"]
    assert filled.news_json("search", "council", "--source", "elsewhere") == {
        "total": 0, "notes": [], "hits": [], "facets": {name: [] for name in limited["facets"]},
    }  # fmt: skip


def test_a_wrong_query_is_told(filled: Installation) -> None:
    """A query that can't be parsed gives a sentence, not a stack trace."""
    done = filled.news("search", 'council AND ("')
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert "can't be understood" in done.stderr
    assert "Traceback" not in done.stderr


def test_search_reads_well_for_people(filled: Installation) -> None:
    """Headline and passages on standard output; brackets in an article are no markup."""
    done = filled.news("search", "council")
    assert done.returncode == 0
    assert "articles" in done.stdout
    assert "council agrees to repair" in done.stdout


def test_show_gives_the_whole_document(filled: Installation) -> None:
    """By id, by URL in another spelling, or by path; an unknown one is exit code 1."""
    hit = filled.news_json("search", "Brackwater", "--limit", "1")["hits"][0]
    document = filled.news_json("show", hit["id"])
    assert document["id"] == hit["id"]
    assert document["body"].startswith("The council of") or document["body"].startswith("Brackwater council")
    by_url = filled.news_json("show", "https://dunhaven-post.example:443/news/9?utm_source=x#top")
    assert by_url["canonical_url"] == "https://dunhaven-post.example/news/9"
    assert filled.news_json("show", document["path"])["id"] == (document["id"])
    unknown = filled.news("show", "nothing", "--json")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "news explain" in unknown.stderr


def test_similar_lists_what_reads_alike(filled: Installation) -> None:
    """Other articles, best first; an unknown one is exit code 1."""
    hit = filled.news_json("search", "Brackwater", "--limit", "1")["hits"][0]
    alike = filled.news_json("similar", hit["id"])["hits"]
    assert alike
    assert hit["id"] not in [other["id"] for other in alike]
    assert alike[0]["headline"] in filled.news("similar", hit["id"], "--limit", "1").stdout
    unknown = filled.news("similar", "nothing", "--json")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "news explain" in unknown.stderr


def test_search_by_meaning_needs_articles_written_again(installation: Installation, tmp_path: Path) -> None:
    """Off, it is refused with what to do; after that, articles are found in other words than theirs."""
    (tmp_path / "a.txt").write_text(article_text(1), encoding="utf-8")
    installation.news_json("ingest", str(tmp_path / "a.txt"))
    said = wrong_usage(installation, "search", "municipality fixes building", "--hybrid")
    assert "news index rebuild" in said
    switched_on = replace(installation, extra={"NEWS_INDEX__SEMANTIC": "true"})
    assert switched_on.news_json("ingest", str(tmp_path / "a.txt"))["outcomes"]["updated"] == 1
    (hit,) = switched_on.news_json("search", "municipality fixes building")["hits"]
    assert hit["by_meaning"]
    assert switched_on.news_json("search", "municipality fixes building", "--no-hybrid")["total"] == 0


def test_explain_tells_the_story_of_an_article(filled: Installation) -> None:
    """Discovered by which source, archived where, ended how; by path, document id and for people too."""
    path = str(filled.project / "inbox" / "00001.txt")
    answer = filled.news_json("explain", path)
    [event] = answer["runs"]
    assert (event["ref"], event["source"], event["via"], event["outcome"]) == (path, "inbox", "folder", "indexed")
    assert event["archive"]["file"].endswith(".warc.gz")
    assert answer["document"]["id"] == event["id"]
    assert filled.news_json("explain", event["id"])["runs"] == answer["runs"]
    said = filled.news("explain", path).stdout
    assert "archived as" in said
    assert "indexed" in said
    assert filled.news("explain", "/never/heard/of").returncode == 1


def test_explain_tells_why_an_article_is_not_there(installation: Installation, tmp_path: Path) -> None:
    """For what was refused there is the reason, and that it is not in the index; a relative path will do."""
    (tmp_path / "short.txt").write_text("Too short\n\nIndeed.\n")
    installation.news("ingest", str(tmp_path / "short.txt"))
    answer = installation.news_json("explain", str(tmp_path / "short.txt"))
    assert [(event["outcome"], event["reason"]) for event in answer["runs"]] == [("rejected", "too_short")]
    assert answer["document"] is None


# ------------------------------------------------------------------------------------------ archive, state


def test_from_archive_repeats_what_comes_after_it(installation: Installation, tmp_path: Path) -> None:
    """With files and index gone, the archive alone brings the articles back; --ref takes one of them."""
    folder = write_texts(tmp_path / "inbox", range(3))
    installation.news_json("ingest", str(folder))
    before = installation.content()
    installation.delete_articles()
    for file in folder.iterdir():
        file.unlink()
    one = installation.news_json("ingest", "--from-archive", "--ref", str(folder / "00001.txt"))
    assert (one["discovered"], one["outcomes"]["indexed"]) == (1, 1)
    everything = installation.news_json("ingest", "--from-archive")
    assert (everything["discovered"], everything["outcomes"]["indexed"], everything["outcomes"]["unchanged"]) == (
        3,
        2,
        1,
    )
    assert installation.content() == before


def test_two_homes_are_two_installations(tmp_path: Path, elasticsearch_url: str) -> None:
    """Another NEWS_HOME knows nothing of what the first one did."""
    folder = write_texts(tmp_path / "inbox", range(1))
    with (
        installation_in(tmp_path / "one", elasticsearch_url) as one,
        installation_in(tmp_path / "two", elasticsearch_url) as two,
    ):
        for each in (one, two):
            each.write_config()
        assert one.news_json("ingest", str(folder))["outcomes"]["indexed"] == 1
        assert two.news_json("ingest", "--from-archive")["discovered"] == 0
        assert two.news_json("ingest", str(folder))["outcomes"]["indexed"] == 1


def test_an_unreachable_elasticsearch_is_told(tmp_path: Path) -> None:
    """A search without a cluster says so in a sentence, with what to do; exit code 1."""
    far = Installation(root=tmp_path, elasticsearch_url="http://127.0.0.1:9")
    far.write_config()
    done = far.news("search", "x")
    assert done.returncode == 1
    assert "Elasticsearch can't be reached" in done.stderr
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------------------------------- sources, doctor


def test_sources_check_tells_right_from_wrong(installation: Installation) -> None:
    """Exit code 0 and a count, or 2 and every mistake in the file, a line for each."""
    installation.write_config(SOURCES)
    assert installation.news_json("sources", "check") == {"ok": True, "sources": 1}
    installation.write_config(SOURCES + 'colour = "red"\n' + SOURCES + 'schedule = "often"\n')
    said = wrong_usage(installation, "sources", "check")
    assert "colour: unknown key; allowed are" in said
    assert "'often' is no cron line" in said


def test_sources_list_and_schema_are_json(installation: Installation) -> None:
    """A program reads what is configured, and an editor the schema."""
    installation.write_config(SOURCES)
    [source] = installation.news_json("sources", "list")
    assert (source["id"], source["kind"], source["language"]) == ("inbox", "folder", "en")
    schema: Any = json.loads(installation.news("sources", "schema").stdout)
    assert schema["title"] == "News sources"


def test_doctor_finds_all_well(filled: Installation) -> None:
    """Exit code 0; a line for sources, Elasticsearch, templates, ledger, archive, disk, entities."""
    checks = {check["name"]: check for check in filled.news_json("doctor")["checks"]}
    assert {"sources", "elasticsearch", "templates", "ledger", "archive", "disk", "entities", "airflow"} <= set(checks)
    assert {checks[name]["status"] for name in ("sources", "elasticsearch", "templates", "ledger", "archive")} == {"ok"}
    assert "off" in checks["entities"]["message"]


def test_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    """Exit code 1; each bad line says what is the matter, and nothing is created by asking."""
    ill = Installation(
        root=tmp_path, elasticsearch_url="http://127.0.0.1:9", extra={"NEWS_ENTITIES__MODEL": "no_such_model"}
    )
    ill.write_config(SOURCES + 'kind = "folder"')
    checks = {check["name"]: check for check in ill.news_json("doctor", code=1)["checks"]}
    assert {name for name, check in checks.items() if check["status"] == "bad"} >= {
        "sources",
        "elasticsearch",
        "entities",
    }
    assert "no_such_model" in checks["entities"]["message"]
    assert not ill.home.exists()


def test_an_article_with_brackets_is_printed_as_it_is(installation: Installation, tmp_path: Path) -> None:
    """Text from outside is never taken for markup of ours."""
    (tmp_path / "a.txt").write_text(
        article_text(1).replace("Brackwater council", "[bold red]Brackwater[/] council [/x]", 1)
    )
    installation.news_json("ingest", str(tmp_path / "a.txt"))
    done = installation.news("search", "Brackwater")
    assert done.returncode == 0, done.stderr
    assert "[bold red]Brackwater[/] council [/x]" in done.stdout

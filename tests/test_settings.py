from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.archive import Archive
from pipeline.errors import ArchiveUnavailableError, ConfigurationError
from pipeline.models import SourceKind
from pipeline.settings import (
    Settings,
    default_home,
    describe_schedule,
    describe_settings,
    find_config_dir,
    load_settings,
    load_sources,
    sources_json_schema,
)

GOOD = '[[source]]\nid = "paper"\nkind = "feed"\nlocation = "https://paper.example/rss"\n'
REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "config"
    folder.mkdir(parents=True)
    return folder


def load(config: Path, **environment: str) -> Settings:
    return load_settings({"NEWS_CONFIG": str(config), "NEWS_HOME": str(config.parent / "home"), **environment})


def message(config: Path, *, settings: str = "", sources: str | bytes = "", **environment: str) -> str:
    """The one message that a wrong configuration gives."""
    (config / "settings.toml").write_text(settings)
    (config / "sources.toml").write_bytes(sources if isinstance(sources, bytes) else sources.encode())
    with pytest.raises(ConfigurationError) as caught:
        load_sources(load(config, **environment))
    return caught.value.message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("[ingest]\nbatch_sise = 3", ["settings.toml", "ingest.batch_sise", "unknown key", "batch_size", "schedule"]),
        ("[ingset]\nx = 1", ["settings.toml", "ingset", "unknown key", "ingest", "fetch"]),
        ('[ingest]\nbatch_size = "many"', ["settings.toml", "ingest.batch_size", "'many'", "integer"]),
        ("[ingest]\nbatch_size = 0", ["settings.toml", "ingest.batch_size", "0", "greater than or equal to 1"]),
        ("[ingest]\nbatch_size = 9999", ["ingest.batch_size", "9999", "5000"]),
        ('[ingest]\nschedule = "hourly"', ["settings.toml", "ingest.schedule", "'hourly'", "*/30 * * * *", "manual"]),
        ('[ingest]\nschedule = "99 * * * *"', ["ingest.schedule", "'99 * * * *'"]),
        ('[ingest]\nschedule = "0 0 * * * *"', ["ingest.schedule", "five fields"]),
        ('[index]\nprefix = "News!"', ["settings.toml", "index.prefix", "'News!'", "pattern"]),
        ("[language]\nmin_confidence = 1.5", ["language.min_confidence", "1.5", "less than or equal to 1"]),
        ("ingest = 3", ["settings.toml", "ingest", "3"]),
        ("[ingest\n", ["settings.toml", "line 1"]),
    ],
)
def test_a_wrong_setting_is_named(config: Path, settings: str, said: list[str]) -> None:
    """A mistake in settings.toml gives one message: the file, the key, the value and what is allowed."""
    text = message(config, settings=settings)
    assert all(part in text for part in said), text
    assert str(config / "settings.toml") in text


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"NEWS_FETCH__TIMEOUT_SECONDS": "soon"}, ["NEWS_FETCH__TIMEOUT_SECONDS", "'soon'", "number"]),
        ({"NEWS_FETCH__TIMOUT_SECONDS": "5"}, ["environment", "NEWS_FETCH__TIMOUT_SECONDS", "NEWS_<SECTION>__<KEY>"]),
        ({"NEWS_HOUSE": "/x"}, ["environment", "NEWS_HOUSE"]),
        ({"NEWS_INGEST__BATCH_SIZE": "-1"}, ["NEWS_INGEST__BATCH_SIZE", "-1"]),
        ({"NEWS_INGEST__SCHEDULE": "often"}, ["NEWS_INGEST__SCHEDULE", "'often'", "manual"]),
        ({"ELASTICSEARCH_URL": "localhost:9200"}, ["environment", "ELASTICSEARCH_URL", "'localhost:9200'", "http://"]),
    ],
)
def test_a_wrong_variable_is_named(config: Path, environment: dict[str, str], said: list[str]) -> None:
    """A mistake in the environment names the variable, its value and what is allowed."""
    text = message(config, **environment)
    assert all(part in text for part in said), text


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (GOOD + 'colour = "red"', ["source 1", "'paper'", "colour", "unknown key", "schedule", "language"]),
        ('[[source]]\nid = "a"\nkind = "feed"', ["source 1", "'a'", "location", "missing"]),
        ('[[source]]\nkind = "feed"\nlocation = "x"', ["source 1", "no id", "id", "missing"]),
        (GOOD.replace('"feed"', '"fede"'), ["source 1", "kind", "'fede'", "folder, urls, feed, sitemap, warc, ccnews"]),
        (GOOD + "enabled = 7", ["source 1", "enabled", "7", "boolean"]),
        (GOOD + 'tags = "regional"', ["source 1", "tags", "'regional'"]),
        (GOOD + 'schedule = "every hour"', ["source 1", "schedule", "'every hour'", "*/30 * * * *", "manual"]),
        (GOOD + GOOD, ["source 2", "'paper'", "source 1", "unique"]),
        (GOOD.replace('"paper"', '"My Paper"'), ["source 1", "id", "'My Paper'", "a-z"]),
        (GOOD.replace("[[source]]", "[source]"), ["[[source]]", "double brackets"]),
        (GOOD.replace("[[source]]", "[[sources]]"), ["unknown table 'sources'", "[[source]]"]),
        (GOOD + 'location = "again"\n', ["sources.toml", "line 5"]),
        (GOOD.encode() + b"# caf\xe9", ["sources.toml", "UTF-8"]),
        ("source = [3]", ["source 1", "3", "[[source]]"]),
    ],
)
def test_a_wrong_source_is_named(config: Path, sources: str | bytes, said: list[str]) -> None:
    """A mistake in sources.toml gives one message: the file, which source, the key, the value, what is allowed."""
    text = message(config, sources=sources)
    assert all(part in text for part in said), text
    assert str(config / "sources.toml") in text


def test_all_mistakes_are_told_at_once(config: Path) -> None:
    """Who wrote three mistakes learns of three, a line for each."""
    text = message(config, sources=GOOD + 'colour = "red"\n' + GOOD + 'schedule = "x"\n' + GOOD)
    assert len(text.splitlines()) == 3
    text = message(config, settings='[ingest]\nbatch_size = 0\n[fetch]\nmax_hosts = "x"')
    assert len(text.splitlines()) == 2


def test_the_environment_wins_over_the_file(config: Path) -> None:
    """Defaults, then settings.toml, then the environment; each key by itself."""
    (config / "settings.toml").write_text("[ingest]\nbatch_size = 7\n[fetch]\nmax_redirects = 1\n")
    settings = load(config, NEWS_INGEST__BATCH_SIZE="9", NEWS_ARCHIVE_URL="memory://x")
    assert (settings.ingest.batch_size, settings.fetch.max_redirects, settings.fetch.attempts) == (9, 1, 3)
    assert settings.archive_url == "memory://x"


def test_an_empty_config_folder_gives_the_defaults(config: Path) -> None:
    """Nothing has to be configured: no settings file, no sources file."""
    settings = load(config)
    assert settings.ingest.batch_size == 200
    assert settings.elasticsearch is None
    assert load_sources(settings) == ()


def test_the_shipped_files_hold_the_defaults(tmp_path: Path) -> None:
    """What stands in the shipped settings.toml is what would be without it, as its first line says."""
    shipped = load_settings({"NEWS_CONFIG": str(REPOSITORY / "config"), "NEWS_HOME": "/x"})
    bare = load_settings({"NEWS_CONFIG": str(tmp_path), "NEWS_HOME": "/x"})
    assert describe_settings(shipped) == describe_settings(bare)
    assert [source.id for source in load_sources(shipped)] == ["samples"]


def test_a_source_is_read_whole(config: Path) -> None:
    """Every key of a source arrives."""
    more = 'schedule = "*/30 * * * *"\ntags = ["a", "b"]\nenabled = false\ninclude = ["*.html"]\ndelay_seconds = 2\n'
    (config / "sources.toml").write_text(GOOD + more)
    [source] = load_sources(load(config))
    assert (source.kind, source.tags, source.enabled, source.include, source.delay_seconds) == (
        SourceKind.FEED, ("a", "b"), False, ("*.html",), 2,
    )  # fmt: skip


def test_secrets_are_not_printed(config: Path) -> None:
    """No log, no traceback and no table of settings shows the key or the password of a cluster, ledger or archive."""
    settings = load(
        config,
        ELASTICSEARCH_URL="https://ada:s3cret-pass@es.example/",
        ELASTICSEARCH_API_KEY="s3cret-key",
        ELASTICSEARCH_PASSWORD="s3cret-word",
        NEWS_LEDGER_URL="postgresql+psycopg2://ada:s3cret-db@db.example/news",
        NEWS_ARCHIVE_URL="sftp://ada:s3cret-files@files.example/warc",
    )
    assert settings.elasticsearch is not None
    assert settings.elasticsearch.api_key == "s3cret-key"
    assert "s3cret" not in repr(settings)
    shown = {line.key: line.value or "" for line in describe_settings(settings)}
    assert "s3cret" not in repr(shown)
    assert (shown["ledger_url"], shown["archive_url"]) == (
        "postgresql+psycopg2://db.example/news", "sftp://files.example/warc",
    )  # fmt: skip


def test_an_archive_s_password_is_in_no_message() -> None:
    """What can't be reached is named without the password in its address."""
    with pytest.raises(ArchiveUnavailableError, match=r"ftp://127\.0\.0\.1:9/warc") as caught:
        Archive("ftp://ada:s3cret-files@127.0.0.1:9/warc")
    assert "s3cret" not in str(caught.value)


def test_state_has_a_sensible_place(tmp_path: Path) -> None:
    """NEWS_HOME decides; without it state lies where services, and users, keep theirs."""
    assert default_home({}, uid=0) == Path("/var/lib/news-pipeline")
    assert default_home({"HOME": "/home/ada"}, uid=1000) == Path("/home/ada/.local/share/news-pipeline")
    assert default_home({"HOME": "/home/ada", "XDG_DATA_HOME": "/data"}, uid=1000) == Path("/data/news-pipeline")
    assert load(tmp_path, NEWS_HOME=str(tmp_path / "a" / ".." / "b")).home == tmp_path / "b"


def test_the_config_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NEWS_CONFIG, else ./config of where the command is run, else the project's own."""
    monkeypatch.chdir(tmp_path)
    assert find_config_dir({}) == REPOSITORY / "config"
    (tmp_path / "config").mkdir()
    assert find_config_dir({}) == REPOSITORY / "config"  # some other program's config folder
    (tmp_path / "config" / "sources.toml").touch()
    assert find_config_dir({}) == tmp_path / "config"
    assert find_config_dir({"NEWS_CONFIG": "/etc/news"}) == Path("/etc/news")


def test_the_schema_knows_every_key() -> None:
    """An editor that uses the JSON schema completes every key of a source, and refuses others."""
    schema: Any = json.loads(json.dumps(sources_json_schema()))
    entry = schema["properties"]["source"]["items"]
    assert {"id", "kind", "location", "schedule", "tags", "enabled"} <= set(entry["properties"])
    assert entry["additionalProperties"] is False
    assert set(entry["required"]) == {"id", "kind", "location"}
    assert schema["$defs"]["SourceKind"]["enum"] == [kind.value for kind in SourceKind]


def test_schedules_are_told_in_words() -> None:
    """People read "Every 30 minutes"; a line that can't be put in words is shown as it is."""
    assert describe_schedule("*/30 * * * *") == "Every 30 minutes"
    assert describe_schedule("manual") == "manual"


def test_every_setting_is_explained() -> None:
    """`news settings` says of each setting what it means and which variable sets it, and that variable works."""
    lines = describe_settings()
    assert [line.key for line in lines if not line.meaning] == []
    assert "NEWS_FETCH__TIMEOUT_SECONDS" in {line.variable for line in lines}
    for line in lines:
        if line.key != "entities.labels":
            load_settings({"NEWS_HOME": "/x", line.variable: line.default})


def test_the_schema_that_editors_read_is_the_one_that_is_checked() -> None:
    """config/sources.schema.json is what `news sources schema` prints."""
    kept = json.loads((REPOSITORY / "config" / "sources.schema.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(sources_json_schema()))


def test_the_reference_of_settings_is_complete() -> None:
    """docs/settings.md names every setting with its variable and default."""
    reference = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    for line in describe_settings():
        assert f"| `{line.key}` | `{line.variable}` |" in reference

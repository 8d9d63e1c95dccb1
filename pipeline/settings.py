"""Settings and sources: files and environment in, frozen values out.

Order, the later wins: defaults here, ``config/settings.toml``, environment variables ``NEWS_<SECTION>__<KEY>``
(``NEWS_FETCH__TIMEOUT_SECONDS=5``). How to reach Elasticsearch comes from the environment only
(``ELASTICSEARCH_URL`` and friends), so that no secret ever stands in a file of this project.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cron_descriptor import FormatException, MissingFieldException, get_description
from croniter import croniter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pipeline.errors import ConfigurationError
from pipeline.models import Source, SourceKind
from pipeline.urls import without_credentials

MANUAL = "manual"
"""The schedule of a source that only runs when somebody asks for it."""

_ENVIRONMENT_PREFIX = "NEWS_"
_OWN_VARIABLES = {"NEWS_HOME", "NEWS_CONFIG", "NEWS_SCHEDULED", "NEWS_LOG_FORMAT"}
"""Variables with our prefix that are no settings: where state and config live, the schedules' switch, how to log."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestSettings(_Section):
    """How a run is cut into pieces and when sources without a schedule of their own run."""

    schedule: str = Field("0 * * * *", description="cron line in UTC, or 'manual'")
    batch_size: int = Field(200, ge=1, le=5000, description="references a batch (one Airflow task) handles")
    index_wait_seconds: float = Field(
        180, ge=0, description="how long a batch waits for an Elasticsearch that went away before it is kept for later"
    )


class FetchSettings(_Section):
    """Limits and manners of fetching and loading."""

    contact: str = Field("", description="e-mail or web address in the user agent; needed for any site beyond loopback")
    user_agent: str = Field("news-pipeline/0.1", description="how we name ourselves; the contact is added")
    connect_timeout_seconds: float = Field(10, gt=0, description="for the connection to stand")
    timeout_seconds: float = Field(30, gt=0, description="without a byte for so long: given up")
    total_timeout_seconds: float = Field(60, gt=0, description="a whole response must have come by then")
    max_bytes: int = Field(10_000_000, ge=1000, description="of one page or file, after decompression")
    max_redirects: int = Field(5, ge=0, le=20, description="followed for one page")
    refetch_after_hours: float = Field(24, ge=0, description="a URL fetched since is taken from the archive instead")
    allow_loopback: bool = Field(False, description="fetch from 127.0.0.0/8 and ::1 (tests and demonstrations)")
    delay_seconds: float = Field(5, ge=0, description="between two requests to one registered domain")
    ccnews_url: str = Field(
        "https://data.commoncrawl.org", pattern=r"^https?://", description="where Common Crawl's CC-NEWS lies"
    )
    max_hosts: int = Field(64, ge=1, le=1000, description="hosts worked on at a time")
    attempts: int = Field(3, ge=1, le=10, description="tries for what may pass: no connection, timeouts, 429 and 5xx")
    max_wait_seconds: float = Field(
        120, ge=0, description="longest wait for a host's turn; what would wait longer ends as host_resting"
    )


class ExtractSettings(_Section):
    """What counts as an article."""

    min_characters: int = Field(
        200,
        ge=0,
        description="shorter bodies are rejected as too_short (a Chinese, Japanese or Korean character counts three)",
    )
    workers: int = Field(
        1, ge=0, le=64, description="processes a batch extracts in; 0: in its own, without a time limit"
    )
    timeout_seconds: float = Field(20, gt=0, description="a page that takes longer ends as extract_timeout")


class LanguageSettings(_Section):
    """When a detected language is believed."""

    min_characters: int = Field(20, ge=0, description="with fewer letters the language is 'und'")
    min_confidence: float = Field(0.50, ge=0, le=1, description="below this probability the language is 'und'")


class EntitySettings(_Section):
    """The spaCy pipeline that finds people, places and organisations."""

    model: str = Field(
        "en_news_sm",
        description="shipped model (en_news_sm, or en_news_acc, more accurate and slower), package name or path of a "
        "spaCy pipeline; empty switches the step off",
    )
    other_languages: str = Field(
        "xx_news_sm",
        description="the same for articles in languages that `model` isn't for; empty: they get places only, by the "
        "gazetteer",
    )
    labels: dict[str, str] = Field(
        default_factory=lambda: {
            "PERSON": "person", "PER": "person",
            "GPE": "place", "LOC": "place", "FAC": "place",
            "ORG": "organization", "NORP": "other",
            "EVENT": "event", "MISC": "other", "WORK_OF_ART": "other", "LAW": "other", "PRODUCT": "other",
        },
        description="the model's labels to person, place, organization, event or other; unlisted labels are left out",
    )  # fmt: skip


class IndexSettings(_Section):
    """Shape of the indices."""

    prefix: str = Field("news", pattern=r"^[a-z][a-z0-9]{0,30}$", description="of all index and alias names")
    shards: int = Field(1, ge=1, le=64, description="of each index")
    replicas: int = Field(0, ge=0, le=5, description="of each index; 1 or more where there are several nodes")
    bulk_documents: int = Field(100, ge=1, le=5000, description="documents a bulk request holds at most")
    bulk_bytes: int = Field(10_000_000, ge=100_000, description="bytes a bulk request holds at most")
    rollover_documents: int = Field(
        20_000_000, ge=1, description="a family's index is followed by a new one beyond that"
    )
    rollover_gigabytes: float = Field(40, gt=0, description="the same by size of its primary shards")
    rollover_days: int = Field(0, ge=0, description="the same by age; 0: never")
    semantic: bool = Field(
        False, description="keep of each English article what it means, and find it by that too (extra `semantic`)"
    )


class RetentionSettings(_Section):
    """How long articles are kept, by @timestamp. 0 keeps them for ever."""

    days: int = Field(0, ge=0, description="articles older than that leave the index")
    sources: dict[str, int] = Field(default_factory=dict, description="days for a source of its own, by source id")
    archive_days: int = Field(0, ge=0, description="WARC files older than that, which no article needs, are deleted")
    run_days: int = Field(0, ge=0, description="run reports older than that leave the index; the ledger keeps them")
    snapshot_repository: str = Field("", description="snapshot repository of the cluster to keep a daily snapshot in")


class QuarantineSettings(_Section):
    """How often what failed is tried again by itself."""

    attempts: int = Field(6, ge=1, le=50, description="after so many failures an article is left for a person")
    first_pause_hours: float = Field(
        1, gt=0, description="before the second attempt; each further pause is 4 times longer"
    )
    articles: int = Field(500, ge=1, le=10_000, description="tried again in one go")


class AlertSettings(_Section):
    """When somebody should look, and how they are told."""

    silence_factor: float = Field(
        4, gt=1, description="times a source's usual pause between articles without a new one"
    )
    silence_hours: float = Field(12, gt=0, description="never fewer hours than that count as silence")
    rate_jump: float = Field(
        0.2, gt=0, le=1, description="more rejections or failures than in its last weeks, as a share"
    )
    drift: float = Field(
        0.3, gt=0, le=1, description="change of body length, or of the share of articles without a field"
    )
    min_articles: int = Field(20, ge=1, description="fewer articles are not judged")
    baseline_days: int = Field(21, ge=1, le=365, description="what a source's own past is, before the last day")
    freshness_minutes: float = Field(
        180, gt=0, description="from publication to searchable, for the middle article of a day"
    )
    quarantine_growth: int = Field(50, ge=1, description="new entries in a day")
    email: str = Field("", description="address for alerts, by Airflow's connection smtp_default; empty: no e-mail")
    webhook_connection: str = Field("", description="id of an Airflow connection whose address gets alerts as JSON")


class NodeSettings(_Section):
    """The embedded Elasticsearch node."""

    version: str = Field("9.5.3", description="of the embedded Elasticsearch")
    port: int = Field(0, ge=0, le=65535, description="0 takes 9200 where that is free, else any free one")
    heap: str = Field("1g", pattern=r"^\d+[mg]$", description="of the embedded Elasticsearch")


class AirflowSettings(_Section):
    """The Airflow that `make run` and `make up` start."""

    port: int = Field(8080, ge=1, le=65535, description="of Airflow's pages")
    parallelism: int = Field(2, ge=1, le=64, description="tasks at a time on this machine")


class _Files(BaseSettings):
    """The part of the settings that comes from settings.toml and NEWS_… variables."""

    model_config = SettingsConfigDict(
        env_prefix=_ENVIRONMENT_PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )
    ingest: IngestSettings = IngestSettings()
    fetch: FetchSettings = FetchSettings()
    extract: ExtractSettings = ExtractSettings()
    language: LanguageSettings = LanguageSettings()
    entities: EntitySettings = EntitySettings()
    index: IndexSettings = IndexSettings()
    node: NodeSettings = NodeSettings()
    airflow: AirflowSettings = AirflowSettings()
    retention: RetentionSettings = RetentionSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    alerts: AlertSettings = AlertSettings()
    archive_url: str = Field("", description="fsspec address of the archive; empty means NEWS_HOME/archive")
    archive_connection: str = Field(
        "", description="id of an Airflow connection (aws) with the keys of an archive on S3, for the DAGs' tasks"
    )
    ledger_url: str = Field("", description="SQLAlchemy URL of the ledger; empty means NEWS_HOME/ledger.sqlite")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchConnection:
    """How to reach a cluster of one's own. Secrets are kept out of ``repr``."""

    url: str
    api_key: str | None = None
    username: str | None = None
    password: str | None = None
    ca_certs: str | None = None

    def __repr__(self) -> str:
        how = "API key" if self.api_key else "user and password" if self.username else "no credentials"
        return f"ElasticsearchConnection({without_credentials(self.url)}, {how})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a run needs to know before it starts. ``elasticsearch`` is None for the embedded node."""

    home: Path
    config_dir: Path
    ingest: IngestSettings
    fetch: FetchSettings
    extract: ExtractSettings
    language: LanguageSettings
    entities: EntitySettings
    index: IndexSettings
    node: NodeSettings
    airflow: AirflowSettings
    retention: RetentionSettings
    quarantine: QuarantineSettings
    alerts: AlertSettings
    archive_url: str = field(repr=False)  # as the ledger's, with a password where the storage wants one
    archive_connection: str
    ledger_url: str = field(repr=False)
    elasticsearch: ElasticsearchConnection | None
    es_home: Path | None

    @property
    def project_dir(self) -> Path:
        """The folder that relative locations in sources.toml start from."""
        return self.config_dir.parent


def default_home(environment: Mapping[str, str], *, uid: int) -> Path:
    """Where state lives when NEWS_HOME is not set.

    For root that is below /var/lib (XDG has no word on root's services, and root's own home is closed to the
    unprivileged user that Elasticsearch runs as); for others the XDG data directory.
    """
    if uid == 0:
        return Path("/var/lib/news-pipeline")
    data = environment.get("XDG_DATA_HOME") or Path(environment.get("HOME", "~")) / ".local" / "share"
    return Path(data).expanduser() / "news-pipeline"


def find_config_dir(environment: Mapping[str, str]) -> Path:
    """The config folder: NEWS_CONFIG, else ./config where it holds settings or sources, else the project's own."""
    if named := environment.get("NEWS_CONFIG"):
        return Path(named).expanduser().resolve()
    here = Path.cwd() / "config"
    if (here / "settings.toml").exists() or (here / "sources.toml").exists():
        return here
    return Path(__file__).resolve().parent.parent / "config"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read settings.toml and the environment.

    Raises ConfigurationError with one line for each wrong key or value: where, what, and what is allowed.
    """
    environment = os.environ if environment is None else environment
    config_dir = find_config_dir(environment)
    path = config_dir / "settings.toml"
    content = _read_toml(path) if path.exists() else {}
    _refuse_unknown_variables(environment)
    try:
        files = _load_files(content, environment)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, str(path), environment)) from None
    variable = "NEWS_INGEST__SCHEDULE"
    check_schedule(
        files.ingest.schedule, f"environment: {variable}" if variable in environment else f"{path}: ingest.schedule"
    )
    es_home = environment.get("ES_HOME")
    home = environment.get("NEWS_HOME")
    return Settings(
        home=Path(home).expanduser().resolve() if home else default_home(environment, uid=os.getuid()),
        config_dir=config_dir,
        elasticsearch=_elasticsearch(environment),
        es_home=Path(es_home).expanduser().resolve() if es_home else None,
        **{name: getattr(files, name) for name in _Files.model_fields},
    )


def with_file(settings: Settings, path: Path) -> Settings:
    """The same installation with the settings of another file (of the environment nothing counts).

    Raises ConfigurationError like ``load_settings``.
    """
    try:
        files = _load_files(_read_toml(path), {})
    except ValidationError as error:
        raise ConfigurationError(_explain(error, str(path), {})) from None
    return replace(settings, **{name: getattr(files, name) for name in _Files.model_fields})


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingLine:
    """One setting as a table shows it. ``value`` is None in a table of what there is, not of what is set."""

    key: str
    variable: str
    default: str
    meaning: str
    value: str | None = None


def describe_settings(settings: Settings | None = None) -> list[SettingLine]:
    """Every setting with its environment variable, default and meaning; with its value where ``settings`` is given."""
    lines = []
    for section, info in _Files.model_fields.items():
        model = info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for key, field in model.model_fields.items():
                default = field.get_default(call_default_factory=True)
                value = str(getattr(getattr(settings, section), key)) if settings else None
                lines.append(_line(f"{section}.{key}", default, field.description, value))
        else:
            value = str(getattr(settings, section)) if settings else None
            lines.append(_line(section, info.default, info.description, value))
    return lines


def _line(key: str, default: Any, meaning: str | None, value: str | None) -> SettingLine:
    return SettingLine(
        key=key,
        variable=_ENVIRONMENT_PREFIX + key.replace(".", "__").upper(),
        default=str(default),
        meaning=meaning or "",
        value=without_credentials(value) if value is not None else None,
    )


def load_sources(settings: Settings) -> tuple[Source, ...]:
    """Read config/sources.toml.

    Raises ConfigurationError that lists everything wrong in the file, a line for each.
    """
    path = settings.config_dir / "sources.toml"
    return parse_sources(_read_toml(path) if path.exists() else {}, str(path))


def parse_sources(content: Mapping[str, Any], file: str) -> tuple[Source, ...]:
    """Check the content of a sources file. Raises ConfigurationError listing everything wrong with it."""
    entries = content.get("source", [])
    problems = [
        f"{file}: unknown table {key!r}; sources stand in [[source]] tables" for key in content if key != "source"
    ]
    if not isinstance(entries, list):
        raise ConfigurationError(f"{file}: 'source' is a single table; write [[source]] with double brackets")
    sources: list[Source] = []
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            problems.append(f"{file}: source {number}: {entry!r} is no table; write [[source]] and its keys below")
            continue
        where = f"{file}: source {number} ({entry.get('id', 'no id')!r})"
        try:
            source = _SOURCE.validate_python(entry)
        except ValidationError as error:
            problems += [f"{where}: {line}" for line in _problems(error, lambda _: sorted(Source.__dataclass_fields__))]
            continue
        if not _SOURCE_ID.fullmatch(source.id):
            problems.append(f"{where}: id: {source.id!r}: allowed are a-z, 0-9, '-' and '_', 64 at most")
        if source.id in seen:
            problems.append(f"{where}: the id {source.id!r} is that of source {seen[source.id]} too; ids are unique")
        seen.setdefault(source.id, number)
        try:
            check_schedule(source.schedule, f"{where}: schedule")
        except ConfigurationError as error:
            problems.append(error.message)
        sources.append(source)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return tuple(sources)


def sources_json_schema() -> dict[str, Any]:
    """The JSON schema of sources.toml, for editors."""
    entry = _SOURCE.json_schema(ref_template="#/$defs/{model}")
    definitions = entry.pop("$defs", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "News sources",
        "type": "object",
        "additionalProperties": False,
        "properties": {"source": {"type": "array", "items": entry}},
        "$defs": definitions,
    }


def check_schedule(schedule: str | None, where: str) -> None:
    """Raise ConfigurationError unless ``schedule`` is None, 'manual' or a five-field cron line."""
    if schedule is None or schedule == MANUAL:
        return
    if len(schedule.split()) != 5 or not croniter.is_valid(schedule):
        raise ConfigurationError(
            f"{where}: {schedule!r} is no cron line; allowed are five fields such as '*/30 * * * *' "
            f"(minute hour day month weekday, UTC) or '{MANUAL}'"
        )


def describe_schedule(schedule: str) -> str:
    """A cron line in words ("Every 30 minutes"), or the line itself where it can't be put in words."""
    try:
        return str(get_description(schedule))
    except (FormatException, MissingFieldException):
        return schedule


_SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def _source_adapter() -> TypeAdapter[Source]:
    # The dataclass stays free of pydantic; strictness is added here, where files are read.
    Source.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return TypeAdapter(Source)


_SOURCE = _source_adapter()


def _load_files(content: Mapping[str, Any], environment: Mapping[str, str]) -> _Files:
    class WithEnvironment(_Files):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            given = EnvSettingsSource(settings_cls)
            given.env_vars = {key.lower(): value for key, value in environment.items()}
            return given, InitSettingsSource(settings_cls, init_kwargs=dict(content))

    return WithEnvironment()


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {"NEWS_ARCHIVE_URL", "NEWS_ARCHIVE_CONNECTION", "NEWS_LEDGER_URL"}
    for name, info in _Files.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            known |= {f"NEWS_{name}__{key}".upper() for key in section.model_fields}
    unknown = sorted(k for k in environment if k.startswith(_ENVIRONMENT_PREFIX) and k not in known | _OWN_VARIABLES)
    # NEWS_ENTITIES__LABELS__PRODUCT reaches into a dictionary, which has no fixed keys.
    unknown = [k for k in unknown if not k.startswith(("NEWS_ENTITIES__LABELS__", "NEWS_RETENTION__SOURCES__"))]
    if unknown:
        raise ConfigurationError(
            "\n".join(f"environment: {name} is no setting; those are named NEWS_<SECTION>__<KEY>" for name in unknown)
        )


def _elasticsearch(environment: Mapping[str, str]) -> ElasticsearchConnection | None:
    url = environment.get("ELASTICSEARCH_URL")
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"environment: ELASTICSEARCH_URL={url!r} must start with http:// or https://")
    return ElasticsearchConnection(
        url=url.rstrip("/"),
        api_key=environment.get("ELASTICSEARCH_API_KEY") or None,
        username=environment.get("ELASTICSEARCH_USER") or None,
        password=environment.get("ELASTICSEARCH_PASSWORD") or None,
        ca_certs=environment.get("ELASTICSEARCH_CA_CERTS") or None,
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from None


def _explain(error: ValidationError, file: str, environment: Mapping[str, str]) -> str:
    names = {key.lower(): key for key in environment}
    lines = []
    for problem, location in zip(_problems(error, _allowed_keys), (e["loc"] for e in error.errors()), strict=True):
        variable = "news_" + "__".join(str(part) for part in location).lower()
        lines.append(f"{'environment ' + names[variable] if variable in names else file}: {problem}")
    return "\n".join(lines)


def _problems(error: ValidationError, allowed: Callable[[tuple[int | str, ...]], list[str]]) -> list[str]:
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "entry"
        if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            lines.append(f"{key}: unknown key; allowed are {', '.join(allowed(item['loc']))}")
        elif item["type"] in ("missing", "missing_argument"):
            lines.append(f"{key}: is missing")
        elif item["type"] == "enum":
            lines.append(f"{key}: {item['input']!r} is not one of {', '.join(kind.value for kind in SourceKind)}")
        else:
            lines.append(f"{key}: {item['input']!r}: {item['msg']}")
    return lines


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    if len(location) > 1:
        section = _Files.model_fields[str(location[0])].annotation
        return sorted(getattr(section, "model_fields", {}))
    return sorted(_Files.model_fields)

"""What keeps an installation in shape: rollover, retention, snapshots. Each step may run again at any time.

On a cluster with index lifecycle management (ILM) the rollover is left to it; on others, and on the embedded node,
it is done here. The archive is touched only where ``retention.archive_days`` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from pipeline.index.client import call
from pipeline.index.documents import iso
from pipeline.index.templates import Names
from pipeline.operations.erasure import remove_file
from pipeline.operations.rebuild import live_indices
from pipeline.reprocess import stored_articles
from pipeline.run import Services
from pipeline.settings import IndexSettings, RetentionSettings

_CHUNK = 1000


def maintain(services: Services) -> dict[str, Any]:
    """Roll over, delete what is too old, snapshot; says what was done. Raises IndexUnavailableError."""
    client, settings = services.elasticsearch, services.settings
    managed = set_up_lifecycle(client, settings.index, services.prefix)
    return {
        "lifecycle": "index lifecycle management rolls over" if managed else "not available: rolled over here",
        "rolled_over": [] if managed else roll_over(client, settings.index, services.prefix),
        "articles_deleted": delete_old_articles(client, settings.retention, services.now(), services.prefix),
        "run_reports_deleted": delete_old_reports(client, settings.retention, services.now(), services.prefix),
        "archive_files_deleted": delete_old_archive(services),
        "snapshot": snapshot(client, settings.retention, services.now(), services.prefix),
    }


# ------------------------------------------------------------------------------------------- rollover


def rollover_conditions(settings: IndexSettings) -> dict[str, Any]:
    """When an index is followed by a new one; any condition is enough. Pure."""
    conditions: dict[str, Any] = {
        "max_docs": settings.rollover_documents,
        "max_primary_shard_size": f"{round(settings.rollover_gigabytes * 1024)}mb",
    }
    if settings.rollover_days:
        conditions["max_age"] = f"{settings.rollover_days}d"
    return conditions


def roll_over(client: Elasticsearch, settings: IndexSettings, prefix: str) -> list[str]:
    """Give each family whose index has grown too large or too old a new one; returns the new ones' names.

    Both stay behind the read alias; only new articles go to the new one.
    """
    new = []
    for alias in _write_aliases(client, prefix):
        answer = call(
            lambda alias=alias: client.indices.rollover(alias=alias, conditions=rollover_conditions(settings)),  # type: ignore[misc]
            wait_seconds=60,
        )
        if answer["rolled_over"]:
            new.append(str(answer["new_index"]))
    return new


def set_up_lifecycle(client: Elasticsearch, settings: IndexSettings, prefix: str) -> bool:
    """Let ILM roll over the indices that are written to; False where the cluster has no ILM."""
    try:
        call(lambda: client.ilm.get_status())
    except Exception as error:
        if _is_missing(error):
            return False
        raise
    policy = f"{prefix}-articles"
    conditions = rollover_conditions(settings)
    call(
        lambda: client.ilm.put_lifecycle(name=policy, policy={"phases": {"hot": {"actions": {"rollover": conditions}}}})
    )
    for alias in _write_aliases(client, prefix):
        lifecycle = {"index.lifecycle.name": policy, "index.lifecycle.rollover_alias": alias}
        index = _write_index(client, alias)
        call(lambda index=index, lifecycle=lifecycle: client.indices.put_settings(index=index, settings=lifecycle))  # type: ignore[misc]
    return True


def _is_missing(error: Exception) -> bool:
    """Whether an error says that the cluster doesn't have such an interface at all."""
    cause = error if isinstance(error, ApiError) else error.__cause__
    return isinstance(cause, ApiError) and cause.meta.status in (400, 404, 405)


def _write_aliases(client: Elasticsearch, prefix: str) -> list[str]:
    pattern = re.compile(rf"{re.escape(prefix)}-(?!next-)[a-z]+(-[a-z]+)?-write")
    indices = live_indices(client, prefix)
    if not indices:
        return []
    found = call(lambda: client.indices.get_alias(index=indices))
    return sorted({alias for body in found.values() for alias in body["aliases"] if pattern.fullmatch(alias)})


def _write_index(client: Elasticsearch, alias: str) -> str:
    found = call(lambda: client.indices.get_alias(name=alias))
    writing = [index for index, body in found.items() if body["aliases"][alias].get("is_write_index")]
    return str((writing or list(found))[0])


# ------------------------------------------------------------------------------------------ retention


def delete_old_articles(client: Elasticsearch, settings: RetentionSettings, now: datetime, prefix: str) -> int:
    """Delete the articles that are older than their source's retention; returns how many."""
    deleted = 0
    for query in old_articles(settings, now):
        found = stored_articles(client, query, ["_none"], prefix=prefix)
        deleted += _delete(client, ({"_index": item["_index"], "_id": item["_id"]} for item in found))
    return deleted


def old_articles(settings: RetentionSettings, now: datetime) -> list[dict[str, Any]]:
    """The queries for what is too old: one for each source of its own, one for all others. Pure."""

    def older(days: int) -> dict[str, Any]:
        return {"range": {"@timestamp": {"lt": iso(now - timedelta(days=days))}}}

    queries: list[dict[str, Any]] = [
        {"bool": {"filter": [older(days), {"term": {"source.id": source_id}}]}}
        for source_id, days in sorted(settings.sources.items())
        if days
    ]
    if settings.days:
        others = [{"terms": {"source.id": sorted(settings.sources)}}] if settings.sources else []
        queries.append({"bool": {"filter": [older(settings.days)], "must_not": others}})
    return queries


def delete_old_reports(client: Elasticsearch, settings: RetentionSettings, now: datetime, prefix: str) -> int:
    """Delete run reports older than ``run_days``; returns how many."""
    if not settings.run_days:
        return 0
    index, deleted = Names(prefix).runs, 0
    query = {"range": {"@timestamp": {"lt": iso(now - timedelta(days=settings.run_days))}}}
    while True:
        answer = call(
            lambda: client.search(index=index, ignore_unavailable=True, query=query, size=_CHUNK, source=False)
        )
        hits = [{"_index": hit["_index"], "_id": hit["_id"]} for hit in answer["hits"]["hits"]]
        if not hits:
            return deleted
        deleted += _delete(client, iter(hits))


def _delete(client: Elasticsearch, items: Iterator[Mapping[str, str]]) -> int:
    deleted = 0
    while chunk := list(islice(items, _CHUNK)):
        operations: Sequence[Mapping[str, Any]] = [{"delete": item} for item in chunk]
        answer = call(
            lambda operations=operations: client.bulk(operations=operations, refresh=True),  # type: ignore[misc]
            wait_seconds=60,
        )
        deleted += sum(item["delete"]["status"] == 200 for item in answer["items"])
    return deleted


def delete_old_archive(services: Services) -> list[str]:
    """Delete WARC files older than ``archive_days`` that no stored article was made from; returns their names."""
    days = services.settings.retention.archive_days
    if not days:
        return []
    oldest = (services.now() - timedelta(days=days)).date()
    deleted = []
    for file in services.archive.files():
        if (written := written_on(file)) is None or written >= oldest:
            continue
        needed = call(
            lambda file=file: services.elasticsearch.count(  # type: ignore[misc]
                index=Names(services.prefix).articles, ignore_unavailable=True, query={"term": {"archive.file": file}}
            )
        )["count"]
        if not needed:
            services.ledger.erase_file(file)
            remove_file(services.archive, file)
            deleted.append(file)
    return deleted


def written_on(file: str) -> date | None:
    """The day in the name of a WARC file of ours (``YYYY/MM/DD/…``), or None. Pure."""
    match = re.match(r"(\d{4})/(\d{2})/(\d{2})/", file)
    return date(int(match[1]), int(match[2]), int(match[3])) if match else None


# ------------------------------------------------------------------------------------------ snapshots


def snapshot(client: Elasticsearch, settings: RetentionSettings, now: datetime, prefix: str) -> str:
    """Start the day's snapshot in the configured repository; says what was done. The repository must be there."""
    repository = settings.snapshot_repository
    if not repository:
        return "off (setting retention.snapshot_repository)"
    name = f"{prefix}-{now:%Y.%m.%d}"
    try:
        call(
            lambda: client.snapshot.create(
                repository=repository, snapshot=name, indices=f"{prefix}-*", wait_for_completion=False
            )
        )
    except Exception as error:
        if "invalid_snapshot_name_exception" in str(error.__cause__) or "already exists" in str(error):
            return f"{name} is there already"
        if _is_missing(error):
            return f"not taken: {error}"
        raise
    return f"{name} started in {repository}"

"""How long articles are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pipeline.settings import RetentionSettings


def days_of(settings: RetentionSettings, source_id: str) -> int:
    """The days that a source's articles are kept; 0 for ever."""
    return settings.sources.get(source_id, settings.days)


def expired(document: Mapping[str, Any], settings: RetentionSettings, now: datetime) -> bool:
    """Whether an article is too old to be kept: by its publication date, else by when its bytes were read.

    What was deleted for its age would otherwise come back with the next run of a source that still names it.
    """
    days = days_of(settings, document["source"]["id"])
    if not days:
        return False
    dated = document.get("timestamp_basis") == "published"
    moment = document["@timestamp"] if dated else document["fetched_at"]
    return datetime.fromisoformat(moment) < now - timedelta(days=days)

"""Log lines that machines can read: one JSON object a line, with the fields' names after the Elastic Common Schema.

What belongs to one article carries ``news.run.id``, ``news.source.id`` and ``url.full`` (or ``file.path``), and says
the same in its message, for logs that keep nothing but messages.
"""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime
from typing import Any

from pipeline.models import ItemResult, OutcomeKind
from pipeline.urls import without_credentials

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, error, and every extra field."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "@timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "log.level": record.levelname.lower(),
            "log.logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error.type"] = record.exc_info[0].__name__
            line["error.message"] = str(record.exc_info[1])
            line["error.stack_trace"] = self.formatException(record.exc_info)
        line |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        return json.dumps(line, ensure_ascii=False, default=str)


class LinesToLog(io.TextIOBase):
    """A text stream whose lines become log records: what is said to people, in a log for machines."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._begun = ""

    def write(self, text: str) -> int:
        """Log each line that is whole by now."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip():
                self._log.info("%s", line.rstrip())
        return len(text)


def log_outcome(log: logging.Logger, run_id: str, result: ItemResult) -> None:
    """One line for one article's end: a warning where it failed."""
    level = logging.WARNING if result.outcome.kind is OutcomeKind.FAILED else logging.INFO
    if not log.isEnabledFor(level):
        return
    name, outcome = without_credentials(result.ref.name), result.outcome
    reason = f"({outcome.reason.value})" if outcome.reason else ""
    fields = {
        "event.action": f"article.{outcome.kind.value}",
        "event.reason": outcome.reason.value if outcome.reason else None,
        "news.run.id": run_id,
        "news.source.id": result.ref.source_id,
        "news.stage": result.stage,
        "news.document.id": result.document_id,
        "url.full" if result.ref.url else "file.path": name,
        "error.message": outcome.detail or None,
    }
    log.log(
        level,
        "%s%s %s source=%s run=%s stage=%s%s",
        outcome.kind.value, reason, name, result.ref.source_id, run_id, result.stage,
        f": {outcome.detail}" if outcome.detail else "",
        extra={key: value for key, value in fields.items() if value is not None},
    )  # fmt: skip

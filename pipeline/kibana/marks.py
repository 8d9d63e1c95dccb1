"""The mark that setup leaves in each object: who wrote it, which version, and two hashes.

It stands at the end of the object's description, where people see it: ``[news-pipeline 1 3f2a… 9c01…]``. The first
hash is of what this project defines, the second of what Kibana made of it. So it can be told, from the object alone,
whether the definition has moved on since (update it), and whether somebody has changed the object (leave it alone).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VERSION = 1
"""Of the objects' definitions. The hashes notice every change; this is for people."""

UNFINISHED = "0" * 12
"""Stands for the second hash until the object has been read back; an interrupted setup leaves it."""

_MARK = re.compile(r"\s*\[news-pipeline (\d+) ([0-9a-f]{12}) ([0-9a-f]{12})\]")


@dataclass(frozen=True, slots=True)
class Mark:
    """What an object says about where it comes from."""

    version: int
    defined: str
    stored: str

    def __str__(self) -> str:
        return f"[news-pipeline {self.version} {self.defined} {self.stored}]"


def read(text: str | None) -> Mark | None:
    """The mark in a description, or None."""
    found = _MARK.search(text or "")
    return Mark(int(found[1]), found[2], found[3]) if found else None


def strip(text: str | None) -> str:
    """The description without its mark."""
    return _MARK.sub("", text or "").strip()


def put(text: str | None, mark: Mark) -> str:
    """The description with this mark, in the place of an earlier one."""
    return f"{strip(text)} {mark}".strip()


def fingerprint(content: Mapping[str, Any]) -> str:
    """Twelve hex digits; equal for equal content, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:12]

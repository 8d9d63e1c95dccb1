"""What an article said before: one entry per version whose text was replaced by another. Pure.

An entry tells when the change was seen (``at``, the fetch of the new version), what the earlier version's
``content_hash`` and ``headline`` were, which sentences the change ``removed`` and ``added``, and ``silent_edit``: that
the page states the same modification date as before, or still none. Raw pages stay in the archive; this is the
digest for readers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

MOST_REVISIONS = 20
"""Entries kept, the latest; ``revision_count`` counts those before them too."""

_MOST_SENTENCES = 20
_LONGEST_SENTENCE = 400
_MOST_COMPARISONS = 4_000_000

# A full stop within "3.5" or "example.com" has no blank after it; Chinese and Japanese ones need none.
_SENTENCE_END = re.compile(
    r"(?<=[.!?…؟।])\s+|(?<=[.!?…؟।][\"'”’»)\]])\s+|(?<=[。！？])(?![」』”])|(?<=[。！？][」』”])|\n+"
)


def revision(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any] | None:
    """The entry about ``before`` when ``after`` replaces it; None where no sentence of the body has changed.

    None also where both were read from the same archived bytes (or, without an archive, at the same moment): then only
    the reading has changed, not the page. ``omitted`` counts changed sentences beyond the 20 kept of each kind.
    """
    if "body" not in before or _same_page(before, after):
        return None
    removed, added = changed_sentences(before["body"], after.get("body", ""))
    if not removed and not added:
        return None
    entry = {
        "at": after["fetched_at"],
        "content_hash": before.get("content_hash"),
        "headline": before.get("headline"),
        "modified_at": before.get("modified_at"),
        "silent_edit": before.get("modified_at") == after.get("modified_at"),
        "removed": [_shortened(sentence) for sentence in removed[:_MOST_SENTENCES]],
        "added": [_shortened(sentence) for sentence in added[:_MOST_SENTENCES]],
        "omitted": (max(0, len(removed) - _MOST_SENTENCES) + max(0, len(added) - _MOST_SENTENCES)) or None,
    }
    return {key: value for key, value in entry.items() if value is not None and value != []}


def with_revision(stored: Mapping[str, Any], entry: Mapping[str, Any] | None) -> dict[str, Any]:
    """``revisions`` and ``revision_count`` of the version that follows ``stored``, oldest first.

    A change that is listed already (one page was read into the index again) is not listed twice.
    """
    kept = stored.get("revisions") or []
    kept = list(kept) if isinstance(kept, list) else [kept]
    count = stored.get("revision_count") or len(kept)
    if entry is not None and all(known.get("at") != entry["at"] for known in kept):
        kept.append(entry)
        count += 1
    if not kept:
        return {}
    kept.sort(key=lambda known: known.get("at", ""))
    return {"revisions": kept[-MOST_REVISIONS:], "revision_count": count}


def changed_sentences(before: str, after: str) -> tuple[list[str], list[str]]:
    """Sentences of ``before`` that are gone and those of ``after`` that are new, each in the order of its text.

    Blanks between words don't count. A sentence that was moved is gone in one place and new in another.
    """
    old, new = list(_sentences(before)), list(_sentences(after))
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if len(old) * len(new) > _MOST_COMPARISONS:
        # Comparing in order would take too long; which sentences come and go is known all the same.
        return _beyond(old, new), _beyond(new, old)
    removed: list[str] = []
    added: list[str] = []
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            removed += old[old_from:old_to]
            added += new[new_from:new_to]
    return removed, added


def as_lines(document: Mapping[str, Any]) -> list[str]:
    """A document's revisions for the terminal, the latest first: ``-`` what was taken out, ``+`` what was put in."""
    entries = document.get("revisions") or []
    entries = entries if isinstance(entries, list) else [entries]
    count = document.get("revision_count") or len(entries)
    if not count:
        return ["No earlier version: the text is as it was first seen."]
    lines = [f"{count} earlier version{'s' if count > 1 else ''}, first seen {document.get('first_seen_at', '?')}"]
    for entry in reversed(entries):
        silent = "  silent edit: the page states no new modification date" if entry.get("silent_edit") else ""
        lines += ["", f"changed {entry.get('at', '?')}{silent}"]
        if entry.get("headline") and entry["headline"] != document.get("headline"):
            lines.append(f"  headline then: {entry['headline']}")
        lines += [f"  - {sentence}" for sentence in _listed(entry.get("removed"))]
        lines += [f"  + {sentence}" for sentence in _listed(entry.get("added"))]
        if entry.get("omitted"):
            lines.append(f"  … and {entry['omitted']} more changed sentences")
    if count > len(entries):
        lines += ["", f"{count - len(entries)} earlier changes are no longer listed."]
    return lines


def _sentences(text: str) -> Iterator[str]:
    for piece in _SENTENCE_END.split(text):
        if sentence := " ".join(piece.split()):
            yield sentence


def _beyond(some: Sequence[str], others: Sequence[str]) -> list[str]:
    left = Counter(others)
    found = []
    for sentence in some:
        if left[sentence]:
            left[sentence] -= 1
        else:
            found.append(sentence)
    return found


def _same_page(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    old, new = ((version.get("archive") or {}).get("digest") for version in (before, after))
    if old and new:
        return bool(old == new)
    return bool(before.get("fetched_at") == after.get("fetched_at"))


def _shortened(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST_SENTENCE else sentence[: _LONGEST_SENTENCE - 1] + "…"


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [] if value is None else [value]

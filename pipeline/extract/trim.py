"""What sticks to an article's text in spite of all: its own headline, date and sharing lines before it, boxes after it. Pure."""

from __future__ import annotations

import re

from pipeline.extract.dates import find_date
from pipeline.extract.plaintext import is_furniture

_LONGEST_LABEL = 100
_BEGINNING = 12  # blocks in which the story must have begun
_ENDING_SHARE = 0.25  # of the text may be cut off at most at an ending mark

# Headings that begin what comes after the story.
_END_MARK = re.compile(
    r"(?:related|recommended|similar|more|other|further|latest|recent|popular|trending|featured|you (?:may|might) (?:also )?(?:like|enjoy|be interested in))"
    r"(?:\s+(?:articles?|posts?|stories|story|content|reading|news|topics?|resources|links|blogs?|from\b.{0,60}|on\b.{0,60}|like this|for you))?\W*"
    r"|(?:about|meet) the authors?\W*|(?:leave|post|add|write) a (?:comment|reply)\W*|(?:\d+ )?(?:comments?|responses|replies)(?: \(\d+\))?\W*"
    r"|share (?:this|on|via)\b.{0,60}|(?:subscribe|sign up)(?: (?:to|for)\b.{0,80})?\W*|join (?:our|the) (?:newsletter|mailing list)\b.{0,60}"
    r"|(?:stay|keep) (?:up to date|updated|informed|connected|in touch)\W*|what to read next\W*|read (?:more|next|this next)\W*|keep reading\W*|next (?:article|post|story|up)\W*"
    r"|mehr zum thema\W*|das könnte (?:sie|dich) auch interessieren\W*|à lire aussi\W*|sur le même sujet\W*|te puede interesar\W*|leggi anche\W*|lees ook\W*",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"(?:home|blog|news|articles?)(?:\s*[>/»›|]\s*.{0,80})?|(?:(?:written|posted|reviewed|edited|medically reviewed|fact[- ]checked)\s+)?by\s*:?\s*.{2,60}"
    r"|\d+\s*(?:min(?:ute)?s?\.?)\s*(?:read(?:ing time)?)?|(?:reading time|read time)\s*:?.{0,30}|(?:last\s+)?(?:updated|published|modified|posted)\s*(?:on|at)?\s*:?"
    r"|table of contents|in this article|share|\d+ shares?|jump to recipe|listen to (?:this )?article.{0,40}",
    re.IGNORECASE,
)


def trim(blocks: list[str], headline: str) -> tuple[list[str], list[str]]:
    """The blocks of the story, and those taken off: before its beginning, after its end, and furniture in between."""
    kept: list[str] = []
    removed: list[str] = []
    title = _key(headline)
    begun = False
    for number, block in enumerate(blocks):
        if not begun and number < _BEGINNING:
            if _key(block) == title or (len(block) <= _LONGEST_LABEL and _is_opening(block)):
                removed.append(block)
                continue
            begun = len(block) > _LONGEST_LABEL
        if is_furniture(block):
            removed.append(block)
            continue
        kept.append(block)
    end = _end(kept)
    return kept[:end], removed + kept[end:]


def _end(blocks: list[str]) -> int:
    total = sum(map(len, blocks))
    after = 0
    end = len(blocks)
    for number in range(len(blocks) - 1, 0, -1):
        block = blocks[number]
        after += len(block)
        if after > _ENDING_SHARE * total:
            break
        if len(block) <= _LONGEST_LABEL and _END_MARK.fullmatch(block.lstrip("- ")):
            end = number
    return end


def _is_opening(block: str) -> bool:
    if _OPENING.fullmatch(block):
        return True
    date = find_date(block)
    # A line that is hardly more than a date.
    return date is not None and len(block) - (date[2] - date[1]) <= 40


def _key(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())

"""What sticks to an article's text in spite of all: its own headline, date and sharing lines before it, boxes after it. Pure."""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.extract.dates import find_date
from pipeline.extract.density import columns
from pipeline.extract.furniture import is_furniture, is_note_on, is_pointer, is_role
from pipeline.extract.structured import letters_of

_LONGEST_LABEL = 100
_LONGEST_CAPTION = 140
_LONGEST_KICKER = 30
_WORDS_OF_CAPTION = 5
_BESIDE_DATE = 40
_LONGEST_DATELINE = 140
# "NWS Nieuws • Woensdag, 16:42"
_TODAY = re.compile(r"[^.!?]{0,30}\b[^\W\d]{2,12}\W{1,3}\d{1,2}[:.h]\d\d(?:\s?\w{1,4})?")
_BEGINNING = 12  # blocks in which the story must have begun
_ENDING_SHARE = 0.35  # of the text may be cut off at most at an ending mark

# Headings that begin what comes after the story.
_END_MARK = re.compile(
    r"(?:related|recommended|similar|more|other|further|latest|recent|popular|trending|featured|you (?:may|might) (?:also )?(?:like|enjoy|be interested in))"
    r"(?:\s+(?:articles?|posts?|stories|story|content|reading|news|topics?|resources|links|blogs?|insights|guides?|reads|from\b.{0,60}|on\b.{0,60}|like this|for you))?\W*"
    r"|(?:about|meet) the (?:author|reviewer|writer|contributor)s?\W*|(?:leave|post|add|write) a (?:comment|reply)\W*|(?:\d+ )?(?:comments?|responses|replies)(?: \(\d+\))?\W*"
    r"|share (?:this|on|via)\b.{0,60}|(?:subscribe|sign up)(?: (?:to|for)\b.{0,80})?\W*|join (?:our|the) (?:newsletter|mailing list)\b.{0,60}"
    r"|(?:stay|keep) (?:up to date|updated|informed|connected|in touch)\W*|(?:explore|see|view) (?:more|all)(?: .{0,30})?|up next\W*|(?:article |editor'?s? )?(?:disclaimer|disclosure)s?\W*|what to read next\W*|read (?:more|next|this next|this)\W*|keep reading\W*|next (?:article|post|story|up)\W*"
    r"|(?:meer (?:uit|over)|mehr (?:aus|von|zu)|plus d[e’']|más (?:de|sobre)|mais (?:de|sobre)|altro (?:da|su)|mer (?:från|om)|więcej (?:z|o)|ещё по теме)\b.{0,60}"
    r"|mehr zum thema\W*|das könnte (?:sie|dich) auch interessieren\W*|sur le même sujet\W*",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"(?:(?:image|photo|picture|photograph|illustration|graphic|video)s?(?:\s+(?:credit|courtesy|source|copyright|caption))?s?\s*(?::|by\b|via\b|courtesy of\b|©)"
    r"|credits?\s*:|\(?(?:foto|bild|crédit|crédits?)\s*:|(?:getty images|shutterstock|istock|alamy|reuters|afp|unsplash|pexels)\b(?:\s*/\s*\w.{0,40})?$)",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"[\d.,]+k?|(?:home|blog|news|articles?)(?:\s*[>/»›|]\s*.{0,80})?|(?:(?:written|posted|reviewed|edited|medically reviewed|fact[- ]checked)\s+)?by\s*:?\s*.{2,60}"
    r"|\d+\s*(?:min(?:ute)?s?\.?)\s*(?:read(?:ing time)?)?|(?:reading time|read time)\s*:?.{0,30}|(?:last\s+)?(?:updated|published|modified|posted)\s*(?:on|at)?\s*:?"
    r"|table of contents|in this article|share|\d+ shares?|jump to recipe|listen to (?:this )?article.{0,40}",
    re.IGNORECASE,
)


# Dots between labels.
_MARKS = re.compile(r"[^\w]{1,3}")
_COUNTER = re.compile(r"(\d{1,3})\s?/\s?(\d{1,3})")
_BETWEEN_NAMES = re.compile(
    r"(?:\W|\b(?:by|von|par|por|di|da|door|av|af|and|und|et|y|e|en|och|og|text|texto|texte)\b)*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The blocks of the story, and what was taken off: captions and furniture."""

    kept: list[str]
    captions: list[str]
    removed: list[str]


def trim(
    blocks: list[str], headline: str, authors: tuple[str, ...] = (), under_pictures: tuple[str, ...] = ()
) -> Trimmed:
    """Take off what stands before the story's beginning and after its end, and furniture and captions in between.

    ``under_pictures`` are the captions that are known from the page; they lead those that are found.
    """
    # A short one may be the name of something that the story has a heading for.
    known = {letters_of(caption) for caption in under_pictures if len(caption.split()) >= _WORDS_OF_CAPTION}
    kept: list[str] = []
    captions = list(under_pictures)
    removed: list[str] = []
    title = letters_of(headline)
    counters = _counters(blocks)
    long = 0
    for number, block in enumerate(blocks):
        if number < _BEGINNING and long <= 1:
            # The date may stand below the summary, the first long block; other labels don't.
            is_label = _is_dateline(block) or (long == 0 and (_repeats(block, title) or _is_opening(block)))
            if is_label:
                removed.append(block)
                continue
            long += columns(block) > _LONGEST_LABEL
        if letters_of(block) in known:
            continue
        if number < _BEGINNING and _is_byline(block, authors):
            removed.append(block)
            continue
        if is_furniture(block) or _MARKS.fullmatch(block) or block in counters:
            removed.append(block)
            continue
        if len(block) <= _LONGEST_CAPTION and _CREDIT.match(block):
            captions.append(block)
            continue
        kept.append(block)
    while len(kept) > _BEGINNING / 4 and ":" in kept[-1] and _is_dateline(kept[-1]):
        removed.append(kept.pop())  # "Data utworzenia: 5 sierpnia 2025, 15:02"
    end = _end(kept, authors)
    pointers = [block for block in kept[:end] if is_pointer(block)]
    story = [block for block in kept[:end] if not is_pointer(block)]
    return Trimmed(story, captions, removed + pointers + kept[end:])


def _counters(blocks: list[str]) -> frozenset[str]:
    """The counters of a picture gallery ("1/4", "2/4" …); ratings ("5/10") don't count up."""
    found = [match for block in blocks if (match := _COUNTER.fullmatch(block))]
    if len(found) < 2 or [int(match[1]) for match in found] != list(range(1, len(found) + 1)):
        return frozenset()
    return frozenset(match[0] for match in found)


def _end(blocks: list[str], authors: tuple[str, ...]) -> int:
    """Where the story ends: before the first ending mark or note on an author that little text follows."""
    total = sum(map(len, blocks))
    after = 0
    end = len(blocks)
    for number in range(len(blocks) - 1, 0, -1):
        block = blocks[number]
        after += len(block)
        if after > _ENDING_SHARE * total:
            break
        if (
            len(block) <= _LONGEST_LABEL
            and (
                _END_MARK.fullmatch(block.lstrip("- ")) or (is_pointer(block) and _only_headlines(blocks[number + 1 :]))
            )
        ) or (number > 0.6 * len(blocks) and any(is_note_on(author, block) for author in authors)):
            end = number
    return end


def _only_headlines(blocks: list[str]) -> bool:
    return all(len(block) <= _LONGEST_LABEL for block in blocks)


def _is_byline(block: str, authors: tuple[str, ...]) -> bool:
    """Whether a line is the authors' names and nothing else but "By" and "and"."""
    if not authors or len(block) > _LONGEST_LABEL:
        return False
    rest = block.casefold()
    # "ANTÍA CASTRO CAMARIÑAS / LA VOZ": in capitals, with the place and the paper.
    if block.isupper() and any(rest.startswith(author.casefold()) for author in authors):
        return True
    for author in authors:
        rest = rest.replace(author.casefold(), " ")
    return rest != block.casefold() and _BETWEEN_NAMES.fullmatch(rest) is not None


def _repeats(block: str, title: str) -> bool:
    """Whether a line is the headline, maybe behind a word or two ("Fund im Harz Förster findet …")."""
    key = letters_of(block)
    return key == title or (
        len(title) > _LONGEST_KICKER and key.endswith(title) and len(key) - len(title) <= _LONGEST_KICKER
    )


def _is_opening(block: str) -> bool:
    return len(block) <= _LONGEST_LABEL and (_OPENING.fullmatch(block) is not None or is_role(block))


def _is_dateline(block: str) -> bool:
    """Whether a line is hardly more than its dates."""
    if _TODAY.fullmatch(block):
        return True
    if columns(block) > _LONGEST_DATELINE or block.endswith(("。", "！", "？")):
        return False
    rest, start, dates = len(block), 0, 0
    while date := find_date(block, start):
        rest -= date[2] - date[1]
        start = date[2]
        dates += 1
    return dates > 0 and rest <= _BESIDE_DATE * dates

"""A general cleaner for scraped plain text: the story stays, the page's furniture goes, captions are kept apart. Pure.

Normal prose passes through unchanged: a line is taken out only where it is, as a whole, a known piece of furniture,
and captions are looked for only in text that bears the marks of scraping.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from pipeline.models import RemovedText

MAX_HEADLINE = 250
_SCRAPE_MARKS_NEEDED = 1
_CAPTIONS_NEEDED = 2
_WRAP_WIDTH = (40, 120)

_FURNITURE = re.compile(
    r"""
    (?:\W*(?:please\s+)?scroll\s+down\s+(?:for|to\s+(?:see|watch|read))\b.{0,60}
    | \W*(?:click|tap)\s+here\s+(?:to|for)\b.{0,80}
    | \W*(?:read|see|find\s+out|learn|show|view|load|watch)\s+more\W*(?:here|below|stories|comments)?\W*
    | \W*(?:read|see)\s+(?:more|also|next|full\s+(?:article|story))\s*[:>»…].{0,160}
    | \W*(?:also\s+read|read\s+also|you\s+may\s+also\s+like|you\s+might\s+also\s+like|recommended(?:\s+(?:for\s+you|stories|reading))?
        |related(?:\s+(?:articles?|stories|content|topics|links))|more\s+(?:from|on\s+this\s+story|stories)|most\s+(?:read|popular|viewed)
        |trending(?:\s+now)?|don.t\s+miss)\s*(?:[:>»…].{0,160})?
    | \W*(?:read|view)\s+(?:the\s+)?full\s+(?:article|story)\W*
    | \W*(?:continue|keep)\s+reading(?:\s+(?:below|the\s+main\s+story))?\W*
    | \W*(?:story|article)\s+continues\s+(?:below|after).{0,60}
    | \W*skip\s+(?:to\s+(?:content|main\s+content)|advertisement|ad|past\s+newsletter\s+promotion)\W*
    | \W*(?:advertisement|advertising|sponsored(?:\s+content)?|ad|anzeige|werbung|publicit[ée]|publicidad|pubblicit[àa]|реклама)\W*
    | \W*share\s+(?:this\s*)?(?:article|story|page|on\s+(?:facebook|twitter|x|whatsapp|linkedin|reddit|pinterest))?\W*
    | \W*(?:[\d,.]+k?\s+)?(?:shares?|views?|comments?)\s*(?:[\d,.]+k?)?\W*
    | \W*(?:facebook|twitter|whatsapp|email|e-mail|print|copy\s+link|linkedin|pinterest|reddit|telegram|flipboard|messenger)
        (?:[\s,|/]+(?:facebook|twitter|x|whatsapp|email|e-mail|print|copy\s+link|linkedin|pinterest|reddit|telegram|flipboard|messenger))*\W*
    | \W*(?:follow|like)\s+us\s+on\b.{0,80}
    | \W*(?:sign\s+up|subscribe|register)\s+(?:(?:now\s+)?(?:for|to)\s+(?:our|the|get)\b.{0,120}|here\W*|now\W*)?
    | \W*(?:get|download)\s+(?:the|our)\s+(?:free\s+)?(?:app|newsletter)\b.{0,80}
    | \W*(?:log|sign)\s+in(?:\s+to\s+(?:comment|continue|read).{0,60})?\W*
    | \W*(?:what\s+do\s+you\s+think\?\s+)?(?:comment\s+below|join\s+the\s+(?:conversation|discussion)|leave\s+a\s+(?:comment|reply)|post\s+a\s+comment)\W*
    | \W*loading(?:\s+(?:video|comments|more))?\W*
    | \W*(?:play|watch|pause|mute|unmute|replay)(?:\s+(?:video|again|the\s+video|now))?\W*
    | \W*(?:©|\(c\)|copyright)\s.{0,160}
    | .{0,100}\ball\s+rights\s+reserved\.?\W*
    | \W*(?:we\s+use|this\s+(?:site|website)\s+uses)\s+cookies\b.{0,300}
    | \W*(?:accept|reject)\s+(?:all\s+)?cookies\W*
    | \W*(?:back\s+to\s+top|top\s+of\s+page|next\s+article|previous\s+article|view\s+comments|hide\s+caption|toggle\s+caption|enlarge\s+(?:this\s+)?image)\W*
    | \W*view\s+this\s+post\s+on\s+\w+\W* | \W*a\s+(?:post|photo|video|reel)\s+shared\s+by\s.{0,120}@\w.{0,60}
    | (?:\W*notice:)?\W*(?:this\s+\w+\s+requires\s+javascript|javascript\s+is\s+(?:required|disabled)\b.{0,60}|(?:please\s+)?enable\s+javascript\b.{0,80})\W*
    | \W*like\s+(?:this:|loading\W{1,4})\W*
    | \W*page\s+\d+(?:\s+of\s+\d+)?\W*
    | \W*(?:end\s+of\s+)?(?:newsletter|article|email)\s+promo(?:tion)?\W*
    | \W*\d+\s+min(?:ute)?s?\s+read\W*)
    """,
    re.IGNORECASE | re.VERBOSE,
)
# What stands before the headline of another story in the middle of one.
_POINTER = re.compile(
    r"\W*(?:read\s+(?:more|also|next)|also\s+read|see\s+also|lesen\s+sie\s+(?:auch|mehr|hier)|lies\s+auch|mehr\s+(?:dazu|zum\s+thema)|auch\s+interessant"
    r"|(?:à\s+)?(?:lire|voir)\s+aussi|à\s+lire(?:\s+également)?|lea\s+(?:también|además|más)|lee\s+también|(?:te|le)\s+puede\s+interesar|ver\s+también"
    r"|leia\s+(?:também|mais)|ver\s+também|veja\s+também|leggi\s+anche|lees\s+ook|läs\s+(?:också|även|mer)|les\s+også|læs\s+også|lue\s+myös"
    r"|czytaj\s+(?:też|także|również)|zobacz\s+też|čtěte\s+také|читайте\s+(?:также|ещё|еще)|читать\s+также|читайте\s+також|ayrıca\s+okuyun|bunu\s+da\s+okuyun"
    r"|اقرأ\s+أيضا?[ًّ]?ا?|関連記事|あわせて読みたい|相关阅读|相關閱讀)(?!\w)",
    re.IGNORECASE,
)
_LONGEST_POINTER = 200
_SOURCE_LINE = re.compile(r"\W*(?:source|sources|quelle|fuente|fonte|via)\s*:\s*\S.{0,140}", re.IGNORECASE)
_LABELLED_CAPTION = re.compile(
    r"\W*(?:(?:image|photo|picture|file\s+photo|video|media)\s+(?:caption|credit|copyright|source)s?\b|caption:|(?:photo|image|picture|file\s+photo)\s*(?::|by\b)"
    r"|\((?:photo|image|picture)\s+(?:by|credit)|(?:foto|bild)\s*:).{0,400}",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"(?:[\w .,'’-]{0,60}(?:/|\bvia\b|\|)\s*)?(?:getty(?:\s+images)?|reuters|afp|ap(?:\s+photo)?|epa|shutterstock|alamy|pa(?:\s+wire)?)(?:\s*/\s*[\w .'’-]{1,40})?",
    re.IGNORECASE,
)
_NAME = r"[^\W\d_][\w.'’-]*(?:\s+[^\W\d_][\w.'’-]*){0,4}"
# Several names are joined by "and"; what follows a lone name after a comma is the paper or the place.
_BYLINE = re.compile(
    rf"(?:written\s+|reported\s+|posted\s+)?by\s+(?P<names>{_NAME}?(?:(?:\s*,\s*{_NAME}?){{0,5}}\s*(?:\band\b|&)\s*{_NAME}?)?)"
    r"\s*(?:(?:,|\||–|—|-|\bfor\b|\bin\b)\s*(?P<rest>.{0,80}))?",
    re.IGNORECASE,
)
_DATELINE = re.compile(
    r"\W*(?P<label>published|updated|posted|last\s+(?:updated|modified)|first\s+published|created|date)\s*(?:on|at)?\s*:?\s*(?P<date>.{4,80}?\d.{0,80})",
    re.IGNORECASE,
)
_BULLET = re.compile(r"[ \t\u00a0]*(?:[•●▪■◦‣⁃∙·]|[*\-–—](?=[ \t\u00a0]))[ \t\u00a0]*(?=\S)")
_STRONG_BULLET = re.compile(r"[ \t\u00a0]*[•●▪■◦‣⁃∙]")
_STRONG_MARKS = re.compile(
    r"\W*(?:scroll\s+down\s+(?:for|to\s+(?:see|watch))\b.{0,60}|source\s*:\s*read\s+(?:the\s+)?full\s+(?:article|story)\W*|share\s+this\s+(?:article|story)\W*"
    r"|read\s+more\W*|(?:read|see)\s+(?:more|also)\s*:.{0,160}|advertisement\W*|(?:click|tap)\s+here\s+to\s+(?:resize|enlarge).{0,60}|hide\s+caption\W*|(?:view|enlarge)\s+image\W*)",
    re.IGNORECASE,
)
# A sentence ends with one of these, maybe within closing quotes and brackets.
_SENTENCE_END = re.compile(r"[.!?…。！？｡।؟۔։;:，、][\"'’”»›)\]】」』*]*$|[\"’”»」』]$")
_BREAK_IN_SENTENCE = re.compile(r"([\w,;-])\n*\f\n*(?=[a-zà-öø-ÿ])")
_PAGE_BREAK = re.compile(r"[ \t]*\f[ \t]*")
_BLANKS = " \t\u00a0"
_RULE = re.compile(r"[\s\-_=*~·•.…‒–—―─━═#+|<>^°◆■●▪]+")
_LONG_BLANKS = re.compile("[ \t\u00a0]{100,}")
_LONGEST_FURNITURE = 320
_INVISIBLE = re.compile("[\u2060\ufeff\u00ad\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class CleanText:
    """A cleaned text. ``body`` is paragraphs separated by blank lines and does not repeat the headline."""

    headline: str
    body: str
    description: str | None = None
    authors: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    removed: tuple[RemovedText, ...] = ()


def clean(text: str) -> CleanText:
    """Split a scraped text into headline, body and what is neither. Every sentence of the story stays in the body."""
    return _Cleaner(_paragraphs(repair(text))).result()


def repair(text: str) -> str:
    """Undo what happened to the characters on the way: mojibake, foreign line ends, invisible marks. Typography stays."""
    text = (
        text.replace("\r\n", "\n")
        .replace("\r", "\n")
        .replace("\u2028", "\n")
        .replace("\u2029", "\n\n")
        .replace("\x85", "\n")
    )
    # Runs of blanks that no text has would make the patterns below slow.
    text = _LONG_BLANKS.sub("  ", _INVISIBLE.sub("", text))
    return fix_mojibake(text)


def fix_mojibake(text: str) -> str:
    """``â€œGrÃ¼ÃŸeâ€\x9d`` as „Grüße“ was meant; clean text comes back as it is, letter by letter (ftfy, line by line)."""
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    if text.isascii() or not is_bad(text):
        return text
    return "\n".join(fix_encoding(line) if not line.isascii() and is_bad(line) else line for line in text.split("\n"))


def is_furniture(line: str) -> bool:
    """Whether a line, as a whole, is a known piece of a page's furniture ("Scroll down for video", "Read more")."""
    return len(line) <= _LONGEST_FURNITURE and _FURNITURE.fullmatch(line) is not None


def leads_elsewhere(line: str) -> bool:
    """Whether a line begins as a pointer to another story does ("Lesen Sie auch …"), and is no longer than one."""
    return len(line) <= _LONGEST_POINTER and _POINTER.match(line) is not None


def is_pointer(line: str) -> bool:
    """Whether a line is a pointer to another story: the label alone, or the label, a colon and a headline."""
    label = _POINTER.match(line) if len(line) <= _LONGEST_POINTER else None
    return label is not None and re.fullmatch(r"\W*|\s*[:：>»›…→].*", line[label.end() :]) is not None


def fits_as_headline(line: str) -> bool:
    """Whether a line can stand as a headline: not empty, not a paragraph."""
    return 0 < len(line) <= MAX_HEADLINE


def _paragraphs(text: str) -> list[list[str]]:
    """The text's paragraphs as lists of logical lines: hard wraps undone, list items apart."""
    text = _PAGE_BREAK.sub("\f", text)
    # A page break in the middle of a sentence is no end of a paragraph.
    blocks = _split(_BREAK_IN_SENTENCE.sub(r"\1\n", text))
    trimmed = [[line.rstrip(_BLANKS) for line in block] for block in blocks]
    if width := _wrap_width(trimmed):
        blocks = trimmed
    elif "\f" in text:
        blocks = _split(_BREAK_IN_SENTENCE.sub(r"\1 ", text))  # no wrap that would undo the break
    vocabulary = set(re.findall(r"[^\W\d_]+", text.lower())) if width else set()
    paragraphs: list[list[str]] = []
    for block in blocks:
        if width:
            block = _unwrap(block, width, vocabulary)
        # Lines of an unwrapped block are paragraphs of their own, except list items, which belong together.
        for line in block:
            bullet = _BULLET.match(line)
            if bullet and paragraphs and paragraphs[-1] and _BULLET.match(paragraphs[-1][-1]) and line is not block[0]:
                paragraphs[-1].append(line)
            else:
                paragraphs.append([line])
    return paragraphs


def _split(text: str) -> list[list[str]]:
    """The blocks between blank lines and page breaks, as lists of their lines."""
    blocks: list[list[str]] = []
    for block in re.split(r"\n[ \t\u00a0]*\n", text.replace("\f", "\n\n")):
        if lines := [line for line in block.split("\n") if line.strip(_BLANKS)]:
            blocks.append(lines)
    return blocks


def _wrap_width(blocks: list[list[str]]) -> int | None:
    """The column at which the lines were wrapped, or None where the text is not hard-wrapped.

    A break is a wrap where the next line's first word would not have fitted before the widest line's end.
    """
    lines = [line for block in blocks for line in block]
    width = max(map(len, lines), default=0)
    if not _WRAP_WIDTH[0] <= width <= _WRAP_WIDTH[1]:
        return None
    breaks = wraps = 0
    for block in blocks:
        for line, following in itertools.pairwise(block):
            if _BULLET.match(following):
                continue
            breaks += 1
            wraps += _is_wrap(line, following, width)
    return width if breaks >= 3 and wraps >= 0.6 * breaks else None


def _is_wrap(line: str, following: str, width: int) -> bool:
    return len(line) + 1 + len(following.split(None, 1)[0]) > width


def _unwrap(block: list[str], width: int, vocabulary: set[str]) -> list[str]:
    joined = [block[0]]
    previous = block[0]
    for line in block[1:]:
        in_list = _BULLET.match(joined[-1]) is not None and line[:1] in " \t"
        if not _BULLET.match(line) and (_is_wrap(previous, line, width) or in_list):
            joined[-1] = _join(joined[-1], line.lstrip(), vocabulary)
        else:
            joined.append(line)
        previous = line
    return joined


def _join(one: str, other: str, vocabulary: set[str]) -> str:
    if one.endswith("-") and re.search(r"[^\W\d_]-$", one) and other[:1].islower():
        head = re.findall(r"[^\W\d_]+", one)[-1]
        tail = re.match(r"[^\W\d_]+", other)
        if tail and (head + tail[0]).lower() in vocabulary:
            return one[:-1] + other  # the word is met whole elsewhere: the hyphen is the wrap's
        return one + other
    return f"{one} {other}"


class _Cleaner:
    """One pass over the paragraphs: sort each into story, caption or furniture."""

    def __init__(self, paragraphs: list[list[str]]) -> None:
        self.paragraphs = [[_tidy(line) for line in paragraph] for paragraph in paragraphs]
        # What stays in the story stays as it came, blanks at the ends of lines and indented code included.
        self.as_it_came = {
            line.strip(_BLANKS): line for paragraph in paragraphs for line in paragraph if not _BULLET.match(line)
        }
        self.removed: list[RemovedText] = []
        self.captions: list[str] = []
        self.authors: list[str] = []
        self.published: list[str] = []
        self.modified: list[str] = []

    def result(self) -> CleanText:
        scraped = sum(
            1
            for paragraph in self.paragraphs
            for line in paragraph
            if len(line) < _LONGEST_FURNITURE and _STRONG_MARKS.fullmatch(line)
        )
        kept = self._without_furniture(self.paragraphs)
        headline, rest = self._headline(kept)
        rest = self._without_byline(rest)
        if scraped >= _SCRAPE_MARKS_NEEDED:
            rest = self._without_captions(rest)
        return CleanText(
            headline=headline, body="\n\n".join("\n".join(self.as_it_came.get(line, line) for line in paragraph) for paragraph in rest), description=_lede(rest),
            authors=tuple(self.authors), published=tuple(self.published), modified=tuple(self.modified),
            captions=tuple(self.captions), removed=tuple(self.removed),
        )  # fmt: skip

    def _without_furniture(self, paragraphs: list[list[str]]) -> list[list[str]]:
        kept: list[list[str]] = []
        for paragraph in paragraphs:
            lines: list[str] = []
            for line in paragraph:
                if len(line) > 2 * _LONGEST_FURNITURE:
                    lines.append(line)
                elif is_furniture(line):
                    self.removed.append(RemovedText(kind="furniture", text=line))
                elif _SOURCE_LINE.fullmatch(line) and not _is_sentence(line.partition(":")[2]):
                    self.removed.append(RemovedText(kind="source_line", text=line))
                elif kept and _LABELLED_CAPTION.fullmatch(line):
                    self.captions.append(line)
                elif kept and _CREDIT.fullmatch(line):
                    self.removed.append(RemovedText(kind="credit", text=line))
                elif _RULE.fullmatch(line):
                    self.removed.append(RemovedText(kind="rule", text=line))
                elif line:
                    lines.append(line)
            if lines:
                kept.append(lines)
        return kept

    def _headline(self, paragraphs: list[list[str]]) -> tuple[str, list[list[str]]]:
        if not paragraphs:
            return "", []
        first = re.sub(r"^#{1,6}\s+|^(?:headline|title)\s*:\s*", "", paragraphs[0][0], flags=re.IGNORECASE)
        if len(paragraphs) == 1 and len(paragraphs[0]) == 1:
            # A single paragraph is the story itself; its first sentence must do for a headline.
            return _first_sentence(first), paragraphs
        if fits_as_headline(first):
            rest = [paragraphs[0][1:], *paragraphs[1:]]
            return first, [paragraph for paragraph in rest if paragraph]
        return _first_sentence(first), paragraphs

    def _without_byline(self, paragraphs: list[list[str]]) -> list[list[str]]:
        """Author and date lines stand below the headline; further down "By …" begins sentences."""
        kept = []
        for number, paragraph in enumerate(paragraphs):
            line = paragraph[0]
            if number < 5 and len(paragraph) == 1 and len(line) <= 160 and not _is_sentence(line):
                if match := _BYLINE.fullmatch(line):
                    self.authors += [name.strip() for name in re.split(r",|\band\b|&", match["names"]) if name.strip()]
                    self.removed.append(RemovedText(kind="byline", text=line))
                    if match["rest"] and re.search(r"(19|20)\d\d", match["rest"]):
                        self.published.append(match["rest"])
                    continue
                if self._take_dates(line):
                    self.removed.append(RemovedText(kind="dateline", text=line))
                    continue
            kept.append(paragraph)
        return kept

    def _take_dates(self, line: str) -> bool:
        parts = [part.strip() for part in line.split("|")]
        matches = [_DATELINE.fullmatch(part) for part in parts]
        if not matches or any(match is None for match in matches):
            return False
        for match in matches:
            assert match is not None
            modified = match["label"].lower().startswith(("updated", "last"))
            (self.modified if modified else self.published).append(match["date"])
        return True

    def _without_captions(self, paragraphs: list[list[str]]) -> list[list[str]]:
        """Take out lines that stand alone without a sentence's end, between paragraphs that have one.

        Asked only of text with a scrape mark, and only believed where several such lines stand and most paragraphs are
        punctuated: leaving out every unpunctuated line of any text would cost real paragraphs.
        """
        sentences = [
            number for number, paragraph in enumerate(paragraphs) if len(paragraph) == 1 and _is_sentence(paragraph[0])
        ]
        if not sentences:
            return paragraphs
        first = sentences[0]
        found = [
            number
            for number, paragraph in enumerate(paragraphs)
            if number > first and len(paragraph) == 1 and _looks_like_caption(paragraph[0])
        ]
        if len(found) < _CAPTIONS_NEEDED or len(found) > 1.5 * len(sentences):
            return paragraphs
        self.captions += [paragraphs[number][0] for number in found]
        return [paragraph for number, paragraph in enumerate(paragraphs) if number not in set(found)]


def _tidy(line: str) -> str:
    if bullet := _BULLET.match(line):
        mark = "•" if _STRONG_BULLET.match(line) else bullet[0].strip()
        line = f"{mark} {line[bullet.end() :]}"
    return line.strip(_BLANKS)


def _is_sentence(line: str) -> bool:
    return _SENTENCE_END.search(line.rstrip()) is not None


def _looks_like_caption(line: str) -> bool:
    # Fewer words make a crosshead, which belongs to the story.
    return not _is_sentence(line) and len(line.split()) >= 7 and len(line) <= 400 and not _BULLET.match(line)


def _first_sentence(text: str) -> str:
    match = re.match(r".{20,}?[.!?。！？](?=\s|$|[^\x00-\u2fff])", text, re.S)
    sentence = match[0] if match else text
    if len(sentence) <= MAX_HEADLINE:
        return sentence
    return sentence[: MAX_HEADLINE - 1].rsplit(" ", 1)[0] + "…"


def _lede(paragraphs: list[list[str]]) -> str | None:
    """The line between headline and key points or story that sums it up: one line without a full stop."""
    if len(paragraphs) < 2 or len(paragraphs[0]) != 1:
        return None
    line = paragraphs[0][0]
    followed_by_list = _BULLET.match(paragraphs[1][0]) is not None
    if (
        len(line) <= 400
        and not _BULLET.match(line)
        and (followed_by_list or not _is_sentence(line))
        and len(line.split()) >= 6
    ):
        return line
    return None

"""A general cleaner for scraped plain text: the story stays, the page's furniture goes, captions are kept apart. Pure.

Normal prose passes through unchanged: a line is taken out only where it is, as a whole, a known piece of furniture,
and captions are looked for only in text that bears the marks of scraping.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass

from pipeline.extract.dates import find_date
from pipeline.extract.density import columns
from pipeline.extract.furniture import (
    LONGEST_FURNITURE,
    heads_a_list,
    is_furniture,
    is_note_on,
    is_pointer,
)
from pipeline.models import RemovedText

MAX_HEADLINE = 250
_SCRAPE_MARKS_NEEDED = 1
_CAPTIONS_NEEDED = 2
_WRAP_WIDTH = (40, 120)
_NEARLY = 0.85
_UNWRAPPED_SHARE = 0.1
_WORDS_OF_HEADLINE = 4
_LINES_OF_MENU = 4
_WORDS_OF_LABEL = 5
_WORDS_OF_CONTROL = 3
_SHORTEST_PROSE = 40
_LONGEST_WORDS = 45
_ADDRESSES = 2
_LONGEST_LISTED = 160
_TOP = 8
"""Lines below the headline among which author and date may stand."""
_LONGEST_BOXED = 60
"""Sentences longer than this in a block that begins with a label may be the story's."""
_ENDING_SHARE = 0.6
"""Of a press release, the most that notes to editors and the like after its end may be."""

_SOURCE_LINE = re.compile(
    r"\W*(?:sources?|quelle|fuente|fonte|via|źródło|zdroj|kaynak|lähde|källa|kilde|bron|источник|джерело|来源|來源|出典|المصدر)\s*[:：]\s*\S.{0,140}",
    re.IGNORECASE,
)
_LABELLED_CAPTION = re.compile(
    r"\W*(?:(?:image|photo|picture|file\s+photo|video|media)\s+(?:caption|credit|copyright|source)s?\b|caption:|(?:photo|image|picture|file\s+photo)\s*(?::\s*(?-i:[^\sa-z])|by\b)"
    r"|\((?:photo|image|picture)\s+(?:by|credit)|(?:foto|fotos|bild|kuva|фото|фотография|zdjęcie|fot\.|写真|图|图片|صورة)\s*[:：]).{0,400}",
    re.IGNORECASE,
)
_IMAGE_SOURCE = re.compile(r"\W*image\s+(?:source|copyright),?\s.{2,80}", re.IGNORECASE)
_AGENCY = r"(?:getty(?:\s+images)?|reuters|afp|ap(?:\s+photo)?|epa(?:-efe)?|efe|dpa|ansa|pap|tass|тасс|риа\s+новости|xinhua|新华社|shutterstock|alamy|imago|pa(?:\s+(?:wire|images))?|tt|ntb|scanpix|lehtikuva|belga|anp|keystone|bloomberg|istock)"
_CREDIT = re.compile(
    rf"(?:[\w .'’-]{{0,40}}(?:/|\bvia\b|\|)\s*)?{_AGENCY}(?:\s*(?:/|\bvia\b)\s*[\w .'’-]{{1,40}})?", re.IGNORECASE
)
# What ends a line that stands under a picture: "… © Bodo Marks/dpa", "… Foto: Ida Brandt", "… LOÏC VENANCE / AFP", "…＝本社ヘリから".
_ENDS_IN_CREDIT = re.compile(
    rf".{{10,400}}?(?:(?:[\s(\[—–-](?:photo(?:graph)?s?|image|picture|foto|fotó|ảnh|bild|kuva|фото|снимка|zdjęcie|fot\.|crédits?|credits?)\s*(?::|\bby\s+(?-i:[A-ZÀ-ÞА-Я]))|©|credit\s*\.{{3}})\s*[^.!?]{{2,80}}"
    rf"|(?-i:[A-ZÀ-ÞА-Я])[\w .'’-]{{2,40}}\s?/\s?{_AGENCY}|[(\[]{_AGENCY}|[(\[](?-i:[A-ZÀ-ÞА-Я])[\w.'’-]+(?:\s[\w.'’-]+){{0,4}}\s?/\s?(?-i:[A-ZÀ-ÞА-Я])[\w .'’&-]{{1,40}}|[(\[](?:foto|photo)\w{{3,20}}|[（(][^（(）)]{{0,16}}(?:攝|摄|撮影|提供|제공)[）)]|[（(](?:dok|ist|doc)\.[^）)]{{2,30}}[）)]|[(\[](?:사진|写真|图|图片)\s?[=:：／/][^\])]{{2,40}}|＝[^。]{{2,40}})\s*[)\]]?\W?",
    re.IGNORECASE,
)
_NAME = r"[^\W\d_][\w.'’-]*(?:\s+[^\W\d_][\w.'’-]*){0,4}"
# Several names are joined by "and"; what follows a lone name after a comma is the paper or the place.
_BYLINE = re.compile(
    rf"(?:written\s+|reported\s+|posted\s+)?by\s+(?P<names>{_NAME}?(?:(?:\s*,\s*{_NAME}?){{0,5}}\s*(?:\band\b|&)\s*{_NAME}?)?)"
    r"\s*(?:(?:,|\||–|—|-|\bfor\b|\bin\b)\s*(?P<rest>.{0,80}))?",
    re.IGNORECASE,
)
# Other languages' words for "by" begin sentences and headings too; there names must look like names.
_CAPITALIZED = r"[^\W\d_a-zß-öø-ÿа-я][\w.'’-]*"
_FULL_NAME = (
    rf"{_CAPITALIZED}(?:\s+(?:(?:von|van|de|den|der|da|dos|del|di|du|le|la|el|al)\s+){{0,2}}{_CAPITALIZED}){{1,3}}"
)
_FOREIGN_BYLINE = re.compile(
    rf"(?:(?:[Vv]on|VON|[Pp]ar|PAR|[Pp]or|POR|[Dd]i|[Dd]oor|DOOR|[Aa]v|AV|[Aa]f|[Tt]exte?|[Tt]esto|Oprac\.|Autor(?:ka)?|Автор)\s*:?\s+)"
    rf"(?P<names>{_FULL_NAME}(?:\s*(?:,|&|\b(?:und|et|y|e|en|och|og|i|и)\b)\s*{_FULL_NAME}){{0,3}})\s*(?:(?:,|\||–|—|-|/)\s*(?P<rest>.{{0,80}}))?"
)
_LABELLED_NAME = re.compile(
    r"(?:penulis|reporter|auteure?|autore|autrice|autoare|författare|forfatter|kirjoittaja|toimittaja|szerző|autorka|редактор|журналист|автор|tác giả|yazar|redakteur(?:in)?)"
    rf"\s?:\s(?P<name>(?-i:{_FULL_NAME}))",
    re.IGNORECASE,
)
# Who took part, without a name that can be told for certain.
_HANDS = re.compile(
    r"(?:(?:advice|photograph|photo|illustration|video|graphic|edit|text)(?:s|ed)?\s+by|edited\s+by|(?-i:Reporting\s+from\s+[A-Z]\w+)|(?:di|par|von|por)\s+(?:redazione|la\s+rédaction|unserer?\s+redaktion|redacción|redação)|door\s+onze\s+(?:verslaggever|redactie|correspondent))\b.{0,80}"
    r"|(?:[\w&’' -]{3,50}\s)?(?:reporter|correspondent|columnist|editor|staff\s+writer)s?",
    re.IGNORECASE,
)
_REPORTING = re.compile(
    r"\((?:additional\s+)?(?:reporting|writing|compiled)\s+by\s.{2,240}\)|(?:reporting|writing)\s+by\s.{2,120};\s*(?:editing|additional)\s.{2,120}"
    r"|\W*(?:\w+\s+)?(?:with|mit|avec|con)\s+(?:agency\s+|additional\s+)?(?:inputs?|files|material|reporting|agencies|agence|información|informaciones)(?:\s+(?:from|von|by|de|des)\b[^.!?]{0,80})?\W*|\((?:pti|ani|ians|bernama|xinhua|tass|upi|ap|afp|reuters|dpa|efe|ansa)(?:[/,]\s?\w+)*\)"
    r"|.{2,120}\bcontributed\s+(?:reporting|to\s+this\s+(?:report|story|article))\.?",
    re.IGNORECASE,
)
_DATELINE = re.compile(
    r"\W*(?P<label>published|updated|posted|last\s+(?:updated|modified)|first\s+published|created|date)\s*(?:on|at)?\s*:?\s*(?P<date>.{4,80}?\d.{0,80})",
    re.IGNORECASE,
)
_DATE_LABEL = re.compile(r"(?:[^\W\d_]+\s){0,2}[^\W\d_]+\s?:")
_STAMP = re.compile(r"(?:posted|updated|published)\s+at\s+\d{1,2}[:.]\d\d\b.{0,12}", re.IGNORECASE)
_UPDATED = re.compile(
    r"updated|modified|aktualisiert|stand|modifié|mis\s+à\s+jour|actualizado|atualizado|aggiornat|bijgewerkt|uppdatera|oppdatert|opdateret|päivitetty|aktualizacja|обновлен|изменен|güncelleme|更新|تحديث|עודכן",
    re.IGNORECASE,
)
_PUBLISHED = re.compile(
    r"publi|posted|veröffentlicht|erstellt|pubblicato|geplaatst|julkaistu|opublikowano|опубликован|giriş|yayın|نشر|פורסם|発表|掲載|发布|來源|来源",
    re.IGNORECASE,
)
_ANY_DATE = re.compile(
    r"(?<!\d)(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}\.?\s+(?:de\s+)?[^\W\d_]{3,12}\.?,?\s+(?:de\s+)?(?:19|20)\d\d)(?!\d)"
)
_CLOCK = re.compile(r"(?<!\d)\d{1,2}\s?[:.h时時]\s?\d{2}(?!\d)")
_LONGEST_BESIDE_DATE = 40
_CONTACT = re.compile(
    r"\W*(?:tel(?:efon[eo]?|éfono|éphone)?|phone|fax|e-?mail|kontakt|contacts?)\s*\.?\s*:\s*(?=.*(?:\d{3}|@))[^!?]{4,120}",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\W*(?:https?://|www\.)\S+\W*", re.IGNORECASE)
_MAIL_HEADER = re.compile(r"(?:from|to|cc|date|sent|subject|reply-to)\s*:\s.{1,200}", re.IGNORECASE)
_RELEASE = re.compile(
    r"\W*(?:(?:for\s+)?immediate\s+release|embargoed\s+(?:until|for)\b.{0,60}|press\s+release|news\s+release|media\s+release|pressemitteilung|communiqué\s+de\s+presse|nota\s+de\s+prensa|comunicato\s+stampa|pressmeddelande|persbericht)\W*",
    re.IGNORECASE,
)
_RELEASE_END = re.compile(r"#(?:\s*#){2,}|\W*ENDS?\W*|-\s*(?:end|Ends|ends)s?\s*-|-\s*30\s*-")
_AFTER_RELEASE = re.compile(
    r"(?:(?:about|à\s+propos\s+d[e’']|über|sobre|informazioni\s+su|om)\s*\S.{0,60}|(?:contacts?|kontakte?)\s+(?:presse|médias|de\s+prensa|stampa)\b.{0,120}|pressekontakt\b.{0,120}|notes?\s+(?:to|for)\s+editors?|(?:media|press|investor)\s+(?:contacts?|enquiries|inquiries)|contacts?|editor.s\s+notes?)\W*",
    re.IGNORECASE,
)
_COMMENTS = re.compile(
    r"\W*(?:[\d.,]+\s+)?(?:comments?|kommentare?|commentaires?|vos\s+réactions|comentarios|comentários|commenti|reacties|kommentarer|komentarze|комментарии|kommentit|yorumlar|التعليقات|תגובות|コメント|网友评论)\s*(?:\(?[\d.,]+\)?)?\W*",
    re.IGNORECASE,
)
_COMMENT_SIGN = re.compile(
    r"(?:sort\s+by|newest|oldest|most\s+liked|reply|replies|log\s+in|report|antworten|répondre|responder|rispondi|svara|odpowiedz|ответить|vastaa|yanıtla)\b.{0,40}"
    r"|.{1,40}\b(?:ago|(?:vor|il\s+y\s+a|hace|há)\s+\d.{1,20}|назад|önce|sedan|temu|sitten)",
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
_LONGEST_END = 12
_BREAK_IN_SENTENCE = re.compile(r"(?<=[\w,;-])\n*\f\n*(?=[a-zà-öø-ÿ])")
_BREAK_BEFORE_NUMBER = re.compile(r"(?<=[a-zà-öø-ÿ,;])\n*\f\n*(?=\d)")
# The paper's name and the page's number at the head of a printed page.
_RUNNING_HEAD = re.compile(r"\f[^\n\f]{0,100}?\s{2,}(?:page|seite|pág\.?|p\.)?\s*\d{1,4}[ \t]*(?=\n)", re.IGNORECASE)
_PAGE_BREAK = re.compile(r"[ \t]*\f[ \t]*")
_BLANKS = " \t\u00a0"
_CJK = re.compile("[\u3000-\u9fff\uff00-\uffef]")
_RULE = re.compile(r"[\s\-_=*~·•.…‒–—―─━═#+|<>^°◆■●▪]+")
_LONG_BLANKS = re.compile("[ \t\u00a0]{100,}")
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
    return _Cleaner(_lines(repair(text))).result()


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


def fits_as_headline(line: str) -> bool:
    """Whether a line can stand as a headline: not empty, not a paragraph."""
    return 0 < len(line) <= MAX_HEADLINE


@dataclass(slots=True)
class _Line:
    """A logical line, the block between blank lines and the paragraph it belongs to, and as what it was taken out."""

    text: str
    block: int
    paragraph: int
    as_it_came: str
    taken: str = ""

    @property
    def is_sentence(self) -> bool:
        return _is_sentence(self.text)


def _lines(text: str) -> list[_Line]:
    """The text's logical lines: hard wraps undone; list items share a paragraph, all others are paragraphs of their own."""
    text = _RUNNING_HEAD.sub("\f", _PAGE_BREAK.sub("\f", text))
    # A page break in the middle of a sentence is no end of a paragraph.
    width = _wrap_width(_split(_BREAK_IN_SENTENCE.sub("\n", _BREAK_BEFORE_NUMBER.sub("\n", text))))
    # A wrap that is undone takes the break along; a number after it might as well begin a line of its own.
    blocks = _split(_BREAK_IN_SENTENCE.sub("\n" if width else " ", _BREAK_BEFORE_NUMBER.sub(" ", text)))
    if width:
        blocks = [[line.rstrip(_BLANKS) for line in block] for block in blocks]
    vocabulary = set(re.findall(r"[^\W\d_]+", text.lower())) if width else set()
    lines: list[_Line] = []
    for number, block in enumerate(blocks):
        for line in _unwrap(block, width, vocabulary) if width else block:
            before = lines[-1] if lines else None
            bullet = _BULLET.match(line)
            in_list = bullet and before and before.block == number and _BULLET.match(before.as_it_came)
            paragraph = before.paragraph + (0 if in_list else 1) if before else 0
            if tidied := _tidy(line):
                lines.append(_Line(tidied, number, paragraph, tidied if bullet else line))
    return lines


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
    if sum(1 for line in lines if len(line) > _WRAP_WIDTH[1]) > _UNWRAPPED_SHARE * len(lines):
        return None
    # Lines around the story were not wrapped with it.
    width = max((len(line) for line in lines if not _stands_alone(line)), default=0)
    if not _WRAP_WIDTH[0] <= width <= _WRAP_WIDTH[1]:
        return None
    breaks = wraps = 0
    for block in blocks:
        for line, following in itertools.pairwise(block):
            if _BULLET.match(following) or _stands_alone(line) or _stands_alone(following):
                continue
            breaks += 1
            wraps += _is_wrap(line, following, width)
    return width if breaks >= 3 and wraps >= 0.6 * breaks else None


def _stands_alone(line: str) -> bool:
    text = line.strip(_BLANKS)
    return is_furniture(text) or _MAIL_HEADER.fullmatch(text) is not None


def _is_wrap(line: str, following: str, width: int) -> bool:
    if _CJK.match(following):
        return len(line) + 1 > width  # any character may begin a line
    return len(line) + 1 + len(following.split(None, 1)[0]) > width


def _unwrap(block: list[str], width: int, vocabulary: set[str]) -> list[str]:
    joined = [block[0]]
    previous = block[0]
    for line in block[1:]:
        in_list = _BULLET.match(joined[-1]) is not None and line[:1] in " \t"
        # Not every program that wraps text counts as this one does.
        nearly = not _CJK.match(line) and len(previous) >= _NEARLY * width and not _is_sentence(previous)
        if not _BULLET.match(line) and (nearly or _is_wrap(previous, line, width) or in_list):
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
    return one + other if _CJK.match(one[-1]) and _CJK.match(other) else f"{one} {other}"


class _Cleaner:
    """Passes over the lines, each of which takes out one kind of thing that is not the story."""

    def __init__(self, lines: list[_Line]) -> None:
        self.lines = lines
        self.blocks_tell = self._blocks_tell()
        self.authors: list[str] = []
        self.published: list[str] = []
        self.modified: list[str] = []

    def result(self) -> CleanText:
        short = [line.text for line in self.lines if len(line.text) < LONGEST_FURNITURE]
        scraped = sum(1 for text in short if _STRONG_MARKS.fullmatch(text)) >= _SCRAPE_MARKS_NEEDED
        self._take_heads()
        self._take_navigation()
        self._take_known()
        self._take_boxes()
        self._take_lists()
        self._take_end()
        headline = self._headline()
        self._take_credited_captions()
        self._take_byline_and_dates()
        self._take_labels_around()
        if scraped:
            self._take_captions_by_their_looks()
        paragraphs = self._paragraphs()
        return CleanText(
            headline=headline, body="\n\n".join("\n".join(line.as_it_came for line in paragraph) for paragraph in paragraphs),
            description=_lede([[line.text for line in paragraph] for paragraph in paragraphs]),
            authors=tuple(self.authors), published=tuple(self.published), modified=tuple(self.modified),
            captions=tuple(line.text for line in self.lines if line.taken == "caption"),
            removed=tuple(RemovedText(kind=line.taken, text=line.text) for line in self.lines if line.taken not in ("", "caption", "headline")),
        )  # fmt: skip

    def _blocks_tell(self) -> bool:
        """Whether blank lines part the story's paragraphs; in other texts blocks tell nothing."""
        sizes = Counter(line.block for line in self.lines)
        prose = [sizes[line.block] for line in self.lines if line.is_sentence and columns(line.text) > _LONGEST_BOXED]
        return bool(prose) and 2 * prose.count(1) >= len(prose)

    def _left(self) -> list[_Line]:
        return [line for line in self.lines if not line.taken]

    def _paragraphs(self) -> list[list[_Line]]:
        return [list(lines) for _, lines in itertools.groupby(self._left(), key=lambda line: line.paragraph)]

    def _take_heads(self) -> None:
        """What stands above a headline: the header of a message, "For immediate release"."""
        top = self.lines[:_TOP]
        headers = [line for line in top if _MAIL_HEADER.fullmatch(line.text)]
        if len(headers) >= 2:
            for line in headers:
                name, _, value = line.text.partition(":")
                line.taken = "mail_header"
                if name.lower() == "subject":
                    line.text, line.as_it_came, line.taken = value.strip(), value.strip(), ""
                elif name.lower() in ("date", "sent"):
                    self.published.append(value.strip())
        for line in top[:3]:
            if _RELEASE.fullmatch(line.text):
                line.taken = "furniture"

    def _take_navigation(self) -> None:
        """Blocks of short lines at the page's top and bottom, and addresses that stand alone there."""
        blocks = [list(group) for _, group in itertools.groupby(self.lines, key=lambda line: line.block)]
        if self.blocks_tell and len(blocks) > 2:
            if len(blocks[0]) >= _LINES_OF_MENU and all(_is_label(line.text) for line in blocks[0]):
                for line in blocks[0]:
                    line.taken = "furniture"
            last = blocks[-1]
            if (
                len(last) >= _LINES_OF_MENU
                and all(_is_label(line.text) for line in last)
                and any(is_furniture(line.text) for line in last)
            ):
                for line in last:
                    line.taken = "furniture"
        addresses = [line for line in self.lines if _ADDRESS.fullmatch(line.text)]
        if len(addresses) <= _ADDRESSES:  # more of them are a list of sources
            for line in addresses:
                if line in self.lines[:_TOP] or line in self.lines[-_TOP:]:
                    line.taken = "address"

    def _take_known(self) -> None:
        """Lines that are known as a whole."""
        begun = False
        for line in self._left():
            text = line.text
            if len(text) > 2 * LONGEST_FURNITURE:
                begun = True
            elif is_furniture(text) or is_pointer(text):
                line.taken = "furniture"
            elif _SOURCE_LINE.fullmatch(text) and not _is_sentence(re.split("[:：]", text, maxsplit=1)[1]):
                line.taken = "source_line"
            elif begun and _IMAGE_SOURCE.fullmatch(text):
                line.taken = "credit"
            elif begun and _LABELLED_CAPTION.fullmatch(text):
                line.taken = "caption"
            elif begun and (_CREDIT.fullmatch(text) or _REPORTING.fullmatch(text)):
                line.taken = "credit"
            elif _RULE.fullmatch(text) and not _RELEASE_END.fullmatch(text) and text != "--":
                line.taken = "rule"
            elif _STAMP.fullmatch(text):
                line.taken = "stamp"
            else:
                begun = True

    def _take_boxes(self) -> None:
        """The rest of blocks that begin with furniture."""
        if not self.blocks_tell:
            return
        for _, group in itertools.groupby(self.lines, key=lambda line: line.block):
            box = list(group)
            if box[0].taken != "furniture":
                continue
            last = max(number for number, line in enumerate(box) if line.taken == "furniture")
            for number, line in enumerate(box):
                if line.taken:
                    continue
                if line.is_sentence and columns(line.text) > _LONGEST_BOXED and number > last:
                    break
                line.taken = "furniture"

    def _take_lists(self) -> None:
        """Headlines and topics below a label of such, and numbers between controls."""
        in_list = False
        for number, line in enumerate(self.lines):
            if line.taken == "furniture":
                in_list = heads_a_list(line.text)
                continue
            after = self.lines[number + 1 :]
            between = number > 0 and after and {self.lines[number - 1].taken, after[0].taken} == {"furniture"}
            if between and not line.taken and re.fullmatch(r"[\W\d]{1,8}", line.text):
                line.taken = "furniture"
            elif (
                in_list
                and not line.taken
                and not line.is_sentence
                and len(line.text) <= _LONGEST_LISTED
                and not _BULLET.match(line.text)
            ):
                # A word or two may be the story's next crosshead, unless nothing follows but more of them.
                if len(line.text.split()) >= _WORDS_OF_HEADLINE or not any(
                    other.is_sentence and not other.taken for other in after
                ):
                    line.taken = "furniture"
                else:
                    in_list = False
            else:
                in_list = False
        # Where the furniture shouts ("CLICK HERE TO GET THE APP"), shouted lines are links to other stories.
        if any(line.taken == "furniture" and _is_shouted(line.text) for line in self.lines):
            for line in self._left()[1:]:
                if _is_shouted(line.text) and not line.is_sentence:
                    line.taken = "furniture"

    def _take_end(self) -> None:
        """What follows the story: readers' comments, a release's notes to editors, a message's signature."""
        total = sum(len(line.text) for line in self.lines)
        release = any(line.taken == "furniture" and _RELEASE.fullmatch(line.text) for line in self.lines[:3])
        release = release or any(_RELEASE_END.fullmatch(line.text) for line in self.lines)
        left = 0
        end = len(self.lines)
        for number in range(len(self.lines) - 1, 0, -1):
            line = self.lines[number]
            left += len(line.text)
            following = [other.text for other in self.lines[number + 1 : number + 4]]
            if (_COMMENTS.fullmatch(line.text) and any(_COMMENT_SIGN.fullmatch(text) for text in following)) or (
                left <= _ENDING_SHARE * total
                and (
                    _RELEASE_END.fullmatch(line.text)
                    or (release and _AFTER_RELEASE.fullmatch(line.text))
                    or (line.text == "--" and left <= _ENDING_SHARE / 2 * total)
                )
            ):
                end = number
        for line in self.lines[end:]:
            line.taken = line.taken or "ending"

    def _headline(self) -> str:
        left = self._left()
        while len(left) > 1 and self._take_dates(left[0]):
            left.pop(0)
        if not left:
            return ""
        first = re.sub(r"^#{1,6}\s+|^(?:headline|title)\s*:\s*", "", left[0].text, flags=re.IGNORECASE)
        # A single paragraph is the story itself; its first sentence must do for a headline.
        if len(left) > 1 and fits_as_headline(first):
            left[0].taken = "headline"
            for line in left[1:_TOP]:
                # The page's title with the site's name, and the headline without: the shorter is the headline.
                if first.startswith(line.text) and re.fullmatch(
                    r"\s*(?:[|–—:·_-]\s*[^|]{2,60})?", first[len(line.text) :]
                ):
                    first, line.taken = line.text, "headline_again"
                    break
            return first
        return _first_sentence(first)

    def _take_byline_and_dates(self) -> None:
        """Author and date lines stand below the headline; further down "By …" begins sentences."""
        top = self._left()[:_TOP]
        below_byline = False
        prose = 0
        for line, following in zip(top, [*top[1:], None], strict=False):
            prose += line.is_sentence and columns(line.text) > _LONGEST_BOXED
            if prose > 1:
                break
            if len(line.text) > 160 or _BULLET.match(line.text):
                continue
            if self._take_dates(line):
                continue
            if not line.is_sentence and (match := _BYLINE.fullmatch(line.text) or _FOREIGN_BYLINE.fullmatch(line.text)):
                names = re.split(r",|&|\b(?:and|und|et|y|e|en|och|og|i|и)\b", match["names"])
                self.authors += [name.strip() for name in names if name.strip()]
                line.taken = "byline"
                if match["rest"] and re.search(r"(19|20)\d\d", match["rest"]):
                    self.published.append(match["rest"])
            elif not line.is_sentence and (match := _LABELLED_NAME.fullmatch(line.text)):
                self.authors.append(match["name"])
                line.taken = "byline"
            elif _HANDS.fullmatch(line.text) and (below_byline or len(line.text.split()) > 1):
                line.taken = "byline"
            elif following is not None and re.fullmatch(_FULL_NAME, line.text) and self._take_dates(following):
                self.authors.append(line.text)
                line.taken = "byline"
            below_byline = line.taken == "byline"
        for line in self._left()[-3:]:
            # "First Published: …", "Erstpublikation: …"
            labelled = _DATELINE.fullmatch(line.text) or _DATE_LABEL.match(line.text)
            if len(line.text) <= _LONGEST_BOXED and labelled and re.search(r"(19|20)\d\d", line.text):
                self._take_dates(line)
        left = self._left()
        if len(left) > 2 and any(is_note_on(author, left[-1].text) for author in self.authors):
            left[-1].taken = "author_note"

    def _take_dates(self, line: _Line) -> bool:
        """Take a line that is hardly more than dates, and note them as days of publication or change."""
        if line.taken or (line.is_sentence and not re.search(r"[ap]\.m\.$", line.text)):
            return line.taken == "dateline"
        text = line.text
        published: list[str] = []
        modified: list[str] = []
        parts = [_DATELINE.fullmatch(part.strip()) for part in text.split("|")]
        if all(parts):
            for match in parts:
                assert match is not None
                (modified if _UPDATED.search(match["label"]) else published).append(match["date"])
        else:
            start, rest = 0, text
            while found := find_date(text, start):
                around = text[start : found[1]]
                ahead = re.split(_UPDATED, text[found[2] :], maxsplit=1)[0]
                (modified if _UPDATED.search(around) and published else published).append(
                    text[found[1] : found[2]] + ahead
                )
                rest = rest.replace(text[found[1] : found[2]], "")
                start = found[2]
            rest = _CLOCK.sub("", _ANY_DATE.sub("", rest))
            words = len(re.findall(r"[^\W\d_]+", rest))
            labelled = _PUBLISHED.search(rest) or _UPDATED.search(rest)
            dated = bool(published) or _ANY_DATE.search(text) is not None
            most = 6 if labelled else 4 if dated and _CLOCK.search(text) else 2 if dated else 1
            if not dated and not words:
                return False  # a time that stands alone heads what happened then
            if len(rest) > _LONGEST_BESIDE_DATE or rest == text or words > most:
                return False
        line.taken = "dateline"
        self.published += published
        self.modified += modified
        return True

    def _take_credited_captions(self) -> None:
        """Lines that end in a picture's credit, and the line right above one that is nothing but a credit."""
        for before, line in itertools.pairwise(self.lines):
            above = self.blocks_tell and not before.taken and before.block == line.block
            if above and line.taken == "credit" and _CREDIT.fullmatch(line.text):
                before.taken = "caption"
            if (
                not line.taken
                and "\t" not in line.text
                and not _BULLET.match(line.text)
                and _ENDS_IN_CREDIT.fullmatch(line.text)
            ):
                line.taken = "caption"

    def _take_labels_around(self) -> None:
        """Words that stand alone between headline and story, or after it, where other furniture was found.

        What sites offer their readers there has too many names for a list. A summary has more words, a crosshead stands
        between paragraphs.
        """
        prose = [
            number
            for number, line in enumerate(self.lines)
            if not line.taken and line.is_sentence and columns(line.text) >= _SHORTEST_PROSE
        ]
        if not prose:
            return
        above, below = self.lines[: prose[0]], self.lines[prose[-1] + 1 :]
        for line in below:
            if not line.taken and _CONTACT.fullmatch(line.text):
                line.taken = "furniture"
        for part in (above, below):
            if any(line.taken not in ("", "headline", "caption") for line in part):
                for line in part:
                    if not line.taken and _is_few_words(line.text):
                        line.taken = "furniture"
        first = [line for line in above if not line.taken]
        box = [line for line in self.lines if first and line.block == first[0].block]
        if (
            self.blocks_tell
            and len(box) > 1
            and all(len(line.text.split()) <= _WORDS_OF_CONTROL and _is_label(line.text) for line in box)
        ):
            for line in box:
                line.taken = "furniture"

    def _take_captions_by_their_looks(self) -> None:
        """Take out lines that stand alone without a sentence's end, between paragraphs that have one.

        Asked only of text with a scrape mark, and only believed where several such lines stand and most paragraphs are
        punctuated: leaving out every unpunctuated line of any text would cost real paragraphs.
        """
        alone = [paragraph[0] for paragraph in self._paragraphs() if len(paragraph) == 1]
        sentences = [line for line in alone if line.is_sentence]
        if not sentences:
            return
        found = [line for line in alone[alone.index(sentences[0]) :] if _looks_like_caption(line.text)]
        if _CAPTIONS_NEEDED <= len(found) <= 1.5 * len(sentences):
            for line in found:
                line.taken = "caption"


def _tidy(line: str) -> str:
    if bullet := _BULLET.match(line):
        mark = "•" if _STRONG_BULLET.match(line) else bullet[0].strip()
        line = f"{mark} {line[bullet.end() :]}"
    return line.strip(_BLANKS)


def _is_sentence(line: str) -> bool:
    return _SENTENCE_END.search(line.rstrip()[-_LONGEST_END:]) is not None


def _is_few_words(line: str) -> bool:
    few = not _is_sentence(line) and len(line.split()) <= _WORDS_OF_LABEL and columns(line) <= _LONGEST_WORDS
    return few and not _BULLET.match(line) and not line.startswith("(")


def _is_label(line: str) -> bool:
    return len(line.split()) <= 4 and len(line) <= 40 and not _is_sentence(line) and not _BULLET.match(line)


def _is_shouted(line: str) -> bool:
    return line.isupper() and len(line.split()) > _WORDS_OF_HEADLINE


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

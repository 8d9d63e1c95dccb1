"""What a reader sees beside the headline: when the article was published or updated, and by whom. Pure."""

# ruff: noqa: E501, SIM905 - patterns and vocabularies read better unbroken

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml.html import HtmlElement

from pipeline.extract.dates import ParsedDate, find_date, parse_date
from pipeline.extract.density import prose_length
from pipeline.extract.structured import letters_of

# How far from the headline a date line may stand, in characters of visible text.
BEFORE_HEADLINE = 400
AFTER_HEADLINE = 1_200
_MOST_WORDS = 14  # of a line that doesn't say what its date is
_LONGEST_LINE = 160  # longer lines are sentences, and dates in sentences are what the story is about
_MAX_TEXT = 60_000
_LIST = 3

_UPDATED_WORDS = (
    "updated? modified edited revised reviewed",
    "aktualisiert geändert stand bijgewerkt gewijzigd uppdaterad oppdatert opdateret",
    "mis.à.jour modifié actualizado modificado actualizada actualitzat aggiornat[oa] atualizad[oa] actualizat",
    "zaktualizowano aktualizacja aktualizováno aktualizované ažurirano обновлено оновлено актуализирано ενημερώθηκε ενημέρωση",
    "güncelleme güncellendi päivitetty muokattu frissítve módosítva uuendatud atjaunots atnaujinta diperbarui cập.nhật",
    "تحديث التحديث עודכן עדכון",
)
_PUBLISHED_WORDS = (
    "published publish.date posted released created written date",
    "veröffentlicht erschienen gepubliceerd geplaatst publicerad publisert publiceret udgivet",
    "publié posté publicado publicada publicat pubblicato",
    "opublikowano publikacji publikováno zveřejněno publikované objavljeno опубликовано опубліковано публикувано δημοσιεύθηκε δημοσίευση",
    "yayınlanma yayınlandı yayın.tarihi julkaistu megjelent közzétéve avaldatud publicēts paskelbta diterbitkan dipublikasikan ngày.đăng",
    "نشر النشر نُشر פורסם",
)


def _spaced(words: Iterable[str]) -> str:
    return "|".join(" ".join(words).replace(".", r"\s+").split())


def _label(words: Iterable[str], unspaced: str) -> re.Pattern[str]:
    """Matches text that ends with one of the words, or with what may stand between a label and its date."""
    return re.compile(rf"(?:\b(?:{_spaced(words)})\b|{unspaced})[^\d]{{0,40}}$", re.IGNORECASE)


_UPDATED = _label(_UPDATED_WORDS, "更新|수정|업데이트")
_PUBLISHED = _label(_PUBLISHED_WORDS, "発行|公開|掲載|配信|发布|發布|发表|發表|입력|등록")
_BYLINE_AFTER = 700
_BYLINE_BEFORE = 300
_BY = (
    r"(?:(?:written|posted|words|story|article|text|reported|published|authored|submitted|guest\s+post)\s+by|by|author|reporter"
    r"|von|par|por|di|door|av|autora?|auteur|autorka|autore|testo|tekst|text|foto\s+och\s+text|teksti|yazan|haber|muhabir"
    r"|авторы?|текст|автори|بقلم|كتب(?:ت)?|إعداد|מאת|作者|记者|記者|撰文|文)"
)
_BYLINE = re.compile(rf"\W*{_BY}(?:\s*[:：]\s*|\s+)(\S.{{1,159}})", re.IGNORECASE)
_BYLINE_WITHIN = re.compile(
    r"(?:作者|记者|記者|撰文)\s*[:：]\s*([^\W\d_]{2,12})"
)  # somewhere in a line, and no blanks in the name
_BYLINE_LABEL = re.compile(rf"\W*{_BY}\W*", re.IGNORECASE)
# What may follow the names in the same line.
_BYLINE_END = re.compile(
    r"\s*(?:\||•|·|–|—|\s-\s|\(|/|\b(?:on|in|at|for|last|updated|published|posted|reviewed|edited|medically|fact[- ]checked|photos?|illustrat\w+)\b"
    rf"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+\d|\d|\b(?:{_spaced(_PUBLISHED_WORDS)}|{_spaced(_UPDATED_WORDS)})\b)",
    re.IGNORECASE,
)
_NAME_PARTICLES = frozenset(
    {
        "and",
        "und",
        "et",
        "y",
        "e",
        "de",
        "da",
        "del",
        "della",
        "di",
        "dos",
        "van",
        "von",
        "der",
        "den",
        "la",
        "le",
        "el",
        "bin",
        "al",
        "with",
        "the",
    }
)
_ANY_YEAR = re.compile(r"(?:19|20)\d\d")
_INLINE = frozenset(
    "a abbr b bdi bdo cite code data em font i ins kbd label mark q s small span strong sub sup time tt u var address svg path use".split()
)
_SKIPPED = frozenset("script style template noscript svg select option nav footer iframe button textarea".split())
_WRAPPERS = frozenset({"nav", "button", "noscript"})  # one that is never closed swallows the page
_MACHINE_DATES = {"time": "datetime", "abbr": "title"}
_SKIPPED_CLASS = re.compile(r"related|recent|sidebar|comments|carousel|recommend|popular|trending", re.I)
_MAIN_SHARE = 0.3
"""What holds more of a page's prose than this is its main part, whatever its class is called ("max-w-sidebar")."""
_CLASSES_ASKED = 50  # such parts of a page are asked how much prose they hold; beyond, the class decides


@dataclass(frozen=True, slots=True)
class DateLine:
    """A date shown near the headline. ``role`` is ``published``, ``updated``, or empty where the line doesn't say."""

    role: str
    date: ParsedDate


@dataclass(frozen=True, slots=True)
class Nearby:
    """The visible lines of a page around its headline, which is ``lines[title_at]``."""

    lines: list[str]
    title_at: int

    def after(self, characters: int) -> list[int]:
        """The numbers of the lines from the headline on, as far as ``characters`` reach."""
        numbers: list[int] = []
        distance = 0
        for number in range(self.title_at, len(self.lines)):
            numbers.append(number)
            distance += len(self.lines[number])
            if number > self.title_at and distance > characters:
                break
        return numbers

    def before(self, characters: int) -> list[int]:
        """The numbers of the lines before the headline, the nearest first."""
        numbers: list[int] = []
        distance = 0
        for number in range(self.title_at - 1, -1, -1):
            numbers.append(number)
            distance += len(self.lines[number])
            if distance > characters:
                break
        return numbers

    def beside_headline(self) -> list[str]:
        """The lines close to the headline, the ones above it first."""
        numbers = self.before(_BYLINE_BEFORE) + self.after(_BYLINE_BEFORE)[1:]
        return [self.lines[number] for number in numbers]


def read_nearby(tree: HtmlElement, headline: str) -> Nearby:
    """The lines around the headline; where no line is the headline, those the page begins with."""
    lines, title_at = _visible_lines(tree, headline, 2 * AFTER_HEADLINE)
    return Nearby(lines, title_at or 0)


def read_datelines(tree: HtmlElement, headline: str, nearby: Nearby) -> list[DateLine]:
    """The dates shown beside the headline, the ones below it first, each side in the order of the page."""
    language = (tree.getroottree().getroot().get("lang") or "")[:20]
    after = [found for number in nearby.after(AFTER_HEADLINE) for found in _dates_in(nearby.lines, number, language)]
    before = [found for number in nearby.before(BEFORE_HEADLINE) for found in _dates_in(nearby.lines, number, language)]
    if len({line.date.value.date() for line in after if line.role != "updated"}) >= _LIST:
        after = []  # a list of other articles, each with its date
    if after or before:
        return after + before
    # None beside the headline: a line at the article's end that says "Published on …" or "Last updated …" will do, if
    # there is only one, or else the date that the page marks up as a time in the article's own element.
    everything = _visible_lines(tree, headline, _MAX_TEXT)[0]
    labelled = [
        line for number in range(len(everything)) for line in _dates_in(everything, number, language) if line.role
    ]
    single = [line for role in ("published", "updated") if (line := _single(labelled, role))]
    return single or [line for line in (_single(_times_in_article(tree), ""),) if line]


def _single(lines: list[DateLine], role: str) -> DateLine | None:
    of_role = [line for line in lines if line.role == role]
    return of_role[0] if len({line.date.value for line in of_role}) == 1 else None


def _times_in_article(tree: HtmlElement) -> list[DateLine]:
    """The dates of the ``time`` elements in the article element that the headline stands in, or in the only one."""
    h1 = next(tree.iter("h1"), None)
    own = next(h1.iterancestors("article"), None) if h1 is not None else None
    if own is None:
        articles = list(itertools.islice(tree.iter("article"), 2))
        own = articles[0] if len(articles) == 1 else None
    if own is None:
        return []
    found = []
    for element in itertools.islice(own.iter("time"), 20):
        inside = itertools.takewhile(lambda ancestor: ancestor is not own, element.iterancestors())
        if any(_is_aside(ancestor) for ancestor in inside):
            continue
        if date := parse_date((element.get("datetime") or "")[:60]):
            found.append(DateLine("", date))
    return found


def read_bylines(nearby: Nearby) -> list[str]:
    """The bylines beside the headline ("By Jane Doe and John Roe"), without the word "By"."""
    lines = nearby.lines
    for number in nearby.after(_BYLINE_AFTER)[1:] + nearby.before(_BYLINE_BEFORE):
        line = lines[number]
        if match := _BYLINE.match(line) or _BYLINE_WITHIN.search(line):
            names = match[1]
        elif _BYLINE_LABEL.fullmatch(line) and number + 1 < len(lines):
            names = lines[number + 1]
        else:
            continue
        names = _BYLINE_END.split(names)[0]
        if len(names) <= 120 and _looks_like_names(names):
            return [names]
    return []


def _looks_like_names(text: str) -> bool:
    words = re.findall(r"[^\W\d_][\w.'’-]*", text)
    capitals = sum(not word[0].islower() or word in _NAME_PARTICLES for word in words)
    return 0 < len(words) <= 16 and capitals >= 0.8 * len(words)


def _dates_in(lines: list[str], number: int, language: str) -> Iterator[DateLine]:
    line = lines[number]
    if len(line) > _LONGEST_LINE or not _ANY_YEAR.search(line):
        return
    start = 0
    while (found := find_date(line, start, language=language)) is not None:
        date, begin, end = found
        lead = line[start:begin]
        if not lead.strip(" :|-–—•·,") and start == 0 and number and len(lines[number - 1]) <= 40:
            lead = lines[number - 1]  # a label of its own: "Published" above, the date below
        role = "updated" if _UPDATED.search(lead) else "published" if _PUBLISHED.search(lead) else ""
        if role or len(line.split()) <= _MOST_WORDS:
            yield DateLine(role, date)
        start = end


def _visible_lines(tree: HtmlElement, headline: str, beyond_headline: int) -> tuple[list[str], int | None]:
    """The visible text as lines, one a block, up to some way past the headline, and the number of the headline's line."""
    target = letters_of(headline)
    lines: list[str] = []
    current: list[str] = []
    title_at: int | None = None
    exact = False
    beyond = total = asked = 0
    most = 0.0

    def flush() -> bool:
        nonlocal beyond, total, title_at
        if current:
            text = " ".join(" ".join(current).split())
            current.clear()
            if text:
                if title_at is None and target and abs(len(text) - len(headline)) < 10 and letters_of(text) == target:
                    title_at = len(lines)  # a headline in no heading
                lines.append(text)
                total += len(text)
                if title_at is not None:
                    beyond += len(text)
        return beyond > beyond_headline or total > _MAX_TEXT

    body = tree.find(".//body")
    stack: list[tuple[HtmlElement, bool]] = [(body if body is not None else tree, False)]
    while stack:
        element, leaving = stack.pop()
        tag = element.tag
        if not isinstance(tag, str):
            if element.tail:
                current.append(element.tail)
            continue
        block = tag not in _INLINE
        if leaving:
            if block and flush():
                break
            if element.tail:
                current.append(element.tail)
            continue
        if block and flush():
            break
        stack.append((element, True))
        if tag in _SKIPPED and not _is_of_the_article(element):
            continue
        if tag in ("h1", "h2", "h3") and not exact:
            text = letters_of(element.text_content()[:600])
            same = (
                bool(text)
                and bool(target)
                and (text == target or (len(text) > 15 and (text in target or target in text)))
            )
            if same or (tag == "h1" and title_at is None):
                # The first h1 will do until the headline itself is met.
                title_at, exact, beyond = len(lines), same, 0
        elif title_at is not None and _is_aside(element):
            asked += 1
            most = _MAIN_SHARE * prose_length(tree) if asked == 1 else most
            if asked > _CLASSES_ASKED or prose_length(element) <= most:
                continue
        # A day or time for machines: by "time", or as hAtom had it before, by the title of an "abbr".
        stated = element.get(_MACHINE_DATES[tag]) if tag in _MACHINE_DATES else None
        if stated and len(stated) <= 60 and parse_date(stated):
            current.append(f" {stated} ")
            continue
        if element.text:
            current.append(element.text)
        stack.extend((child, False) for child in reversed(element))
    flush()
    return lines, title_at


def _is_of_the_article(element: HtmlElement) -> bool:
    """Whether an element that usually stands around an article is part of it: one that was never closed and swallowed
    the headline, or the article's own footer, where some systems put author and date."""
    if element.tag == "footer":
        return next(element.iterancestors("article"), None) is not None
    return element.tag in _WRAPPERS and element.find(".//h1") is not None


def _is_aside(element: HtmlElement) -> bool:
    return bool(_SKIPPED_CLASS.search(element.get("class") or ""))

"""Names of places in texts of languages without an entity model: countries and large cities, by the gazetteer alone.

Better none than a wrong one: a name counts as whole words, written as the language writes it, and not where it stands
beside another capitalised word, since it may then be a person's or a club's ("Paris Hilton", "Real Madrid").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from pipeline.enrich.places import names_of_places
from pipeline.models import EntityType, Mention

_WITHOUT_BLANKS = ("ja", "zh-cn", "zh-tw")
"""Written without blanks between words: only countries are looked for, and not within a longer word that is known."""
_LEFT_OUT = ("th",)
"""Written without blanks and without rules for telling a name from a part of a word."""
_ATTACHED = {"ar": "وفبلك", "fa": "", "ur": "", "he": "והבלמשכ"}
"""Particles of one letter that are written together with the word behind them."""
_PARTICLES = re.compile(
    r"(?:은|는|이|가|을|를|의|에|에서|에는|에도|에게|로|으로|와|과|도|만|까지|부터|보다|측|산|인|군|정부|이나|나|라는|이라는)?$"
)
"""What Korean writes behind a name without a blank."""
_ENDING = re.compile(r"['’][^\W\d_]+")
"""Endings behind an apostrophe: Turkish cases, genitives."""
_NOT_THE_COUNTRY = re.compile(r"中(?:国|國)家")
"""The "countries" of 发展中国家, developing countries, and the like: no China."""

_WORD = re.compile(r"[^\s\u0000-\u0026\u0028-\u002c\u002e\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf"
                   r"\u2010-\u2018\u201a-\u206f\u3000-\u303f\u060c\u061b\u061f\u06d4\u0964\u0965«»]+")  # fmt: skip
_BEGINS = re.compile(r"(?:^|[.!?:;…\n])[\s\"'“”«»„‘’(\[¿¡–—-]*$")
_SURE = (",", "'", "’")
"""What stands behind names rather than other words: "Paris, 3 mai", "İstanbul'da"."""
_SENTENCE_ENDS = ".!?:;,…"


def find_places(text: str, language: str) -> tuple[Mention, ...]:
    """Mentions of countries and large cities in a text, in order, none within another; none in unknown languages."""
    if language in _LEFT_OUT:
        return ()
    names = names_of_places(language)
    if not names:
        return ()
    found = _within(text, names) if language in _WITHOUT_BLANKS else _beyond_doubt(text, names, _words(text, language))
    return tuple(Mention(text=text[a:b], type=EntityType.PLACE, start=a, end=b) for a, b in found)


def _within(text: str, names: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Countries by their names of two signs and more, the longest first."""
    known = sorted((n for n, kind in names.items() if kind == "country" and len(n) > 1), key=lambda n: (-len(n), n))
    for hit in re.finditer("|".join(map(re.escape, known)), text):
        if not _NOT_THE_COUNTRY.match(text, hit.start()):
            yield hit.span()


def _words(text: str, language: str) -> Iterator[tuple[int, int]]:
    by_first = _by_first(language)
    words = list(_WORD.finditer(text))
    lower = {word[0] for word in words if word[0] == word[0].lower()}
    cased = any(name[0].isupper() for name in by_first)
    position = 0
    while position < len(words):
        length, start, end = _longest(words, position, by_first, text, language)
        if not length:
            position += 1
            continue
        common = cased and length == 1 and text[start:end].lower() in lower
        if not common and not (cased and _beside_a_name(text, start, end, lower)):
            yield start, end
        position += length


def _beyond_doubt(text: str, names: Mapping[str, str], found: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Without cities that only begin sentences, where any word is capitalised: "Medan" is Swedish for while."""
    found = list(found)
    within = {text[a:b] for a, b in found if not _BEGINS.search(text[max(0, a - 5) : a]) or text[b : b + 1] in _SURE}
    for start, end in found:
        name = text[start:end]
        if name in within or not name[0].isupper() or " " in name or names.get(_name(name)) == "country":
            yield start, end


def _longest(
    words: list[re.Match[str]], position: int, by_first: Mapping[str, list[str]], text: str, language: str
) -> tuple[int, int, int]:
    """How many words from a position on make a known name, and its start and end; 0 where they don't."""
    first = words[position]
    for skip in _skips(first[0], language):
        start = first.start() + skip
        word = text[start : first.end()]
        bare = re.split("['’]", word)[0]
        for name in (*by_first.get(_key(word, language), ()), *(by_first.get(bare, ()) if bare != word else ())):
            end = start + len(name)
            if _name(text[start:end]) != name:
                continue
            last = next((n for n in range(position, len(words)) if words[n].end() >= end), len(words) - 1)
            rest = text[end : words[last].end()]
            whole = (
                not rest or (_PARTICLES.fullmatch(rest) if language == "ko" else _ENDING.fullmatch(rest)) is not None
            )
            if whole and words[last].start() < end:
                return last - position + 1, start, end
    return 0, 0, 0


def _skips(word: str, language: str) -> list[int]:
    """How many letters in front of a word may be another's: "l'Italie", Arabic and Hebrew particles."""
    elided = re.match(r"[^\W\d_]{1,5}['’]", word)
    skips = [0, *([elided.end()] if elided else [])]
    for letters in (1, 2):
        if set(word[:letters]) <= set(_ATTACHED.get(language, "")) and len(word) > 2 + letters:
            skips.append(letters)
    return skips


def _beside_a_name(text: str, start: int, end: int, lower: set[str]) -> bool:
    before = re.search(r"([^\s]+)(\s?)$", text[max(0, start - 40) : start])
    behind = re.match(
        r"[-–]\w|(?:\s(?:de|del|da|do|di|du|van|von|der|la|le)){0,2}\s([^\W\d_]\w*)", text[end : end + 40]
    )
    if behind and (behind[1] is None or behind[1][0].isupper()):
        return True
    if before is None or before[1][-1] in _SENTENCE_ENDS:
        return False
    word = re.sub(r"^[\"'“”«»„‘’(\[¿¡]+|^[^\W\d_]{1,5}['’]", "", before[1])
    if not word or not word[0].isupper():
        return word.endswith(("-", "–"))
    # The first word of a sentence is capitalised anyway: an article or preposition in front of the name.
    begins = re.search(r"(?:^|[.!?:;…]\s|\n)\W*\w+\s$", text[max(0, start - 40) : start]) is not None
    return not (begins and (len(word) <= 3 or word.lower() in lower))


def _name(text: str) -> str:
    return text.replace("'", "’") if "'" in text else text


def _key(word: str, language: str) -> str:
    return word[:2] if language == "ko" else _name(word)


@cache
def _by_first(language: str) -> dict[str, list[str]]:
    """Names by what their first word begins with, the longest first."""
    found: dict[str, list[str]] = {}
    for name in names_of_places(language):
        if len(name) < (2 if language == "ko" else 3) and not name.isupper():
            continue
        first = _WORD.match(name)
        if first is not None:
            found.setdefault(_key(first[0], language), []).append(name)
    return {first: sorted(names, key=lambda n: (-len(n), n)) for first, names in found.items()}

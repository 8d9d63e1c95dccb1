"""From mentions to entities: which mentions of an article name the same person, place or organisation.

Pure functions of the article's text and the mentions found in it. The rules are those of newspaper style: a person
is introduced by full name and then called by surname; an organisation's abbreviation is given in brackets.
"""

# ruff: noqa: SIM905 - word lists are easier to read as text
from __future__ import annotations

import re
import tomllib
import unicodedata
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cache
from itertools import pairwise
from pathlib import Path

from pipeline.enrich.inflection import base_forms
from pipeline.enrich.places import demonyms, fold, is_country, is_known, is_listed, locate
from pipeline.errors import ConfigurationError
from pipeline.models import Entity, EntityType, Mention, Place

# ---------------------------------------------------------------------------------------------------- review


@dataclass(frozen=True, slots=True)
class EntityReview:
    """What people decided about entities: see ``config/entities.toml``.

    ``names`` leads from a key to the key and name it is merged into; ``hidden`` keys are left out, and so are
    mentions whose text is in ``blocked``.
    """

    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()

    def begun(self, typed: str) -> dict[EntityType, set[str]]:
        """The names, by type, into which others are merged that begin with what was typed."""
        found: dict[EntityType, set[str]] = {}
        if begin := "-".join(name_parts(typed)):
            for key, (_, name) in self.names.items():
                kind, _, slug = key.partition(":")
                if slug.startswith(begin):
                    found.setdefault(EntityType(kind), set()).add(name)
        return found


def read_entity_review(path: Path) -> EntityReview:
    """Read a reviewed list; a missing file is an empty one.

    ``[[entity]]`` tables have ``type`` and ``name``, and optionally ``also`` (other names that mean the same) and
    ``hide``; ``block`` at the top lists texts that are never a mention. Raises ConfigurationError with every mistake.
    """
    if not path.exists():
        return EntityReview()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path}: {error}", hint="The file must be TOML; texts stand in double quotes, lists in square brackets."
        ) from None
    problems = [
        f"{path}: unknown key {key!r}; allowed are block, entity" for key in content if key not in ("block", "entity")
    ]
    blocked, entries = content.get("block", []), content.get("entity", [])
    if not _are_texts(blocked):
        problems.append(f'{path}: block must be a list of texts, such as block = ["Getty Images"]')
        blocked = []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{path}: write [[entity]] in double brackets above each entry")
        entries = []
    names: dict[str, tuple[str, str]] = {}
    said: dict[str, str] = {}
    hidden: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        where = f"{path}: entity {number} ({entry.get('name', 'without a name')})"
        wrong = _mistakes(entry)
        problems += [f"{where}: {mistake}" for mistake in wrong]
        if wrong:
            continue
        kind, name = EntityType(entry["type"]), entry["name"]
        key = entity_key(kind, name)
        if entry.get("hide"):
            hidden.add(key)
        for other in (name, *entry.get("also", [])):
            one = entity_key(kind, other)
            if one in names and names[one] != (key, name):
                problems.append(f"{where}: {other!r} already stands for {said[one]}; keep one of the two")
            names[one], said[one] = (key, name), f"entity {number} ({name})"
    if problems:
        raise ConfigurationError(
            "\n".join(problems), hint="docs/entities.md shows entries; nothing is applied until all are right."
        )
    return EntityReview(names=names, hidden=frozenset(hidden), blocked=frozenset(map(fold, blocked)))


def _mistakes(entry: Mapping[str, object]) -> list[str]:
    found = [
        f"unknown key {key!r}; allowed are type, name, also, hide"
        for key in sorted(set(entry) - {"type", "name", "also", "hide"})
    ]
    if entry.get("type") not in set(EntityType):
        found.append(f"type is {entry.get('type')!r}; it must be one of {', '.join(EntityType)}")
    name = entry.get("name")
    if not isinstance(name, str) or not name_parts(name):
        found.append('needs a name, such as name = "Donald Trump"')
    if not _are_texts(entry.get("also", [])):
        found.append('also must be a list of texts, such as also = ["Trump"]')
    if not isinstance(entry.get("hide", False), bool):
        found.append("hide must be true or false")
    return found


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and name_parts(item) for item in value)


# ---------------------------------------------------------------------------------------------------- names

_GIVEN_NAMES = {
    "sergey": "sergei", "sergej": "sergei", "dmitriy": "dmitry", "dmitri": "dmitry", "dimitri": "dmitry",
    "aleksandr": "alexander", "alexandr": "alexander", "aleksander": "alexander", "alexei": "alexey",
    "aleksei": "alexey", "aleksey": "alexey", "yuriy": "yuri", "yury": "yuri",
    "vitaliy": "vitali", "vitaly": "vitali", "andrey": "andrei",
    "evgeny": "yevgeny", "evgeni": "yevgeny", "yevgeni": "yevgeny", "nikolay": "nikolai", "anatoliy": "anatoly",
    "volodymir": "volodymyr", "zelenskiy": "zelensky", "zelenskyy": "zelensky", "mohamed": "mohammed",
    "muhammad": "mohammed", "mohammad": "mohammed", "muhammed": "mohammed", "mohamad": "mohammed", "ahmad": "ahmed",
    "husein": "hussein", "hussain": "hussein", "husayn": "hussein", "hossein": "hussein", "usama": "osama",
    "moammar": "muammar", "moamer": "muammar", "gaddafi": "gadhafi", "qaddafi": "gadhafi", "kadafi": "gadhafi",
    "jung": "jong", "dmitrii": "dmitry", "vitalii": "vitali", "yurii": "yuri", "anatolii": "anatoly",
    "georgii": "georgy", "georgiy": "georgy", "evgenii": "yevgeny", "valerii": "valery", "valeriy": "valery",
    "mariya": "maria", "natalya": "natalia", "nataliya": "natalia", "yuliya": "yulia", "kseniya": "ksenia",
    "viktoriya": "viktoria", "arkadii": "arkady",
}  # fmt: skip
"""Transliterations of one name, and the spelling that stands for all in keys."""

_LETTERS = str.maketrans(
    {"æ": "ae", "ø": "o", "ł": "l", "ı": "i", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "œ": "oe", "ə": "a"}
)

_CYRILLIC = {
    **dict(zip("абвгдезиклмнопрстуфыэ", "abvgdeziklmnoprstufye", strict=True)),
    "ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": "", "ю": "yu", "я": "ya",
    "і": "i", "є": "ye", "ґ": "g", "ђ": "dj", "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "џ": "dz", "ў": "u", "ё": "e",
}  # fmt: skip
"""Cyrillic letters, without accents, as English newspapers write them."""

_TITLES = frozenset(
    """president prime minister premier chancellor secretary general gen gen. lt lt. col col. colonel major maj maj.
    captain capt capt. sgt sgt. sergeant senator sen sen. rep rep. representative congressman congresswoman king queen
    prince princess pope cardinal archbishop bishop ayatollah sheikh sheik mullah ambassador governor gov gov. mayor
    judge justice chief foreign defense defence interior finance vice deputy former then-president ex-president
    president-elect envoy spokesman spokeswoman spokesperson leader rev rev. reverend sir lord lady dame admiral
    commander lieutenant brigadier professor prof prof. dr dr. doctor mr mr. mrs mrs. ms ms. miss imam chairman
    chairwoman director attorney crown grand sultan emir undersecretary marshal coach manager detective inspector
    constable officer private corporal sens sens. reps reps.
    executive ceo councillor councilman councilwoman comrade herr frau monsieur
    madame dictator"""
    .split()
)  # fmt: skip
_TITLES_IN = {
    "de": """präsident präsidentin bundespräsident bundeskanzler bundeskanzlerin kanzler kanzlerin minister ministerin
    ministerpräsident ministerpräsidentin premierminister premierministerin außenminister außenministerin
    innenminister innenministerin finanzminister verteidigungsminister bürgermeister oberbürgermeister herr frau dr.
    dr prof. prof professor papst könig königin prinz prinzessin general trainer richter""",
    "pt": """presidente primeiro-ministro primeira-ministra ministro ministra governador governadora prefeito prefeita
    senador senadora deputado deputada general coronel doutor doutora dr. dra. sr. sra. dom dona papa rei rainha""",
    "ru": """президент президента президенту премьер премьер-министр премьер-министра министр министра министру
    губернатор губернатора глава главы генерал генерала папа король королева господин госпожа""",
    "sv": """statsminister statsministern utrikesminister president presidenten minister kung drottning prins prinsessa
    herr fru professor general dr""",
    "da": """statsminister statsministeren udenrigsminister præsident præsidenten minister kong dronning prins prinsesse
    hr. fru professor general dr.""",
    "no": """statsminister statsministeren utenriksminister utanriksminister president presidenten minister kong
    dronning prins prinsesse professor general dr.""",
    "fi": """presidentti pääministeri ulkoministeri ministeri kuningas kuningatar prinssi kenraali professori tohtori
    herra rouva""",
}  # fmt: skip
"""Titles in front of names in the languages of the other models; in English they also decide on types."""
_BESIDE_TITLES = frozenset("the us u.s. uk north south state of".split())
_NO_NAMES = frozenset(
    """north south east west northern southern eastern western northeast northwest southeast southwest scroll photo
    video advertisement subscribe read share watch listen updated published source copyright image getty click
    there here this that these those what when where who why how he she it we they his her their our nobody everybody
    somebody someone everyone born one two three four five six seven eight nine ten eleven twelve twenty thirty forty
    fifty sixty hundreds thousands dozens come go let look see wait stop take make get give yes no"""
    .split()
)  # fmt: skip
"""Directions, pronouns, numbers, what is called out, and words of page furniture that models take for names."""
_CALLS = frozenset("read scroll click subscribe watch listen follow sign".split())
"""What page furniture begins with: "Read Full Article"."""
_IN_A_MONTH = re.compile(
    r"\b(?:in|since|until|by|last|next|early|late|mid|of|from|before|after|on|this|every|\d+(?:st|nd|rd|th)?)\s$",
    re.IGNORECASE,
)
_MONTHS = frozenset("january february march april may june july august september october november december".split())
_BODIES = frozenset(
    """university college institute academy ministry department agency commission committee council parliament party
    union association federation foundation society bank fund group corporation corp company inc ltd llc plc gmbh
    airlines airways railways records newspaper league orchestra museum labs laboratories laboratory technologies
    systems motors industries holdings media guild service authority alliance coalition hospital biosciences
    pharmaceuticals therapeutics resources securities partners cartel brigade organization organisation observatory
    kgaa oyj rovers wanderers hotspur albion""".split()
)
"""Words that make a name of several words an organization's, whatever the model says."""
_GROUNDS = frozenset(
    """zone street road avenue boulevard river island islands mountain mountains valley bridge square airport beach
    county province district peninsula ocean strait desert""".split()
)
"""Words that make it a place's; those that are surnames too (Hill, Park, Lake) are left out."""
_LANDS = frozenset("oblast krai mountains islands peninsula ocean desert".split())
"""Those that no organization is called by."""
_SYLLABLE = re.compile(r"-(?!led\b|era\b|run\b|born\b|like\b|type\b|made\b)[a-z]{2,5}\b")
"""The last syllable of a Korean given name: "Moon Jae-in"."""
_PARTICLES = frozenset("al el bin ibn abu von van de der den da di del la le du dos ter ben st".split())
_SUFFIXES = frozenset("jr jr. sr sr. ii iii iv phd md mp mep kc qc cbe obe mbe".split())
_LETTERS_BEHIND = re.compile(r",? (?:KC|QC|CBE|OBE|MBE|MP|MEP|MSP|PhD|MD)$")
"""Letters behind a British name, which are no part of it."""
_QUOTES = "\"'`‘’“”«»„()[]{}<>*•-–—,;:!?…/\\|#@ \t\r\n\f\v\u00a0\u200b\ufeff"
_LEGAL = frozenset("inc inc. corp corp. corporation co co. company ltd ltd. plc llc ag gmbh sa s.a. nv ab asa".split())


def name_parts(name: str) -> tuple[str, ...]:
    """The words of a name as they are compared: no accents, case, dots, hyphens; one spelling per transliteration."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()
    plain = re.sub(r"[’'`]", "", plain).translate(_LETTERS)
    return tuple(_GIVEN_NAMES.get(part, part) for part in re.findall(r"[^\W_]+", plain))


_SPELLED_OUT = re.compile(r"\b([^\W\d_]) (?=[^\W\d_]\b)")
"""A letter by itself before another one."""


def entity_key(kind: EntityType, name: str) -> str:
    """The key of a name: equal for its spellings, in all articles. ``person:kim-jong-un``.

    Cyrillic names have the key of their usual Latin spelling: "Сергей Лавров" and "Sergei Lavrov" are one.
    """
    parts = tuple(map(_in_latin, name_parts(name)))
    if kind is EntityType.ORGANIZATION:
        while len(parts) > 1 and parts[0] == "the":
            parts = parts[1:]
        while len(parts) > 1 and parts[-1] in _LEGAL:
            parts = parts[:-1]
        # "U.N." and "UN", "J. P. Morgan" and "JP Morgan".
        parts = tuple(_SPELLED_OUT.sub(r"\1", " ".join(parts)).split())
    return f"{kind.value}:{'-'.join(parts)}"


def _in_latin(part: str) -> str:
    if not "а" <= part[:1] <= "џ":
        return part
    latin = "".join(_CYRILLIC.get(letter, letter) for letter in part)
    if latin.startswith("e") and part.startswith("е"):
        latin = f"y{latin}"  # "Ельцин", Yeltsin
    return _GIVEN_NAMES.get(latin, re.sub("(?<=.)(?:ii|yi)$", "y", latin))


# -------------------------------------------------------------------------------------------------- mentions


_CAPITALS = "A-ZÀ-ÞĀ-ŽА-ЯЁ"
_BEGINS = re.compile(r"(?:^|[.!?:;…\n])[\s\"'“”«»„‘’(\[–—-]*$")


def clean_mentions(
    mentions: Iterable[Mention], body: str, *, blocked: frozenset[str] = frozenset(), language: str = "en"
) -> list[Mention]:
    """Mentions as names: without titles, possessives, quotes; cut at line ends; in order, none within another.

    ``body[m.start:m.end] == m.text`` holds for each, as it does for those given.
    """
    found: list[Mention] = []
    taken = 0
    common = set(re.findall(rf"\b[^\W\d_{_CAPITALS}]+\b", body))
    whole = sorted(mentions, key=lambda m: (m.start, -m.end))
    for mention in (part for m in whole for part in (_body_and_officer(m) if language == "en" else [m])):
        cleaned = _clean(mention, body, language)
        if cleaned is None or cleaned.start < taken or fold(cleaned.text) in blocked:
            continue
        if cleaned.text.lower() in common and _BEGINS.search(body[max(0, cleaned.start - 5) : cleaned.start]):
            continue  # "Fire" at the beginning of a sentence in a story about a fire
        found.append(cleaned)
        taken = cleaned.end
    return found


_OFFICER = re.compile(
    rf"([{_CAPITALS}].*?) (?:Secretary[- ]General|Director[- ]General|President|Chief Executive|CEO|Chair(?:man|woman)?"
    rf"|[Cc]hief|[Bb]oss|[Ss]pokes(?:man|woman|person)) ([{_CAPITALS}][\w’'-]+(?: [{_CAPITALS}][\w’'-]+){{1,2}})"
)


def _body_and_officer(mention: Mention) -> list[Mention]:
    """A body and who speaks for it, where a model took them for one ("UN Secretary-General Ban Ki-moon")."""
    named = _OFFICER.fullmatch(mention.text) if mention.type is EntityType.ORGANIZATION else None
    if named is None:
        return [mention]
    return [
        replace(mention, text=named[1], end=mention.start + named.end(1)),
        replace(mention, text=named[2], type=EntityType.PERSON, start=mention.start + named.start(2)),
    ]


def _clean(mention: Mention, body: str, language: str) -> Mention | None:
    start, end = mention.start, mention.end
    line_end = re.search(r"[\r\n\f\v]", body[start:end].rstrip())
    if line_end:
        end = start + line_end.start()
    start, end = _trim(body, start, end)
    possessive = re.search(r"['’]s?$", body[start:end])
    if possessive and mention.type is not EntityType.ORGANIZATION:
        end = start + possessive.start()
    elif re.search(r"['’]s$", body[start:end]) and " " in body[start:end]:
        end -= 2
    if mention.type is EntityType.PERSON and " " in body[start:end] and (syllable := _SYLLABLE.match(body, end)):
        end = syllable.end()
    if language == "en":
        start, end = _english_edges(body, start, end, mention.type)
    words = list(re.finditer(r"\S+", body[start:end]))
    titles = _titles(language)
    if mention.type is EntityType.PERSON:
        first = 0
        while first < len(words) - 1 and _goes_with_titles(words[first][0].rstrip(","), language):
            first += 1
        # Peoples and directions in front go only together with a title: "North Korean leader Kim".
        if any(word[0].casefold() in titles for word in words[:first]):
            start += words[first].start()
    start, end = _trim(body, start, end)
    text = body[start:end]
    if not any(c.isalpha() for c in text) or len(text) > 120:
        return None
    if text.casefold() in titles:
        return None
    lower_case = text == text.lower() != text.upper()  # scripts without capitals stay
    if lower_case and mention.type is not EntityType.OTHER:
        return None
    kind = mention.type
    if kind in (EntityType.PERSON, EntityType.ORGANIZATION) and is_country(text, language):
        kind = EntityType.PLACE
    if language != "en":  # what follows goes by English words
        return Mention(text=text, type=kind, start=start, end=end)
    if _SUM.match(text) or text in _PARTISANS:
        return None
    if text in demonyms() or (text.casefold() in _NO_NAMES and not (text.isupper() and len(text) > 1)):
        return None
    if kind is EntityType.PERSON and text.casefold().split()[0] in _CALLS:
        return None
    if text.casefold() in _MONTHS and _IN_A_MONTH.search(body[max(0, start - 10) : start]):
        return None
    behind = re.match(r" [^\W\d_]+", body[end : end + 30])
    if behind and text + behind[0] in demonyms():
        return None  # "North" of "North Korean"
    if kind is EntityType.PERSON and _PART_OF_TOWN.match(body, end):
        kind = EntityType.PLACE
    if kind is not EntityType.ORGANIZATION and _is_called_organization(text):
        kind = EntityType.ORGANIZATION
    elif " " in text and text.casefold().split()[-1] in (_GROUNDS if kind is EntityType.PERSON else _LANDS):
        kind = EntityType.PLACE
    return Mention(text=text, type=kind, start=start, end=end)


_SUM = re.compile(r"[A-Z]{1,3}\$|R\d")
_PARTISANS = frozenset({"Democrat", "Republican", "Tory"})
"""What one person is; the plural is the party."""
_PARTY_AND_STATE = re.compile(r"[RDI]-(?=[A-Z])")
_MEMBER_FOR = re.compile(r" (?:MP|MEP|MSP|lawmaker)\b.*")


_PARTICLES_BEFORE = re.compile(r"\b(?:(?:von|van|der|den|de|da|dos|di|del|bin) )+$")


def _english_edges(body: str, start: int, end: int, kind: EntityType) -> tuple[int, int]:
    """Where a name begins and ends, without the habits of British and American papers."""
    if party := _PARTY_AND_STATE.match(body, start, end):  # "R-S.D."
        start = party.end()
    if kind is EntityType.PERSON:
        if letters := _LETTERS_BEHIND.search(body[start:end]):
            end = start + letters.start()
        if particles := _PARTICLES_BEFORE.search(body[max(0, start - 16) : start]):
            start -= len(particles[0])  # "von der" of "von der Leyen"
        if body[end : end + 1] == "." and re.search(r" [JS]r$", body[start:end]):
            end += 1
    elif kind is EntityType.PLACE:
        if sentence := re.search(r"\w{4}(?=\. [A-Z])", body[start:end]):
            end = start + sentence.end()
        if body[start:end] == "Hague" and body[max(0, start - 4) : start] in ("The ", "the "):
            start -= 4
    elif kind is EntityType.ORGANIZATION and (member := _MEMBER_FOR.search(body[start:end])):
        end = start + member.start()  # "Labour MP for Edgbaston"
    return start, end


_DATELINE = re.compile(
    rf"\s*([{_CAPITALS}][{_CAPITALS}.'’ -]*[{_CAPITALS}])"
    rf"(?:/([{_CAPITALS}]+(?: [{_CAPITALS}]+)*))?(?:, ([{_CAPITALS}][\w.]+(?: [A-Z]\w+)?))?"
    r"(?:, \w+\.? \d+)?(?: \([\w ]+\))?(?: ?[—–]| --?(?= )|:) ?"
)
"""CHICAGO, TBILISI/MOSCOW, ATHENS, Ga. (AP) — ..."""


def with_datelines(mentions: Sequence[Mention], body: str) -> list[Mention]:
    """The mentions with the places of the dateline that a report begins with, which models take for anything."""
    line = _DATELINE.match(body)
    if line is None:
        return list(mentions)
    spans = [line.span(n) for n in (1, 2, 3) if line[n]]
    places = [Mention(text=body[a:b], type=EntityType.PLACE, start=a, end=b) for a, b in spans if is_listed(body[a:b])]
    if not places or places[0].start != spans[0][0]:
        return list(mentions)
    rest = []
    for mention in mentions:
        if mention.start < line.end() < mention.end and mention.type in (EntityType.PERSON, EntityType.ORGANIZATION):
            start = line.end()
            rest.append(replace(mention, text=body[start : mention.end], start=start))
        elif mention.start >= line.end() or not any(mention.start < b and a < mention.end for a, b in spans):
            rest.append(mention)
    return sorted([*places, *rest], key=lambda m: m.start)


_PART_OF_TOWN = re.compile(r"\s+(section|neighbou?rhood|district|quarter|suburb|borough|area) of\b")
"""What says that the name before it is a part of a town ("the Murray Hill section of Manhattan")."""


def _is_called_organization(text: str) -> bool:
    words = text.casefold().rstrip(".").split()
    if len(words) > 1 and words[-1] in _BODIES:
        return True
    return any(word in _BODIES and link in ("of", "for") for word, link in pairwise(words))


@cache
def _titles(language: str) -> frozenset[str]:
    return _TITLES if language == "en" else frozenset(_TITLES_IN.get(language, "").split())


def _goes_with_titles(word: str, language: str) -> bool:
    if language != "en":
        return word.casefold() in _titles(language)
    return word.casefold() in _TITLES | _BESIDE_TITLES or word in demonyms()


def _trim(body: str, start: int, end: int) -> tuple[int, int]:
    while start < end and body[start] in _QUOTES:
        start += 1
    while start < end and body[end - 1] in _QUOTES:
        end -= 1
    return start, end


def split_compounds(mentions: Sequence[Mention]) -> list[Mention]:
    """Hyphen compounds of two names ("Lavrov-Kim") as two mentions, where each half is a person's name here."""
    known = {part for m in mentions if m.type is EntityType.PERSON for part in m.text.split()}
    result: list[Mention] = []
    for mention in mentions:
        halves = re.fullmatch(r"([^\W\d_][\w’'.]+)[-–]([^\W\d_][\w’'. ]+)", mention.text)
        if halves and halves[2][0].isupper():
            left, right = halves[1], halves[2]
            if left in known and right.split()[-1] in known:
                result.append(replace(mention, text=left, type=EntityType.PERSON, end=mention.start + len(left)))
                result.append(replace(mention, text=right, type=EntityType.PERSON, start=mention.end - len(right)))
                continue
        result.append(mention)
    return result


def join_halves(mentions: Sequence[Mention], body: str) -> list[Mention]:
    """One organisation where a model saw two, or half of one: "International Committee of the" and "Red Cross"."""
    result: list[Mention] = []
    texts = {mention.text for mention in mentions}
    for mention in mentions:
        before = result[-1] if result else None
        if before is not None and mention.start < before.end:
            continue
        if (
            before is not None
            and before.type is mention.type is EntityType.ORGANIZATION
            and _OPEN.search(before.text)
            and body[before.end : mention.start] == " "
            # "Jenner Institute of the" and "University of Oxford" are two.
            and not (_is_called_organization(_OPEN.sub("", before.text)) and _is_called_organization(mention.text))
        ):
            result[-1] = replace(before, text=body[before.start : mention.end], end=mention.end)
            continue
        owned = _OWNED.match(mention.text) if mention.type is EntityType.ORGANIZATION else None
        if owned and (is_country(owned[1]) or owned[1] in texts):
            # "Peru's Congress", "Yale's Humanitarian Research Lab": two names.
            kind = EntityType.PLACE if is_country(owned[1]) else EntityType.ORGANIZATION
            end = mention.start + owned.end(1)
            result.append(Mention(text=owned[1], type=kind, start=mention.start, end=end))
            start = mention.start + owned.end()
            result.append(replace(mention, text=body[start : mention.end], start=start))
            continue
        result.append(mention)
    return [_closed(m, body) if m.type is EntityType.ORGANIZATION else m for m in result]


_OPEN = re.compile(r" (of|for)( the)?$")
_OWNED = re.compile(r"(\w[\w .]*\w)['’]s (?=[A-Z])")


def _closed(mention: Mention, body: str) -> Mention:
    """An organisation that ends in "of the" with the name behind it where it is a body, else without the words."""
    cut = _OPEN.search(mention.text)
    if cut is None:
        return mention
    behind = re.match(rf" [{_CAPITALS}]\w+(?: [{_CAPITALS}]\w+)*", body[mention.end : mention.end + 60])
    if behind and mention.text[: cut.start()].casefold() in _BODIES:
        end = mention.end + behind.end()
    else:
        end = mention.start + cut.start()
    return replace(mention, text=body[mention.start : end], end=end)


def settle_types(mentions: Sequence[Mention], body: str, *, language: str = "en") -> list[Mention]:
    """One type for one text in an article: that of most of its mentions; a surname follows the full name."""
    votes: dict[str, Counter[EntityType]] = defaultdict(Counter)
    for mention in mentions:
        votes[mention.text][mention.type] += 1
    ends = {m.end for m in mentions if m.type is EntityType.PLACE}
    places = {(m.start, m.end) for m in mentions if _stands_as_place(m, body, ends)}
    settled = [m if (m.start, m.end) in places else _settled(m, votes) for m in mentions]
    settled = [_full_name(mention, votes, body, language) for mention in settled]
    persons = [m for m in settled if m.type is EntityType.PERSON and len(m.text.split()) > 1]
    surnames = {m.text.split()[-1] for m in persons}
    parts = {name_parts(m.text)[n] for m in persons for n in (0, -1)}
    introduced: dict[tuple[str, ...], int] = {}
    """Where each person's surname, and each full name, stands first."""
    for m in persons:
        whole = name_parts(m.text)
        for name in (whole, whole[-1:]):
            introduced[name] = min(m.start, introduced.get(name, m.start))
    located = {name_parts(m.text) for m in mentions if (m.start, m.end) in places}
    companies = {m.text.split()[0] for m in settled if m.type is EntityType.ORGANIZATION and " " in m.text}
    result = []
    for mention in settled:
        name = name_parts(mention.text)
        counts, kind = votes[mention.text], mention.type
        surname = mention.text in surnames and (counts[EntityType.PERSON] or counts[kind] == 1)
        if surname and not is_known(mention.text, language):
            kind = EntityType.PERSON
        elif (
            kind is EntityType.PLACE
            and introduced.get(name, mention.start) < mention.start
            and name not in located
            # Only of English it is known what stands before a place.
            and (language == "en" or len(name) > 1 or not is_known(mention.text, language))
        ):
            kind = EntityType.PERSON  # "Washington" after "Denzel Washington", "Kim Jong-il" after "Kim Jong Il"
        elif (
            len(name) == 1
            and name[0] in parts
            and (kind is EntityType.OTHER or (kind is EntityType.PLACE and not is_known(mention.text, language)))
        ):
            kind = EntityType.PERSON
        elif (
            kind is EntityType.PERSON
            and mention.text in companies
            and name[0] not in parts
            and language == "en"
            and not _is_titled(mention, body)
        ):
            kind = EntityType.ORGANIZATION  # "Goldman" beside "Goldman Sachs"
        result.append(replace(mention, type=kind))
    return result


def _settled(mention: Mention, votes: Mapping[str, Counter[EntityType]]) -> Mention:
    counts = votes[mention.text]
    return replace(mention, type=max(counts, key=lambda k: (counts[k], k is mention.type)))


def _full_name(mention: Mention, votes: Mapping[str, Counter[EntityType]], body: str, language: str) -> Mention:
    """A person where two words were taken for something else, and the second is a person by itself."""
    words = mention.text.split()
    if mention.type is EntityType.PERSON or len(words) != 2 or not all(w.isalpha() and w[0].isupper() for w in words):
        return mention
    if is_known(mention.text, language) or _is_called_organization(mention.text):
        return mention
    lone = votes.get(words[-1], Counter())
    # Products are called so, too ("Nissan Leaf"): what isn't taken for a place needs a title.
    certain = mention.type is EntityType.PLACE or _is_titled(mention, body)
    mostly = lone[EntityType.PERSON] > lone.total() / 2
    return replace(mention, type=EntityType.PERSON) if certain and mostly else mention


_IN_PLACE = re.compile(
    r"\b(?:in|near|outside|across|around|through|throughout|into|(?:north|south|east|west) of) $", re.I
)


def _stands_as_place(mention: Mention, body: str, ends: set[int]) -> bool:
    """Whether what stands around a place's name shows that a place is meant: "in Washington", "Jordan, Minnesota".

    ``ends`` says where the places of the text end, for "Mercer Island, Washington".
    """
    if mention.type is not EntityType.PLACE or not is_listed(mention.text):
        return False
    if _IN_PLACE.search(body[max(0, mention.start - 12) : mention.start]):
        return True
    if mention.start - 2 in ends and body[mention.start - 2] == ",":
        return True
    if mention.text.isupper() and _DATELINE.match(body) and mention.start < 60:
        return True
    behind = _BEHIND_COMMA.match(body, mention.end)
    return behind is not None and is_listed(behind[1])


def _is_titled(mention: Mention, body: str) -> bool:
    before = body[max(0, mention.start - 20) : mention.start].split()
    return bool(before) and before[-1].rstrip(",").casefold() in _TITLES


_WORD = re.compile(r"\w+")
_WORD_BEFORE = re.compile(rf"(?:\b[^\W\d_]?[{_CAPITALS}][\w’'.-]*|[-–])\s?$")
_WORD_BEHIND = re.compile(rf"(?:[-–]\w|['’](?!s\b)\w| [{_CAPITALS}]\w)")


def find_repeats(mentions: Sequence[Mention], body: str, *, language: str = "en") -> list[Mention]:
    """The mentions, and where the model missed them the same names again.

    Surnames of persons named in full, and names of two words or more, as whole words; not where they touch another
    capitalised word, since then they may be part of another name ("Brooks" in "Brooks Brothers").
    """
    names: dict[str, EntityType] = {}
    for mention in mentions:
        words = mention.text.split()
        given = _BRACKETED.match(body, mention.end) if mention.type is EntityType.ORGANIZATION else None
        if given and re.fullmatch("[A-Z]{2,6}", given[1]):
            names.setdefault(given[1], EntityType.ORGANIZATION)
        if len(words) < 2 and mention.type is EntityType.ORGANIZATION and len(mention.text) > 3:
            names.setdefault(mention.text, EntityType.ORGANIZATION)
        if len(words) < 2:
            continue
        names.setdefault(mention.text, mention.type)
        if mention.type is EntityType.PERSON:
            first = len(words) - 1
            while first > 1 and words[first - 1].casefold() in _PARTICLES:
                first -= 1
            surname = " ".join(words[first:])
            usable = len(surname) > 3 and words[-1][0].isupper() and surname.casefold() not in _SUFFIXES
            if usable and not is_known(surname, language):
                names.setdefault(surname, EntityType.PERSON)
                names.setdefault(surname[0].upper() + surname[1:], EntityType.PERSON)
    by_first_word: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names, key=lambda n: (-len(n), n)):
        if word := _WORD.match(name):
            by_first_word[word[0]].append(name)
    # "Gates opened at noon" is not Bill Gates in a story that also speaks of gates.
    common = set(re.findall(rf"\b[^\W\d_{_CAPITALS}]+\b", body))
    taken = sorted((m.start, m.end) for m in mentions)
    found = list(mentions)
    free_from = 0
    for word in _WORD.finditer(body):
        start = word.start()
        hit = next((n for n in by_first_word.get(word[0], ()) if body.startswith(n, start)), None)
        if hit is None or start < free_from:
            continue
        end = start + len(hit)
        place = bisect(taken, (start, len(body)))
        if (place and taken[place - 1][1] > start) or (place < len(taken) and taken[place][0] < end):
            continue
        before = body[max(0, start - 30) : start]
        ahead = _WORD_BEFORE.search(before)
        titled = ahead is not None and ahead[0].strip().casefold() in _titles(language)
        # The first word of a sentence is capitalised anyway; titles are no part of the name.
        if (ahead is not None and not titled and before.rstrip()[-1:] not in ".!?:;,") or _WORD_BEHIND.match(body, end):
            continue
        if body[end : end + 1].isalnum():
            continue
        if hit.lower() in common and not titled:
            continue
        found.append(Mention(text=hit, type=names[hit], start=start, end=end))
        free_from = end
    return sorted(found, key=lambda m: m.start)


# -------------------------------------------------------------------------------------------------- clusters


@dataclass(slots=True)
class _Cluster:
    kind: EntityType
    parts: tuple[str, ...]
    mentions: list[Mention] = field(default_factory=list)

    full: int = 0
    """How many of the mentions give the name in full."""
    age: str = ""
    """"jr" or "sr", where the name has it."""


def resolve(
    mentions: Iterable[Mention],
    *,
    body: str,
    headline: str = "",
    source_country: str | None = None,
    review: EntityReview | None = None,
    language: str = "en",
) -> tuple[Entity, ...]:
    """The entities of an article, the most salient first, each with its mentions, key, salience and place.

    ``language`` (ISO 639-1) is that of the article: its titles and its inflection of names are known, where rules go
    by words only the English ones are applied to English.
    """
    review = review or EntityReview()
    cleaned = clean_mentions(mentions, body, blocked=review.blocked, language=language)
    if language == "en":
        cleaned = with_datelines(cleaned, body)
    cleaned = settle_types(split_compounds(join_halves(cleaned, body)), body, language=language)
    cleaned = find_repeats(cleaned, body, language=language)
    clusters: list[_Cluster] = []
    for kind in EntityType:
        of_kind = [m for m in cleaned if m.type is kind]
        parts = _uninflected(of_kind, language)
        if kind is EntityType.PERSON:
            clusters += _persons(of_kind, body, headline, parts)
        elif kind is EntityType.ORGANIZATION:
            clusters += _organizations(of_kind, body, parts)
        else:
            clusters += _by_fold(of_kind, kind, parts)
    entities = _with_places(clusters, body, source_country, language)
    return _reviewed(entities, review, body, headline)


_Parts = Callable[[str], tuple[str, ...]]
"""Gives the words of a name as they are compared within an article."""


def _uninflected(mentions: Sequence[Mention], language: str) -> _Parts:
    """``name_parts``, with a word taken for the uninflected one where the article has that too: "Путина", "Путин"."""
    seen = {part for mention in mentions for part in name_parts(mention.text)}
    plain: dict[str, str] = {}
    for word in sorted(seen):
        found = [form for form in base_forms(word, language) if form in seen]
        if found:
            plain[word] = min(found, key=lambda form: (len(form), form))

    def parts(name: str) -> tuple[str, ...]:
        return tuple(plain.get(part, part) for part in name_parts(name))

    return parts if plain else name_parts


def _by_fold(mentions: Sequence[Mention], kind: EntityType, parts_of: _Parts) -> list[_Cluster]:
    groups: dict[object, _Cluster] = {}
    for mention in mentions:
        parts = parts_of(mention.text)
        key = fold(mention.text) if parts == name_parts(mention.text) else " ".join(parts)
        groups.setdefault(key, _Cluster(kind, parts)).mentions.append(mention)
    return list(groups.values())


def _persons(mentions: Sequence[Mention], body: str, headline: str, parts_of: _Parts) -> list[_Cluster]:
    full: list[_Cluster] = []
    by_part: dict[str, list[_Cluster]] = defaultdict(list)
    """Clusters by each part of their names and by all joined."""
    short: list[tuple[tuple[str, ...], Mention]] = []
    known_as = (parts_of(m.text) for m in mentions if _KNOWN_AS.search(body[max(0, m.start - 16) : m.start]))
    nicknames = {parts for parts in known_as if len(parts) < 3}
    for mention in mentions:
        parts = tuple(p for p in parts_of(mention.text) if p not in _SUFFIXES) or parts_of(mention.text)
        words_all = mention.text.casefold().split()
        words = [w for w in words_all if w not in _PARTICLES | _SUFFIXES]
        if len(words) < 2 or len(parts) < 2 or parts in nicknames:  # "Akufo-Addo" is a surname too
            short.append((parts, mention))
            continue
        age = next((w.rstrip(".") for w in words_all if w.rstrip(".") in ("jr", "sr")), "")
        alike = [c for c in by_part[parts[-1]] if not (age and c.age and age != c.age)]
        cluster = next((c for c in alike if _same_person(c.parts, parts)), None)
        if cluster is None:
            alike = [c for c in by_part["".join(parts)] if not (age and c.age and age != c.age)]
            cluster = next((c for c in alike if "".join(c.parts) == "".join(parts)), None)
        if cluster is None:
            cluster = _Cluster(EntityType.PERSON, parts)
            full.append(cluster)
            for part in {*parts, "".join(parts)}:
                by_part[part].append(cluster)
        elif sum(map(len, parts)) > sum(map(len, cluster.parts)):
            cluster.parts = parts
        cluster.mentions.append(mention)
        cluster.full += 1
        cluster.age = cluster.age or age
    introduced = {id(c): c.mentions[0].start for c in full}
    lone: dict[tuple[str, ...], _Cluster] = {}
    for parts, mention in short:
        options = {id(c): c for c in (*by_part[parts[-1]], *by_part[parts[0]])}
        paragraph = body.rfind("\n\n", 0, mention.start)
        found = None
        if parts in nicknames and parts not in lone:
            before = [(m.start, c) for c in full for m in c.mentions if mention.start - 200 < m.start < mention.start]
            if before and _KNOWN_AS.search(body[max(0, mention.start - 16) : mention.start]):
                lone[parts] = found = max(before, key=lambda pair: pair[0])[1]
        if parts in nicknames:
            found = lone.get(parts)
        else:
            found = _whose(parts, mention, list(options.values()), headline, introduced, paragraph)
        if found is None:
            found = _spelled_otherwise(parts, full) or lone.setdefault(parts, _Cluster(EntityType.PERSON, parts))
        found.mentions.append(mention)
    return list({id(c): c for c in (*full, *lone.values())}.values())


_KNOWN_AS = re.compile(r"\bknown as [“\"‘']?$")


def _same_person(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if one == other or "".join(one) == "".join(other):
        return True
    short, long = sorted((one, other), key=len)
    if len(short) < 2 or short[-1] != long[-1]:
        return False
    if long[-len(short) :] == short:
        return True  # "Suu Kyi", "López Obrador"
    if short[0] == long[0]:
        middles = short[1:-1], long[1:-1]
        if all(len(part) == 1 for middle in middles for part in middle):
            return middles[1][: len(middles[0])] == middles[0]  # not "George W." and "George H. W. Bush"
        # "Sergei Lavrov" and "Sergei Viktorovich Lavrov"; but "Kim Jong Un" and "Kim Un" are not for us to say.
        return set(short) <= set(long) or all(any(p[0] == q[0] for q in long) for p in short)
    initial, first = sorted((short[0], long[0]), key=len)
    if len(initial) != 1 or not first.startswith(initial):
        return False
    # "J. K. Rowling" and "Joanne Rowling": further initials may be left out.
    return len(short) == len(long) or all(len(part) == 1 for part in long[:-1])


def _whose(
    parts: tuple[str, ...],
    mention: Mention,
    full: Sequence[_Cluster],
    headline: str,
    introduced: Mapping[int, int],
    paragraph: int,
) -> _Cluster | None:
    """The person a lone surname (or first name, or family name in front) belongs to.

    ``introduced`` says where each was first named in full, ``paragraph`` where that of the mention begins.
    """
    count = len(parts)
    by_surname = [c for c in full if c.parts[-count:] == parts or (c.parts[:count] == parts and _family_first(c))]
    # "Zambada" after "Ismael Zambada García", "Lula" after "Luiz Inácio Lula da Silva"
    by_surname += [c for c in full if _in_the_middle(parts, c.parts) and c not in by_surname]
    if len(by_surname) > 1:  # "Trier" is not Lars von Trier where there is another
        plain = [c for c in by_surname if not (len(c.parts) > count and c.parts[-count - 1] in _PARTICLES)]
        by_surname = plain or by_surname
    options = by_surname or [c for c in full if c.parts[:count] == parts]
    if len(options) < 2:
        return options[0] if options else None
    if all(_family_first(c) for c in options):
        # "Kim": whom the article introduced first, of those it often names in full.
        weight = {id(c): c.full + 3 * _in_headline(c, headline) for c in options}
        often = [c for c in options if 2 * weight[id(c)] >= max(weight.values())]
        return min(often, key=lambda c: introduced[id(c)])
    # Of relatives the one named last in this paragraph; else the surname alone is for the one introduced first.
    before = {id(c): max((m.start for m in c.mentions if m.start < mention.start), default=-1) for c in options}
    here = [c for c in options if before[id(c)] > paragraph]
    return max(here, key=lambda c: before[id(c)]) if here else min(options, key=lambda c: introduced[id(c)])


def _spelled_otherwise(parts: tuple[str, ...], full: Sequence[_Cluster]) -> _Cluster | None:
    """The person whose long surname is nearly this one: "Zurabishvili", "Salome Zourabichvili"."""
    surname = parts[-1]
    if len(parts) > 1 or len(surname) < _LONG:
        return None
    near = [c for c in full if c.parts[-1][0] == surname[0] and len(c.parts[-1]) >= _LONG]
    near = [c for c in near if SequenceMatcher(None, c.parts[-1], surname).ratio() >= _ALIKE]
    return near[0] if len(near) == 1 else None


_LONG, _ALIKE = 10, 0.85
"""Letters of a surname that may be written in two ways in one article, and how alike the two must be."""


def _in_the_middle(parts: tuple[str, ...], name: tuple[str, ...]) -> bool:
    return any(name[n : n + len(parts)] == parts for n in range(1, len(name) - len(parts)))


def _family_first(cluster: _Cluster) -> bool:
    """Whether the first part of a name is the family's: "Kim Jong-un", "Xi Jinping"."""
    return cluster.parts[0] in _FAMILY_NAMES or bool(_HYPHENED.fullmatch(cluster.mentions[0].text))


_HYPHENED = re.compile(r"[^\W\d_]+ [^\W\d_]+-[a-z]+")
_FAMILY_NAMES = frozenset(
    """kim lee park pak choi choe jung kang cho jo yoon jang lim seo shin kwon hwang ahn song moon ri rhee xi li wang
    zhang liu chen yang huang zhao wu zhou xu sun ma zhu hu guo lin luo gao zheng liang xie tang wen feng yu deng peng
    jiang nguyen tran pham""".split()
)
"""Family names of East Asia, which stand in front."""


def _in_headline(cluster: _Cluster, headline: str) -> bool:
    words = set(name_parts(headline))
    return bool(words) and set(cluster.parts) <= words


_BRACKETED = re.compile(rf"\s*[,]?\s*[(\[]\s*(?:the\s+)?([{_CAPITALS}][^\W\d_][\w.&-]{{0,8}})\s*[)\]]")


def _organizations(mentions: Sequence[Mention], body: str, parts_of: _Parts) -> list[_Cluster]:
    groups: dict[str, _Cluster] = {}

    def key_of(name: str) -> str:
        return entity_key(EntityType.ORGANIZATION, " ".join(parts_of(name)))

    for mention in mentions:
        cluster = groups.setdefault(key_of(mention.text), _Cluster(EntityType.ORGANIZATION, parts_of(mention.text)))
        cluster.mentions.append(mention)

    def join(short: str, long: str) -> None:
        if short in groups and long in groups and groups[short] is not groups[long]:
            groups[long].mentions.extend(groups[short].mentions)
            groups[short] = groups[long]

    for mention in mentions:
        given = _BRACKETED.match(body, mention.end)
        # "Republican People's Party (CHP)": abbreviations in a language of their own have other letters.
        if given and (_abbreviates(given[1], mention.text) or re.fullmatch("[A-Z]{3,6}", given[1])):
            join(key_of(given[1]), key_of(mention.text))
    # "The FTC" after "Federal Trade Commission": the first letters of one of the names before it.
    for key, cluster in list(groups.items()):
        short = cluster.mentions[0].text
        if groups[key] is cluster and re.fullmatch("[A-Z]{3,6}", short):
            spelled = {
                id(groups[key_of(m.text)]): m
                for m in mentions
                if m.start < cluster.mentions[0].start
                and groups[key_of(m.text)] is not cluster
                and _abbreviates(short, m.text)
            }
            if len(spelled) == 1:
                join(key, key_of(next(iter(spelled.values())).text))
    clusters = list({id(c): c for c in groups.values()}.values())
    # "Goldman" after "Goldman Sachs", "Celtics" after "Boston Celtics": first or last words of one longer name only.
    merged: set[int] = set()
    for cluster in sorted(clusters, key=lambda c: len(c.parts)):
        count = len(cluster.parts)
        if not count or len(cluster.parts[0]) < 4 or cluster.parts[0] in _GENERIC:
            continue
        rest = [c for c in clusters if len(c.parts) > count and id(c) not in merged]
        longer = [c for c in rest if c.parts[:count] == cluster.parts]
        if not longer and cluster.parts[-1] not in _SHARED_ENDS:
            longer = [c for c in rest if c.parts[-count:] == cluster.parts]
        if len(longer) == 1:
            longer[0].mentions.extend(cluster.mentions)
            merged.add(id(cluster))
    return [c for c in clusters if id(c) not in merged]


_SHARED_ENDS = frozenset("house army police states group board party union court".split())
"""Words that are another organization by themselves: "House" is not the White House."""
_GENERIC = frozenset(
    """united national international federal world european royal american central supreme house north south east west
    city bank army state free first general""".split()
)


def _abbreviates(short: str, name: str) -> bool:
    letters = re.sub(r"[\W\d_]", "", short).casefold()
    words = re.findall(r"[^\W\d_]+", name)
    initials = "".join(w[0] for w in words).casefold()
    capitals = "".join(w[0] for w in words if w[0].isupper()).casefold()
    return len(letters) >= 2 and letters in (initials, capitals)


# -------------------------------------------------------------------------------------------------- entities


_BEHIND_COMMA = re.compile(r",\s*((?:[A-Z]\.)+|[A-Z][\w]*\.?(?: [A-Z][\w]*)?)")
"""The state or country that a town lies in: "Athens, Ga.", "Paris, Texas"."""


def _by_neighbour(cluster: _Cluster, body: str) -> list[_Cluster]:
    """Two clusters where a name is said by itself first and later with a state or country: another place of the name.

    "Cambridge scientists" and then "Cambridge, Massachusetts" are two, "Paris, Texas" and then "Paris" are one.
    """
    if cluster.kind is not EntityType.PLACE:
        return [cluster]
    mentions = sorted(cluster.mentions, key=lambda m: m.start)
    with_area = [m for m in mentions if is_listed(_area_behind(m, body))]
    if not with_area or mentions[0] in with_area:
        return [cluster]
    plain = [m for m in mentions if m not in with_area]
    return [replace(cluster, mentions=plain), replace(cluster, mentions=with_area)]


def _with_area(cluster: _Cluster, body: str) -> str:
    """The name of a place, with what stands behind it after a comma: "Paris", "Paris, Texas"."""
    mentions = sorted(cluster.mentions, key=lambda m: m.start)
    areas = [area for m in mentions if (area := _area_behind(m, body))]
    return f"{mentions[0].text}, {areas[0]}" if areas else mentions[0].text


def _area_behind(mention: Mention, body: str) -> str:
    behind = _BEHIND_COMMA.match(body, mention.end, mention.end + 40)
    return behind[1] if behind else ""


def _with_places(clusters: Sequence[_Cluster], body: str, source_country: str | None, language: str) -> list[Entity]:
    clusters = [part for cluster in clusters for part in _by_neighbour(cluster, body)]
    names = [_with_area(c, body) for c in clusters if c.kind is EntityType.PLACE]
    places = locate(names, source_country=source_country, language=language)
    merged: dict[str, Entity] = {}
    for cluster in clusters:
        cluster.mentions.sort(key=lambda m: m.start)
        place = places.get(_with_area(cluster, body)) if cluster.kind is EntityType.PLACE else None
        name = _canonical(cluster, place, language)
        key = place_key(place) if place else entity_key(cluster.kind, name)
        known = merged.get(key)
        mentions = (*known.mentions, *cluster.mentions) if known else tuple(cluster.mentions)
        mentions = tuple(sorted(mentions, key=lambda m: m.start))
        merged[key] = Entity(
            name=known.name if known else name, type=cluster.kind, mentions=mentions, key=key, place=place
        )
    return list(merged.values())


def place_key(place: Place) -> str:
    """Equal for the names of one place: its GeoNames id, a region's ISO 3166-2 code, else its name."""
    return (
        f"place:{place.geonames_id or place.region}"
        if place.geonames_id or place.region
        else (entity_key(EntityType.PLACE, place.name))
    )


def _canonical(cluster: _Cluster, place: Place | None, language: str) -> str:
    """The most frequent of the full forms; among equals the fuller, then the earlier.

    Countries, and in other languages than English all places that were found, have their English name, so that one
    place has one name in facets.
    """
    if place is not None and (place.kind == "country" or language != "en"):
        return place.name.removesuffix(" City") if place.name == "New York City" else place.name
    forms = Counter(" ".join(m.text.split()) for m in cluster.mentions)
    order = {name: -position for position, name in enumerate(forms)}
    # "Apple" and then "Apple TV" is Apple; "Stanford" and then "Stanford University" the university.
    first = name_parts(next(iter(forms)))
    lengths = {form: len(name_parts(form)) for form in forms}
    longest = max(
        length
        for form, length in lengths.items()
        if length <= len(first) or name_parts(form)[: len(first)] != first or name_parts(form)[-1] in _BODIES
    )

    def rank(name: str) -> tuple[bool, bool, bool, int, int, int]:
        parts = name_parts(name)
        nickname = cluster.kind is EntityType.PERSON and not set(parts) & set(cluster.parts)
        whole = len(parts) > 1 and all(len(p) > 1 for p in parts[:1] + parts[-1:])
        if cluster.kind is EntityType.ORGANIZATION:
            whole = len(parts) == longest
        plain = set(parts) <= set(cluster.parts)  # not inflected
        return not nickname, whole, plain or language == "en", forms[name], len(parts), order[name]

    best = max(forms, key=rank)
    return best.removeprefix("the ") if cluster.kind is not EntityType.OTHER else best


def _reviewed(entities: Sequence[Entity], review: EntityReview, body: str, headline: str) -> tuple[Entity, ...]:
    merged: dict[str, Entity] = {}
    for entity in entities:
        written = entity_key(entity.type, entity.name)
        key, name = review.names.get(entity.key) or review.names.get(written) or (entity.key, entity.name)
        if {key, entity.key, written} & review.hidden:
            continue
        if entity.place is not None:
            key = entity.key  # a renamed place keeps its gazetteer key
        known = merged.get(key)
        mentions = tuple(sorted((*(known.mentions if known else ()), *entity.mentions), key=lambda m: m.start))
        place = entity.place or (known.place if known else None)
        merged[key] = replace(entity, key=key, name=name, mentions=mentions, place=place)
    most = max((len(e.mentions) for e in merged.values()), default=1)
    weighed = [replace(e, salience=_salience(e, most, len(body), headline)) for e in merged.values()]
    return tuple(sorted(weighed, key=lambda e: (-e.salience, e.mentions[0].start)))


def _salience(entity: Entity, most: int, length: int, headline: str) -> float:
    """0 to 1: four tenths frequency, three tenths how early it comes, three tenths whether the headline names it."""
    words = f" {' '.join(name_parts(headline))} "
    named = any(f" {' '.join(name_parts(m.text))} " in words for m in entity.mentions if name_parts(m.text))
    early = 1 - entity.mentions[0].start / max(length, 1)
    return round(0.4 * len(entity.mentions) / most + 0.3 * early + 0.3 * named, 3)

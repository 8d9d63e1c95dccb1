"""The forms of names that stand behind inflected ones: "Москве" for "Москва", "Helsingissä" for "Helsinki".

Rules of endings, for looking names up and comparing them; they make candidates, and whoever uses them knows which of
them exist. Only the cases of nouns, as grammars list them; no stems that change beyond the consonants of Finnish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

_GENITIVE_S = frozenset(("de", "sv", "da", "no"))

_RUSSIAN = (
    ("ией", ("ия",)), ("иям", ("ии",)), ("ами", ("ы",)), ("ого", ("ый", "ий", "ой", "ое")),
    ("ому", ("ый", "ий", "ой", "ое")), ("ыми", ("ые",)), ("ым", ("", "ый")), ("им", ("ий",)), ("ой", ("а", "ая")),
    ("ей", ("я", "ья")), ("ом", ("", "ий", "ый", "о")), ("ем", ("й", "ь", "е", "ий")), ("ам", ("ы",)), ("ах", ("ы",)),
    ("ов", ("ы",)), ("ую", ("ая",)), ("ию", ("ия",)), ("ии", ("ия",)), ("ых", ("ые",)),
    ("а", ("", "о")), ("я", ("й", "ь")), ("ы", ("а",)), ("и", ("ь", "я", "а", "й")),
    ("у", ("а", "", "о")), ("ю", ("я", "й", "ь")),
    ("е", ("а", "", "я", "ь", "й", "о")),
)  # fmt: skip
_FINNISH = re.compile(
    r"(?:n|ss[aä]|st[aä]|ll[aä]|lt[aä]|lle|ks?i|tt[aä]|t[aä]|[aä]|[aeiouyäö]n|h[aeiouyäö]n|iin|seen)$"
)
_GRADES = (("ng", "nk"), ("mm", "mp"), ("nn", "nt"), ("rr", "rt"), ("ll", "lt"), ("d", "t"), ("v", "p"))
"""The weak grade, which stands before endings, and the strong one."""


def base_forms(name: str, language: str) -> Iterator[str]:
    """What ``name`` may be an inflected form of, likelier first, without itself."""
    seen = {name}
    words = name.split(" ")
    for forms in product(*(_word(word, language) for word in words[:4])):
        form = " ".join((*forms, *words[4:]))
        if form not in seen:
            seen.add(form)
            yield form


def _word(word: str, language: str) -> list[str]:
    forms = [word]
    if language == "ru":
        for ending, endings in _RUSSIAN:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                forms += [word[: -len(ending)] + other for other in endings]
    elif language in _GENITIVE_S:
        if len(word) > 3 and word.endswith("s"):
            forms.append(word[:-1].rstrip("’'"))
        elif word.endswith(("’", "'")):
            forms.append(word[:-1])
    elif language == "fi" and (found := _FINNISH.search(word)) and found.start() >= 3:
        stems = {word[: found.start()], *(word[:-length] for length in range(1, 5) if len(word) - length >= 3)}
        for stem in sorted(stems, key=len, reverse=True):
            forms.append(stem)
            if stem.endswith("i"):
                forms.append(stem[:-1])
            if stem.endswith("e"):
                forms.append(f"{stem[:-1]}i")  # "Suomen" of "Suomi"
            forms.append(f"{stem[:-1]}k{stem[-1]}")  # "Turun" of "Turku"
            for weak, strong in _GRADES:
                if (at := stem.rfind(weak)) >= max(1, len(stem) - 3):
                    forms.append(stem[:at] + strong + stem[at + len(weak) :])
    return list(dict.fromkeys(forms))


_CYRILLIC_ENDING = re.compile(r"(?:ого|ему|ому|ыми|ими|ией|ой|ый|ий|ым|им|ом|ем|ей|ую|юю|ая|яя|а|я|у|ю|е|ы|и|ь|й)$")


def stem(word: str) -> str:
    """A Russian name's part that its cases share, folded to lower case: equal for "Путин", "Путина", "Путиным".

    Other words come back as they are.
    """
    if len(word) < 4 or not "а" <= word[0] <= "я":
        return word
    return _CYRILLIC_ENDING.sub("", word) if len(word) > 4 else re.sub(r"[ауюеыияьй]$", "", word)

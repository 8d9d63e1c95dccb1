"""Which language an article is written in.

langdetect (a port of Nakatani Shuyo's language-detection library) knows 55 languages and answers for every
text, also for one in a language it has never seen. This module gives it a bounded, cleaned sample with a fixed
seed, and checks its answer against the text's alphabet and most frequent words before believing it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from threading import Lock

import justext  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from langdetect.detector_factory import DetectorFactory
from langdetect.lang_detect_exception import LangDetectException

from pipeline.models import Language
from pipeline.settings import LanguageSettings

UNDETERMINED = "und"

SAMPLE_CHARACTERS = 300
"""Length of one sample; longer texts give three: from the start, the middle and the last quarter."""

_CERTAIN = 0.99
"""Below this, long texts are put to a vote of their samples, and short ones to page, feed and source, where they
name one of the detector's own candidates. (Of short texts, certain answers are right 998 times in 1,000.)"""

_TRIALS = 7
"""How often langdetect draws n-grams."""

_loading = Lock()


def detect(
    text: str, *, headline: str, stated: Sequence[tuple[str, str | None]] = (), settings: LanguageSettings
) -> Language:
    """The language of an article's body, with its headline's help where the body is short.

    ``stated`` holds what others say the language is, as (who, language tag) pairs such as ``("page", "en-GB")``;
    None, empty and private tags are passed over. Who agrees is recorded in ``agreement``; a statement never
    overrules a confident detection, but decides where the detector can't: between languages it doesn't
    tell apart or doesn't know, and for short texts.

    The code is ISO 639-1, ``zh-cn`` or ``zh-tw`` for Chinese in simplified or traditional characters, or ``und``
    when there are fewer than ``settings.min_characters`` letters, when the text mixes languages, or when the
    probability is below ``settings.min_confidence``. The result depends on the arguments alone: the same in
    every process, thread and order.
    """
    said = tuple((who, code) for who, tag in stated if (code := language_code(tag)) is not None)
    samples = _samples(text)
    if sum(map(len, samples)) < SAMPLE_CHARACTERS and headline.strip():
        samples = [_fold_capitals(headline), *samples]
    sample = "\n".join(samples)
    letters = _letters(sample)
    if sum(letters.values()) < settings.min_characters:
        return _language(UNDETERMINED, 0.0, said)
    code, confidence, basis = _decide(samples, sample, letters, [code for _, code in said], settings.min_confidence)
    return _language(code, confidence, said, basis)


def language_code(tag: str | None) -> str | None:
    """The code this project uses for a BCP 47 tag: ``en-GB`` gives ``en``, ``zh-Hant-HK`` gives ``zh-tw``.

    None for what names no language: empty, malformed, ``und``, ``mul``, ``x-default``. Norwegian Bokmål stays
    ``nb`` and Nynorsk ``nn``; plain Chinese stays ``zh``, as it doesn't say which characters.
    """
    parts = (tag or "").strip().lower().replace("_", "-").split("-")
    code = _ALIASES.get(parts[0], parts[0])
    if not re.fullmatch(r"[a-z]{2,3}", code) or code in {"und", "mul", "mis", "zxx"}:
        return None
    if code == "zh":
        if {"hant", "tw", "hk", "mo"} & set(parts[1:]):
            return "zh-tw"
        if {"hans", "cn", "sg"} & set(parts[1:]):
            return "zh-cn"
    return code


def same_language(one: str, other: str) -> bool:
    """Whether two codes name one language as far as the detector tells languages apart."""
    return other in _counts_as(one)


# ------------------------------------------------------------------------------------------------ deciding


def _decide(
    samples: Sequence[str], sample: str, letters: Counter[str], said: Sequence[str], min_confidence: float
) -> tuple[str, float, str]:
    script, share = _main_script(letters)
    if share < 0.6:
        return UNDETERMINED, 0.0, "detected"
    if script in _ONE_LANGUAGE_SCRIPTS:
        languages = _ONE_LANGUAGE_SCRIPTS[script]
        return next((code for code in said if code in languages), languages[0]), round(share, 4), "script"
    if script == "cjk":
        return _east_asian(sample, letters)
    ranked = _ranked(sample) if len(sample) >= SAMPLE_CHARACTERS else _ranked_with_words(sample)
    code, confidence = ranked[0] if ranked else (UNDETERMINED, 0.0)
    if len(sample) >= 2 * SAMPLE_CHARACTERS:
        if confidence < _CERTAIN:
            code, confidence = _vote(samples)
    elif confidence < _CERTAIN:
        for candidate, probability in ranked:
            if any(same_language(candidate, other) for other in said):
                code, confidence = candidate, max(probability, min_confidence)
                break
    by_letters = _by_letters(ranked[0][0], sample) if ranked else None
    if by_letters is not None and by_letters != UNDETERMINED:
        return by_letters, 1.0, "script"
    if code == UNDETERMINED or confidence < min_confidence:
        return UNDETERMINED, confidence, "detected"
    if by_letters == UNDETERMINED or not _plausible(code, sample):
        return _without_detector(code, said, min_confidence)
    for other in said:
        if other in _INDISTINCT.get(code, ()):
            # nb and nn stay "no", their common code; bs and sr stand for themselves.
            return (code if code == "no" else other), confidence, "stated" if code != "no" else "detected"
    return code, confidence, "detected"


def _without_detector(code: str, said: Sequence[str], min_confidence: float) -> tuple[str, float, str]:
    """The stated language where the detector's answer isn't believed and it couldn't have known the stated one."""
    if not any(same_language(code, other) for other in said):
        for other in said:
            if other not in _profile_codes() | _NORWEGIAN:
                return other, min_confidence, "stated"
    return UNDETERMINED, 0.0, "detected"


def _vote(samples: Sequence[str]) -> tuple[str, float]:
    # One foreign sample of three (a cookie notice, a quotation) is outvoted; anything less clear is mixed text.
    votes: dict[str, list[float]] = {}
    for sample in samples:
        for code, confidence in _ranked(sample)[:1]:
            if confidence >= _CERTAIN:
                votes.setdefault(code, []).append(confidence)
    for code, confidences in votes.items():
        if len(confidences) >= 2:
            return code, round(sum(confidences) / len(confidences), 4)
    return UNDETERMINED, 0.0


def _ranked(sample: str, prior: dict[str, float] | None = None) -> list[tuple[str, float]]:
    """langdetect's answers, most probable first."""
    detector = _factory().create()
    detector.n_trial = _TRIALS
    if prior:
        detector.set_prior_map(prior)
    detector.append(sample)
    try:
        found = detector.get_probabilities()
    except LangDetectException:
        return []  # no n-gram that any profile knows
    answers = [(str(item.lang), round(float(item.prob), 4)) for item in found]
    return sorted(answers, key=lambda answer: (-answer[1], answer[0]))


_NGRAM_WEIGHT = 0.33
"""An n-gram of a short text counts a third: each letter of it comes in n-grams of one, two and three letters."""

_WORD, _NO_WORD = 2.0, -0.5
"""What a word of a short text adds to the log odds of a language that has it among its frequent words, or has not."""


_COMMON, _LARGE, _SMALL = 2.0, 1.0, -1.0
_PRIOR = {
    "en": _COMMON,
    **dict.fromkeys(("es", "de", "fr", "ja", "pt", "ru", "it", "nl", "pl", "tr"), _LARGE),
    **dict.fromkeys(("af", "ca", "cy", "et", "lt", "lv", "sl", "so", "sq", "sw", "tl"), _SMALL),
}
"""Log odds of a short text's language before it is read, roughly by how much of the web is written in it."""


def _ranked_with_words(sample: str) -> list[tuple[str, float]]:
    """The same for a short text: each n-gram weighed once in place of draws, and its frequent words counted.

    Case is left out of it, in the text and in the profiles: headlines are written in capitals, With Each Word
    Capitalized or as sentences, and the profiles were made of sentences.
    """
    factory = _factory()
    detector = factory.create()
    rows, frequencies = _caseless_profiles()
    detector.word_lang_prob_map = rows
    detector.append(_lower(sample))
    detector.cleaning_text()
    ngrams = detector._extract_ngrams()
    if not ngrams:
        return []
    seen = frequencies[[rows[ngram] for ngram in ngrams]].astype(np.float64)
    scores = _NGRAM_WEIGHT * np.log(detector.alpha / detector.BASE_FREQ + seen).sum(axis=0)
    words = _words(sample)
    for number, code in enumerate(factory.langlist):
        # Where there is no list, half of the words are taken for frequent and half not, at no gain.
        known = sum(word in _frequent_words(code) for word in words) if code in _STOP_WORDS else 0.0
        unknown = len(words) - known if code in _STOP_WORDS else len(words) / 2
        scores[number] += _PRIOR.get(code, 0.0) + _WORD * known + _NO_WORD * unknown
    odds = np.exp(scores - scores.max())
    found = zip(factory.langlist, (odds / odds.sum()).tolist(), strict=True)
    answers = [(str(code), round(share, 4)) for code, share in found if share >= _LEAST_CANDIDATE]
    return sorted(answers, key=lambda answer: (-answer[1], answer[0]))


_LEAST_CANDIDATE = 0.01


@cache
def _caseless_profiles() -> tuple[dict[str, int], npt.NDArray[np.float32]]:
    """How frequent each n-gram is in each language, whatever its case: the rows by n-gram, the columns by language."""
    factory = _factory()
    rows: dict[str, int] = {}
    for ngram in factory.word_lang_prob_map:
        rows.setdefault(_lower(ngram), len(rows))
    frequencies = np.zeros((len(rows), len(factory.langlist)), dtype=np.float32)  # 17 MB
    for ngram, by_language in factory.word_lang_prob_map.items():
        frequencies[rows[_lower(ngram)]] += np.array(by_language, dtype=np.float32)
    return rows, frequencies


def _lower(text: str) -> str:
    """Lower case; the Turkish capital İ becomes one letter, not an i and a dot."""
    return text.lower().replace("i\u0307", "i")


@cache
def _factory_once() -> DetectorFactory:
    # Own instance, own seed: langdetect's module-level factory is shared with whoever else uses it in this
    # process. The profiles are added in the order of their names, not of the directory: the order decides
    # how floating point sums round.
    folder = files("langdetect") / "profiles"
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    factory = DetectorFactory()
    factory.load_json_profile([(folder / name).read_text(encoding="utf-8") for name in names])
    factory.seed = 0
    return factory


def _factory() -> DetectorFactory:
    with _loading:
        return _factory_once()


@cache
def _profile_codes() -> frozenset[str]:
    return frozenset(_factory().get_lang_list())


def _language(code: str, confidence: float, said: Sequence[tuple[str, str]], basis: str = "detected") -> Language:
    agreement = tuple((who, same_language(code, other)) for who, other in said)
    return Language(code=code, confidence=min(confidence, 1.0), agreement=agreement, basis=basis)


# ------------------------------------------------------------------------------------------------- samples


def _samples(text: str) -> list[str]:
    """The text itself if it is short, else three stretches of it, cut between words."""
    text = text.strip()
    if len(text) <= 3 * SAMPLE_CHARACTERS:
        third = max(SAMPLE_CHARACTERS, -(-len(text) // 3))
        starts = range(0, len(text), third)
        return [_fold_capitals(text[start : start + third]) for start in starts]
    middle = (len(text) - SAMPLE_CHARACTERS) // 2
    last = len(text) - len(text) // 4
    last = min(last, len(text) - SAMPLE_CHARACTERS)
    return [_fold_capitals(_whole_words(text, start)) for start in (0, middle, max(last, middle + SAMPLE_CHARACTERS))]


def _whole_words(text: str, start: int) -> str:
    end = start + SAMPLE_CHARACTERS
    piece = text[start:end]
    if start and not text[start - 1].isspace():
        first = re.search(r"\s", piece[:40])
        piece = piece[first.end() :] if first else piece
    if end < len(text) and not text[end].isspace():
        blank = max(piece.rfind(" ", -40), piece.rfind("\n", -40))
        piece = piece[:blank] if blank > 0 else piece
    return piece


def _fold_capitals(sample: str) -> str:
    """Lower case for a sample in capitals, which langdetect would skip as acronyms."""
    capitals = sum(1 for character in sample if character.isupper())
    small = sum(1 for character in sample if character.islower())
    return _lower(sample) if capitals > small else sample


# ------------------------------------------------------------------------------------- alphabets and words

_SCRIPTS = tuple(
    (script, re.compile(f"[{ranges}]"))
    for script, ranges in (
        ("latin", "A-Za-zªºÀ-ÖØ-öø-ɏḀ-ỿ"),
        ("cyrillic", "Ѐ-ԯ"),
        ("cjk", "\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"),
        ("arabic", "\u0620-\u064a\u066e-\u06d3\u0750-\u077f"),
        ("devanagari", "\u0900-\u0965\u0970-\u097f"),
        ("bengali", "\u0980-\u09ff"),
        ("greek", "Ͱ-Ͽἀ-῿"),
        ("hebrew", "\u05d0-\u05f2"),
        ("other_indic", "\u0a00-\u0b00\u0b80-\u0d7f"),
        ("thai", "\u0e01-\u0e4f"),
        ("armenian", "\u0531-\u058f"),
        ("georgian", "\u10a0-\u10ff\u1c90-\u1cbf"),
        ("ethiopic", "\u1200-\u137f"),
        ("khmer", "\u1780-\u17ff"),
        ("lao", "\u0e80-\u0eff"),
        ("myanmar", "\u1000-\u109f"),
        ("sinhala", "\u0d80-\u0dff"),
        ("odia", "\u0b01-\u0b7f"),
        ("tibetan", "\u0f00-\u0fff"),
        ("thaana", "\u0780-\u07b1"),
        ("mongolian", "\u1820-\u18aa"),
    )
)

_ONE_LANGUAGE_SCRIPTS = {
    "armenian": ("hy",),
    "georgian": ("ka",),
    "ethiopic": ("am", "ti"),
    "khmer": ("km",),
    "lao": ("lo",),
    "myanmar": ("my",),
    "sinhala": ("si",),
    "odia": ("or",),
    "tibetan": ("bo", "dz"),
    "thaana": ("dv",),
    "mongolian": ("mn",),
}
"""Scripts that langdetect has no profile for, and the languages written in them, most spoken first."""

_SYLLABLE = 3
"""What one Chinese character, kana or Hangul syllable counts for in letters."""


def _letters(sample: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for script, pattern in _SCRIPTS:
        if found := len(pattern.findall(sample)):
            counts[script] = found * _SYLLABLE if script == "cjk" else found
    return counts


def _main_script(letters: Counter[str]) -> tuple[str, float]:
    script, count = letters.most_common(1)[0]
    return script, count / sum(letters.values())


_HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7af]")
_KANA = re.compile("[\u3040-\u30ff]")


def _east_asian(sample: str, letters: Counter[str]) -> tuple[str, float, str]:
    # langdetect takes short Chinese for Korean; the characters tell the three apart without a doubt.
    total = letters["cjk"] / _SYLLABLE
    hangul, kana = len(_HANGUL.findall(sample)) / total, len(_KANA.findall(sample)) / total
    share = round(letters["cjk"] / sum(letters.values()), 4)
    if hangul > 0.3:
        return "ko", share, "script"
    if kana > 0.1:
        return "ja", share, "script"
    ranked = _ranked(sample, {"zh-cn": 0.5, "zh-tw": 0.5})
    return (*ranked[0], "detected") if ranked else (UNDETERMINED, 0.0, "detected")


_INDISTINCT = {"no": frozenset({"nb", "nn"}), "hr": frozenset({"bs", "sr", "sh"}), "id": frozenset({"ms"})}
"""Languages that langdetect's profile stands for beside its own: Norwegian's two forms; the Latin-script
standards of Serbo-Croatian, of which it knows the Croatian one; Malay, written like Indonesian."""

_NORWEGIAN = frozenset({"no", "nb", "nn"})

_ALIASES = {
    "iw": "he", "in": "id", "ji": "yi", "mo": "ro", "cmn": "zh", "fil": "tl", "scc": "sr", "scr": "hr",
    "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "por": "pt", "ita": "it",
    "rus": "ru", "zho": "zh", "chi": "zh", "jpn": "ja", "kor": "ko", "ara": "ar", "nld": "nl", "dut": "nl",
    "swe": "sv", "dan": "da", "nor": "no", "nob": "nb", "nno": "nn", "fin": "fi", "pol": "pl", "tur": "tr",
    "ukr": "uk", "ces": "cs", "cze": "cs", "ell": "el", "gre": "el", "heb": "he", "hin": "hi", "fas": "fa",
    "per": "fa", "hrv": "hr", "srp": "sr", "bos": "bs", "vie": "vi", "ind": "id", "hun": "hu", "ron": "ro",
    "rum": "ro", "bul": "bg",
}  # fmt: skip


@cache
def _counts_as(code: str) -> frozenset[str]:
    """The codes that agree with a code: Bokmål with Nynorsk, Croatian with Serbian, but not Bosnian with Serbian."""
    same = {code}
    if code in ("zh", "zh-cn", "zh-tw"):
        same |= {"zh"} if code != "zh" else {"zh-cn", "zh-tw"}
    if code in _NORWEGIAN:
        same |= _NORWEGIAN
    same |= _INDISTINCT.get(code, frozenset())
    same |= {main for main, others in _INDISTINCT.items() if code in others}
    return frozenset(same)


_CYRILLIC = re.compile("[Ѐ-ԯ]")
_ALPHABETS = {
    "ru": frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
    "uk": frozenset("абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    "bg": frozenset("абвгдежзийклмнопрстуфхцчшщъьюя"),
    "mk": frozenset("абвгдѓежзѕијклљмнњопрстќуфхцчџш"),
}
_CYRILLIC_LETTERS = (
    ("mn", "өү", "өү"),
    ("be", "ўі", "ў"),
    ("uz", "ғқҳў", "ў"),
    ("cv", "ӑӗҫӳ", "ӑӗ"),
    ("sah", "ҕҥһөү", "ҕҥ"),
    ("tg", "ғқҳҷӣӯ", "ҷӣӯ"),
    ("tt", "җңһәөү", "һ"),
    ("sr", "ђјљњћџ", "ђћ"),
    ("kk", "іғқңһәөұү", "ғқұ"),
    ("ba", "ғҙҡңҫһәөү", "ҙҡ"),
)
"""Languages in Cyrillic that langdetect doesn't know: the letters they have and Russian hasn't, and those of which one
must be there to tell them from the others. Fewest letters first."""


def _by_letters(code: str, sample: str) -> str | None:
    """The language that the text's own letters name where the detector's answer can't be written with them."""
    lowered = sample.lower()
    if code == "mk" and not re.search("[ѓќѕ]", lowered):
        words = _words(sample)
        serbian = _share_in(words, "Serbian")
        if re.search("[ђћ]", lowered) or serbian > max(_share_in(words, "Macedonian"), _MIN_STOP_WORDS):
            return "sr"
    if code == "vi" and len(sample) >= SAMPLE_CHARACTERS and "đ" not in lowered:
        return UNDETERMINED
    if code in _ALPHABETS:
        counts = Counter(_CYRILLIC.findall(lowered))
        total = sum(counts.values())
        foreign = sum(count for letter, count in counts.items() if letter not in _ALPHABETS[code])
        if total and foreign / total >= 0.01:
            return _by_cyrillic_letters(counts, total, sample)
    elif code in ("no", "da", "sv", "nl", "en", "de", "fi", "et", "hu", "sk", "cs", "cy", "af"):
        thorn_and_eth = lowered.count("þ"), lowered.count("ð")
        if all(thorn_and_eth) and sum(thorn_and_eth) / len(lowered) >= 0.01:
            return "is"
    return None


def _by_cyrillic_letters(counts: Counter[str], total: int, sample: str) -> str:
    # A letter that is met less than twice in a thousand may be from a name.
    found = {letter for letter, count in counts.items() if letter not in _ALPHABETS["ru"] and count / total >= 0.002}
    if found and found <= set("ңөү") and _share_in(_words(sample), "Kyrgyz") >= _MIN_STOP_WORDS:
        return "ky"  # often without the one letter that Mongolian hasn't; Tuvan has all three
    for language, letters, telling in _CYRILLIC_LETTERS:
        if found <= set(letters) and found & set(telling):
            return language
    return UNDETERMINED


def _share_in(words: Sequence[str], name: str) -> float:
    return _share(words, _word_list(name)) if words else 0.0


_STOP_WORDS = {
    "af": "Afrikaans", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German",
    "en": "English", "es": "Spanish", "et": "Estonian", "fi": "Finnish", "fr": "French", "hr": "Croatian",
    "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "lt": "Lithuanian", "lv": "Latvian", "nl": "Dutch",
    "no": "Norwegian_Bokmal", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "sk": "Slovak",
    "sl": "Slovenian", "sq": "Albanian", "sv": "Swedish", "sw": "Swahili", "tl": "Tagalog", "tr": "Turkish",
    "ar": "Arabic", "fa": "Persian", "ur": "Urdu", "he": "Hebrew", "el": "Greek",
    "bg": "Bulgarian", "mk": "Macedonian", "ru": "Russian", "uk": "Ukrainian", "so": "Somali",
}  # fmt: skip
"""Languages whose answers are checked, and the names of the word lists for them: jusText's, or ``_OWN_LISTS``."""

_OWN_LISTS = {
    "Somali": (
        "waa iyo oo ah ka ku u uu ay la in aan lagu loo laga kale soo wuxuu waxay waxaa waxa ee si sida"
        " isagoo iyadoo ama mid kasta leh ahaa ayaa ayay tan iska laakiin haddii markii uga ugu lahaa"
        " hadda inuu inay badan kuwa aad iyaga isku kala"
    ),
    "Cebuano": (
        "ug ang sa nga mga kay usa dili adunay alang kini niini unya gikan bisan iyang ilang siya kaniya"
        " sila aron pinaagi kung kon walay anaa usab lamang kanila kadto mao tungod mahimong diha samtang"
        " apan didto kaayo"
    ),
    "Samoan": (
        "o le e i ma ona a se mo lona lana ai mai uma latou pe ia fa ua po mafai tatau aua ina nei lo la"
        " lea so ni te na"
    ),
}
"""Particles, pronouns and conjunctions of languages that jusText has no list of, or only one of ten words."""

_RIVALS = (
    "Aragonese", "Asturian", "Azerbaijani", "Basque", "Breton", "Esperanto", "Galician", "Haitian", "Icelandic",
    "Irish", "Javanese", "Kurdish", "Low_Saxon", "Luxembourgish", "Maltese", "Occitan", "Sicilian", "Sundanese",
    "Turkmen", "Uzbek", "West_Frisian", "Aromanian", "Cebuano", "Samoan",
)  # fmt: skip
"""Languages that langdetect takes for one of its own."""

_MIN_WORDS = 25
_MIN_STOP_WORDS = 0.2
"""Real articles of 34 languages have 0.23 to 0.75 such words; texts in languages the detector doesn't know, by
the list of the one it names, mostly 0.00 to 0.20."""


_RIVAL_LEAD = 0.04
"""By how much a rival's share must be the larger: 19 languages had 0.05 to 0.6 more (Haitian against French, Galician
against Portuguese the least), and of 4,100 texts in their detected languages three had more than 0.03."""


@cache
def _frequent_words(code: str) -> frozenset[str]:
    return _word_list(_STOP_WORDS[code])


@cache
def _word_list(name: str) -> frozenset[str]:
    own = _OWN_LISTS.get(name)
    return frozenset(own.split() if own else (word.lower() for word in justext.get_stoplist(name)))


def _words(sample: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", sample.lower())


def stop_word_share(code: str, sample: str) -> float | None:
    """The share of the words of ``sample`` that are frequent words of a language; None where that can't be said."""
    words = _words(sample)
    if code not in _STOP_WORDS or len(words) < _MIN_WORDS:
        return None
    return _share(words, _frequent_words(code))


def _share(words: Sequence[str], frequent: frozenset[str]) -> float:
    return sum(word in frequent for word in words) / len(words)


def _plausible(code: str, sample: str) -> bool:
    words = _words(sample)
    if code not in _STOP_WORDS or len(words) < _MIN_WORDS:
        return True
    share = _share(words, _frequent_words(code))
    if share < _MIN_STOP_WORDS:
        return False
    rivals = Counter(rival for word in words for rival in _rivals_with().get(word, ()))
    return max(rivals.values(), default=0) / len(words) < share + _RIVAL_LEAD


@cache
def _rivals_with() -> dict[str, list[str]]:
    """The rivals that have a word among their frequent ones, by word."""
    found: dict[str, list[str]] = {}
    for rival in _RIVALS:
        for word in _word_list(rival):
            found.setdefault(word, []).append(rival)
    return found

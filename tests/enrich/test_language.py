"""Language detection: right, steady, honest about what it can't tell."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import langdetect
import pytest

from pipeline.enrich.language import detect, language_code, same_language
from pipeline.models import Language
from pipeline.settings import LanguageSettings

SETTINGS = LanguageSettings()

_PARAGRAPHS = json.loads((Path(__file__).parent.parent / "data/enrich/language/paragraphs.json").read_text("utf-8"))
TEXTS: dict[str, str] = _PARAGRAPHS["known"]
TOLD_BY_LETTERS: dict[str, str] = _PARAGRAPHS["told by their letters"]
ZULU: str = _PARAGRAPHS["unknown"]["zu"]


def found(text: str, headline: str = "", **stated: str | None) -> Language:
    """Detect with the default settings; ``page="en"`` and so on say what is stated."""
    return detect(text, headline=headline, stated=tuple(stated.items()), settings=SETTINGS)


@pytest.mark.parametrize("code", TEXTS)
def test_common_languages_are_recognised(code: str) -> None:
    """A plain paragraph is filed under its own language, Chinese by its characters."""
    language = found(TEXTS[code])
    assert language.code == code
    assert language.confidence > 0.9


def test_long_text_is_judged_by_its_middle_too() -> None:
    """A long foreign notice at the top of the page doesn't decide the article's language."""
    body = TEXTS["de"] + "\n\n" + "\n\n".join([TEXTS["en"]] * 8)
    assert found(body).code == "en"


def test_half_and_half_is_undetermined() -> None:
    """A text of two languages in equal parts is called undetermined rather than one of the two."""
    body = "\n\n".join([TEXTS["en"]] * 4 + [TEXTS["fr"]] * 4)
    assert found(body).code == "und"


@pytest.mark.parametrize("text", ["", "   \n", "OK", "12 345,67 – 89 %", "😀😀😀", "Lavrov"])
def test_too_little_text_is_undetermined(text: str) -> None:
    """A few letters, numbers or signs are no evidence of any language, and no error either."""
    assert found(text) == Language(code="und", confidence=0.0)


def test_capitals_are_read_like_other_letters() -> None:
    """An all-capitals headline is recognised although langdetect skips capital words."""
    assert found("", headline="RUSSIA CALLS FOR AN END TO SANCTIONS BEFORE THE SUMMIT").code == "en"
    assert found("", headline="PRIVATE HOSPITAL OPENS CHILDREN CLINIC").code == "en"
    latin = ("en", "de", "fr", "no", "hr", "id")
    assert [found(TEXTS[code][:120].upper()).code for code in latin] == list(latin)


@pytest.mark.parametrize(
    ("code", "headline"),
    [
        ("en", "COMPOSITION TECHNIQUES IN LANDSCAPE PHOTOGRAPHY"),
        ("en", "Best Espresso Machines Under $500 (2025)"),
        ("tr", "İSTANBUL'DA YENİ KÜTÜPHANE İÇİN İLK TAŞ BUGÜN ATILDI"),
        ("el", "ΝΕΑ ΒΙΒΛΙΟΘΗΚΗ ΑΝΟΙΞΕ ΣΗΜΕΡΑ ΣΤΟ ΚΕΝΤΡΟ ΤΗΣ ΠΟΛΗΣ"),
        ("pt", "ELEICOES NA REGIAO SERAO DECIDIDAS SO DEPOIS DO VERAO"),
        ("de", "GROSSE STRASSE IN DER ALTSTADT BLEIBT BIS ZUM SOMMER GESPERRT"),
    ],
)
def test_case_of_a_headline_says_nothing_of_its_language(code: str, headline: str) -> None:
    """Capitals, words capitalized one by one, and what capitals lose (accents, ß) don't change the language."""
    assert found("", headline=headline).code == code


def test_headline_helps_a_short_body_only() -> None:
    """A headline in another language doesn't change what a full body is found to be."""
    assert found("Video.", headline="Les ministres des deux pays se rencontrent jeudi à Genève").code == "fr"
    assert found(TEXTS["en"] * 3, headline="Les ministres des deux pays se rencontrent").code == "en"


def test_agreement_is_recorded_for_each_statement() -> None:
    """Readers see who was right about the language; a wrong statement doesn't overrule the text."""
    language = found(TEXTS["en"], page="de-DE", feed="en-us", source="EN_gb")
    assert language.code == "en"
    assert language.agreement == (("page", False), ("feed", True), ("source", True))


def test_empty_and_private_statements_are_passed_over() -> None:
    """A missing or meaningless tag counts as no statement, not as disagreement."""
    assert found(TEXTS["en"], page=None, feed="", source="x-default").agreement == ()


def test_plain_chinese_agrees_with_both_characters() -> None:
    """``zh`` doesn't say which characters, Hong Kong does."""
    assert found(TEXTS["zh-cn"], page="zh").agreement == (("page", True),)
    assert found(TEXTS["zh-tw"], page="zh-HK", feed="zh-Hans").agreement == (("page", True), ("feed", False))


def test_short_chinese_is_not_taken_for_korean() -> None:
    """langdetect's known slip on short Chinese headlines doesn't reach the index."""
    assert found("", headline="两国外长周四举行会谈准备峰会").code == "zh-cn"


def test_norwegian_has_one_code() -> None:
    """Bokmål and Nynorsk are both filed under ``no``; pages that say ``nb`` or ``nn`` agree."""
    assert found(TEXTS["no"], page="nb-NO", feed="nn", source="da").agreement == (
        ("page", True),
        ("feed", True),
        ("source", False),
    )
    assert found(TEXTS["no"], page="nb").code == "no"


def test_serbian_and_bosnian_are_believed_where_the_detector_cannot_tell() -> None:
    """Latin-script Serbian is Croatian to the detector: who says ``sr`` is believed, and the basis says so."""
    language = found(TEXTS["hr"], page="sr-Latn-RS")
    assert (language.code, language.basis, language.agreement) == ("sr", "stated", (("page", True),))
    assert found(TEXTS["hr"], page="de").code == "hr"


@pytest.mark.parametrize("code", TOLD_BY_LETTERS)
def test_letters_name_languages_that_the_detector_does_not_know(code: str) -> None:
    """Serbian Cyrillic isn't filed as Macedonian, Icelandic not as Norwegian, Kyrgyz not as Mongolian."""
    language = found(TOLD_BY_LETTERS[code])
    assert (language.code, language.basis) == (code, "script")


def test_unknown_language_is_undetermined_or_as_stated() -> None:
    """A language outside the detector's 55 is never filed as another, and is believed of page or source."""
    assert found(ZULU).code == "und"
    language = found(ZULU, page="zu-ZA")
    assert (language.code, language.basis) == ("zu", "stated")
    assert found(ZULU, page="en-ZA").code == "und"


@pytest.mark.parametrize("code", ["gl", "lb", "om", "ceb"])
def test_relatives_of_known_languages_are_not_filed_as_those(code: str) -> None:
    """Galician isn't filed as Spanish, Oromo not as Somali, Cebuano not as Tagalog: their frequent words tell."""
    assert found(_PARAGRAPHS["unknown"][code]).code == "und"
    language = found(_PARAGRAPHS["unknown"][code], page=code)
    assert (language.code, language.basis) == (code, "stated")


def test_thresholds_of_the_settings_are_kept() -> None:
    """Whoever asks for more letters or more certainty gets ``und`` more often."""
    strict = LanguageSettings(min_characters=1000)
    assert detect(TEXTS["en"], headline="", settings=strict).code == "und"


def test_same_answer_in_every_order_and_thread() -> None:
    """Re-enriching gives the same codes and probabilities, whatever ran before or beside it."""
    texts = [*TEXTS.values(), ZULU, *(text[i : i + 25] for text in TEXTS.values() for i in range(0, 100, 10))]
    # Some of them must be uncertain, or nothing would be tested here.
    assert sum(0 < found(text).confidence < 1 for text in texts) > 5
    first = [found(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        backwards = list(pool.map(found, reversed(texts)))
    assert backwards[::-1] == first


def test_same_answer_in_another_process_and_after_foreign_use_of_langdetect() -> None:
    """Neither hash seeds nor other users of langdetect in the process change what is found."""
    texts = [text[i : i + 25] for text in TEXTS.values() for i in range(0, 100, 10)]
    langdetect.DetectorFactory.seed = 99
    try:
        langdetect.detect("Some other code uses the library in its own way.")
        here = [found(text) for text in texts]
    finally:
        langdetect.DetectorFactory.seed = None
    program = (
        "import sys\nfrom pipeline.enrich.language import detect\nfrom pipeline.settings import LanguageSettings\n"
        "for text in sys.argv[1:]:\n    print(detect(text, headline='', settings=LanguageSettings()))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program, *texts], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout
    assert output.splitlines() == [str(language) for language in here]


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en-GB", "en"), ("EN_us", "en"), ("zh", "zh"), ("zh-Hant-HK", "zh-tw"), ("zh_CN", "zh-cn"), ("nb-NO", "nb"),
        ("iw", "he"), ("deu", "de"), ("", None), (None, None), ("und", None), ("mul", None), ("x-default", None),
        ("english please", None),
    ],
)  # fmt: skip
def test_language_tags_in_the_wild(tag: str | None, code: str | None) -> None:
    """Tags as pages and feeds write them come to one code, or to none."""
    assert language_code(tag) == code


def test_same_language_is_no_more_than_the_detector_confuses() -> None:
    """Bosnian and Serbian are told apart from one another, Norwegian's forms from Danish."""
    assert same_language("hr", "sr")
    assert same_language("nb", "nn")
    assert not same_language("bs", "sr")
    assert not same_language("nb", "da")

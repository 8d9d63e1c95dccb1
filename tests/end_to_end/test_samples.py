"""The shipped samples through the whole pipeline: every file comes out as `tests/data/samples.json` says."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from installation import REPOSITORY, Installation, installation_in

from pipeline.ledger import LedgerEntry
from pipeline.urls import canonicalize

EXPECTED: dict[str, dict[str, Any]] = json.loads((REPOSITORY / "tests/data/samples.json").read_text(encoding="utf-8"))
REFUSED = {name for name, row in EXPECTED.items() if row.get("special") in ("not-an-article", "too-short")}
ARTICLES: dict[str, dict[str, Any]] = {
    **{name: row for name, row in EXPECTED.items() if name not in REFUSED and "records" not in row},
    **{
        f"{name}#{number}": record
        for name, row in EXPECTED.items()
        for number, record in enumerate(row.get("records", ()), start=1)
    },
}
"""What stands in each file (and line) that holds an article."""

SOURCES = '[[source]]\nid = "samples"\nkind = "folder"\nlocation = "samples"\n'


@dataclass(frozen=True)
class SampleRun:
    """One run over the samples and what it left."""

    installation: Installation
    report: dict[str, Any]
    entries: dict[str, LedgerEntry]
    documents: dict[str, dict[str, Any]]

    def document_of(self, name: str) -> dict[str, Any]:
        """The stored document that the file's article went into, also where it is another file's too."""
        folder = self.installation.project / "samples"
        path = str(folder / name)
        for document in self.documents.values():
            if path in (document.get("path"), *document.get("alternate_urls", ())):
                return document
        id_ = self.entries[name].document_id
        assert id_ in self.documents, f"{name}: {self.entries[name]}"
        return self.documents[id_]


def run_samples(installation: Installation, **request: Any) -> tuple[dict[str, Any], dict[str, LedgerEntry]]:
    from pipeline.run import run_now

    services = installation.services()
    report = run_now(services, installation.request("samples", **request), installation.sources(), kind="test")
    prefix = f"{installation.project / 'samples'}/"
    entries = {entry.ref.name.removeprefix(prefix): entry for entry in services.ledger.results(report["run_id"])}
    return report, entries


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory, elasticsearch_url: str) -> Iterator[SampleRun]:
    with installation_in(tmp_path_factory.mktemp("samples"), elasticsearch_url) as installation:
        installation.write_config(SOURCES)
        shutil.copytree(REPOSITORY / "config" / "samples", installation.project / "samples")
        report, entries = run_samples(installation)
        yield SampleRun(installation, report, entries, installation.documents())


def test_every_sample_is_described() -> None:
    """Nobody adds a sample without saying what a run must find in it."""
    folder = REPOSITORY / "config" / "samples"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file()}
    assert {name for name in files if not name.startswith(".") and name != "README.md"} == set(EXPECTED)
    assert len(ARTICLES) >= 30


def test_the_run_balances(first_run: SampleRun) -> None:
    """Each sample ends in exactly one outcome, nothing fails, and the report says so."""
    report = first_run.report
    assert report["balanced"]
    assert report["discovered"] == len(ARTICLES) + len(REFUSED) == sum(report["outcomes"].values())
    assert report["outcomes"]["failed"] == 0, report["reasons"]
    assert report["status"] == "succeeded"
    assert set(first_run.entries) == set(ARTICLES) | REFUSED


@pytest.mark.parametrize("name", sorted(ARTICLES))
def test_a_sample_comes_out_as_it_was_written(first_run: SampleRun, name: str) -> None:
    """Headline, language, dates, authors, section, address, captions and every sentence are kept; furniture goes."""
    expected, document = ARTICLES[name], first_run.document_of(name)
    is_copy = expected.get("special") in ("print-copy", "first-version")  # what is stored is the other version's
    if found := differences(expected, document, versions=not is_copy, cross_heads=cross_heads(name)):
        pytest.fail("\n".join(found), pytrace=False)


def cross_heads(name: str) -> set[str]:
    """The headings between a page's paragraphs, which may stay among them."""
    if not name.endswith(".html"):
        return set()
    page = (REPOSITORY / "config" / "samples" / name).read_bytes().decode("utf-8", "replace")
    return {plain(text) for text in re.findall(r"<h2>(.*?)</h2>", page)}


def differences(
    expected: dict[str, Any], document: dict[str, Any], *, versions: bool, cross_heads: set[str]
) -> list[str]:
    """Each way in which a stored document is not what was expected, in words."""
    found: list[str] = []

    def compare(field: str, is_: Any, should_be: Any) -> None:
        if is_ != should_be:
            found.append(f"{field}: {is_!r} should be {should_be!r}")

    compare("headline", plain(document["headline"]), plain(expected["headline"]))
    compare("language", document["language"], expected["language"])
    compare("published_at", moment(document.get("published_at")), moment(expected["published_at"]))
    if versions:
        compare("section", document.get("section"), expected.get("section"))
        compare("modified_at", moment(document.get("modified_at")), moment(expected.get("modified_at")))
        address = expected.get("canonical_url")
        compare("canonical_url", document.get("canonical_url"), canonicalize(address) if address else None)
    compare("authors", document.get("authors", []), expected.get("authors") or [])
    compare(
        "precision", document.get("published", {}).get("precision") == "day", expected.get("special") == "date-only"
    )
    paragraphs = [text for text in document["body"].split("\n\n") if plain(text) not in cross_heads]
    body = plain(document["body"])
    if "lede" in expected:
        # A text file's opening lines are part of the story; what the row calls its body comes after them.
        for line in [expected["lede"], *expected["bullets"]]:
            if plain(line) not in f"{body} {plain(document.get('description', ''))}":
                found.append(f"lost: {line!r}")
    else:
        if plain(paragraphs[0]) == plain(document.get("description", "")):
            paragraphs = paragraphs[1:]  # a page's standfirst may open its body
        compare("paragraphs", len(paragraphs), expected["paragraphs"])
        if not plain(paragraphs[0]).startswith(plain(expected["first_sentence"])):
            found.append(f"the body begins with {plain(paragraphs[0])[:120]!r}")
    sentences = [expected["first_sentence"], expected["last_sentence"]]
    for sentence in [*sentences, *(expected.get("contains", ()) if versions else ())]:
        if plain(sentence) not in body:
            found.append(f"lost from the body: {sentence!r}")
    for furniture in expected["must_not_contain"]:
        if plain(furniture) in body:
            found.append(f"furniture in the body: {furniture!r}")
    for caption in expected.get("captions", ()):
        if plain(caption) in body:
            found.append(f"caption in the body: {caption!r}")
    if document["_index"].split("-")[1] not in (expected["language"], "und"):
        found.append(f"stands in {document['_index']}")
    return found


def plain(text: str) -> str:
    """The text with each run of white space, no-break spaces included, as one space."""
    return " ".join(text.split())


def moment(text: str | None) -> datetime | None:
    """A stated time as an instant; a day alone is its midnight in UTC."""
    if not text:
        return None
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else datetime.fromisoformat(f"{text}T00:00:00+00:00")


def test_captions_of_text_files_are_kept_aside(first_run: SampleRun) -> None:
    """A plain text's captions leave the body but not the document."""
    for name, row in ARTICLES.items():
        if ".txt" in name:
            kept = {plain(caption) for caption in first_run.document_of(name).get("captions", [])}
            assert {plain(caption) for caption in row["captions"]} <= kept, name


def test_what_is_no_article_is_refused_with_a_reason(first_run: SampleRun) -> None:
    """A section front and a stub are rejected, each with its reason, and are not in the index."""
    front, stub = (
        first_run.entries[f"harbour-courier/{name}.html"] for name in ("section-front-sport", "coast-road-stub")
    )
    assert (front.outcome, stub.outcome, stub.reason) == ("rejected", "rejected", "too_short")
    assert front.reason in ("section_page", "not_an_article", "no_text")
    assert not any("section-front" in str(document.get("path")) for document in first_run.documents.values())


def test_a_corrected_article_is_updated_in_place(first_run: SampleRun) -> None:
    """Two versions at one address are one document, and the later version is the one that is found."""
    old, new = (first_run.entries[f"harbour-courier/saltby-bridge-{v}.html"] for v in ("v1", "v2-corrected"))
    assert (old.outcome, new.outcome) == ("indexed", "updated")
    assert old.document_id == new.document_id
    body = plain(first_run.documents[str(new.document_id)]["body"])
    assert ARTICLES["harbour-courier/saltby-bridge-v1.html"]["contains"][0] not in body


def test_a_print_version_is_a_duplicate_of_its_page(first_run: SampleRun) -> None:
    """The same text at another address of the site is no second article; its address leads to the first."""
    page, print_ = (first_run.entries[f"harbour-courier/storm-isolde-coast{end}.html"] for end in ("", ".print"))
    assert (page.outcome, print_.outcome) == ("indexed", "duplicate")
    document = first_run.documents[str(page.document_id)]
    address = canonicalize(ARTICLES["harbour-courier/storm-isolde-coast.print.html"]["canonical_url"])
    assert address in document["alternate_urls"]
    assert sum(document["headline"] == other["headline"] for other in first_run.documents.values()) == 1


def test_a_carried_agency_story_is_marked_as_duplicate(first_run: SampleRun) -> None:
    """A paper that carries an agency's text keeps its own document, which names the other."""
    names = ("ledger-and-quay/ports-cargo-drones-rules.html", "northbank-wire/ports-cargo-drones-rules.html")
    entries = [first_run.entries[name] for name in names]
    assert sorted(str(entry.outcome) for entry in entries) == ["duplicate", "indexed"]
    copy, original = sorted(entries, key=lambda entry: str(entry.outcome))
    assert first_run.documents[str(copy.document_id)]["duplicate_of"] == original.document_id
    assert "duplicate_of" not in first_run.documents[str(original.document_id)]


def test_searches_stem_in_every_language(first_run: SampleRun) -> None:
    """A word finds its other forms, in English and in German."""
    from pipeline.search import SearchRequest, search

    services = first_run.installation.services()

    def found(query: str, language: str) -> list[str]:
        request = SearchRequest(query=query, language=language, prefix=first_run.installation.prefix)
        return [hit.headline for hit in search(services.elasticsearch, request).hits]

    assert any("sanction" in plain(headline).lower() for headline in found("sanctioned", "en"))
    assert "Verhandlungen über Heringsquoten in Bergen vertagt" in found("Verhandlung", "de")


# --------------------------------------------------------------- in this order: they go on from one another


def test_a_passage_is_shown_once(first_run: SampleRun) -> None:
    """Where the description repeats a sentence of the body, a list of results has it once."""
    from pipeline.search import SearchRequest, search

    request = SearchRequest(query="sanctioned", prefix=first_run.installation.prefix)
    (hit,) = search(first_run.installation.services().elasticsearch, request).hits
    assert set(hit.highlights["body"]) & set(hit.highlights["description"]), "the sample no longer repeats itself"
    shown = hit.passages(3)
    assert len(shown) == len(set(shown)) > 0


def test_a_second_run_finds_everything_unchanged(first_run: SampleRun) -> None:
    """Running again writes nothing: every article is unchanged, the index is the same, no raw page is kept twice."""
    archived = first_run.installation.services().archive.files()
    report, entries = run_samples(first_run.installation)
    counts = Counter({kind: count for kind, count in report["outcomes"].items() if count})
    assert counts == {"unchanged": len(ARTICLES), "rejected": len(REFUSED)}
    assert {entry.outcome for name, entry in entries.items() if name in ARTICLES} == {"unchanged"}
    assert first_run.installation.documents() == first_run.documents
    assert first_run.installation.services().archive.files() == archived


def test_a_lost_index_comes_back_from_the_archive_alone(first_run: SampleRun) -> None:
    """With index and files gone, a run from the archive gives the same documents."""
    installation = first_run.installation
    shutil.rmtree(installation.project / "samples")
    before = installation.content()
    report, _ = run_samples(installation, from_archive=True)
    assert report["outcomes"]["unchanged"] == len(ARTICLES), report
    installation.delete_articles()
    assert installation.documents() == {}
    report, _ = run_samples(installation, from_archive=True)
    assert report["balanced"]
    assert report["outcomes"]["failed"] == 0, report["reasons"]
    assert installation.content() == before

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from pipeline.index.analyzers import ANALYZERS
from pipeline.localnode import LocalNodeError, analysis_plugin, find_jdk
from pipeline.localnode.distribution import Distribution

#: A word as a reader types it, and as it stands in a text. For Chinese, Japanese, Korean and Thai, which are written
#: without spaces or inflect little, the text is a phrase that holds the word.
WORDS = {
    "arabic": ("كتاب", "الكتاب"),
    "bengali": ("শহর", "শহরের"),
    "bulgarian": ("къща", "къщата"),
    "catalan": ("llengua", "llengües"),
    "cjk": ("新聞", "日本経済新聞"),
    "czech": ("hrad", "hrady"),
    "danish": ("avis", "aviser"),
    "dutch": ("krant", "kranten"),
    "english": ("run", "running"),
    "estonian": ("raamat", "raamatud"),
    "finnish": ("talo", "talossa"),
    "french": ("journal", "journaux"),
    "german": ("Haus", "Häuser"),
    "greek": ("εφημερίδα", "εφημερίδες"),
    "hindi": ("किताब", "किताबें"),
    "hungarian": ("ház", "házban"),
    "indonesian": ("baca", "membaca"),
    "italian": ("notizia", "notizie"),
    "latvian": ("māja", "mājas"),
    "lithuanian": ("namas", "namai"),
    "norwegian": ("avis", "aviser"),
    "persian": ("کتاب", "کتاب‌ها"),
    "portuguese": ("notícia", "notícias"),
    "romanian": ("ziar", "ziarele"),
    "russian": ("газета", "газеты"),
    "spanish": ("noticia", "noticias"),
    "swedish": ("tidning", "tidningar"),
    "thai": ("ข่าว", "ข่าววันนี้"),
    "turkish": ("haber", "haberler"),
}
STOP_WORDS = {"english": "the", "german": "und", "french": "les", "spanish": "los", "russian": "и", "arabic": "في"}


@pytest.fixture(scope="module")
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    with Elasticsearch(elasticsearch_url) as client:
        yield client


def tokens(client: Elasticsearch, text: str, **how: object) -> list[str]:
    return [token["token"] for token in client.indices.analyze(text=text, **how)["tokens"]]  # type: ignore[arg-type]


@pytest.mark.parametrize("analyzer", sorted(set(ANALYZERS.values())))
def test_a_search_finds_other_forms_of_a_word(client: Elasticsearch, analyzer: str) -> None:
    """In every language the product names, `body : word` in Kibana finds the article that has another form of it."""
    index = f"analyzer-{analyzer}"
    client.indices.create(
        index=index,
        settings={"number_of_replicas": 0, "analysis": {"analyzer": {"default": {"type": analyzer}}}},
        mappings={"properties": {"body": {"type": "text"}}},
    )
    asked, written = WORDS[analyzer]
    client.index(index=index, id="1", document={"body": written}, refresh=True)
    client.index(index=index, id="2", document={"body": "12345"}, refresh=True)
    found = client.search(index=index, query={"match": {"body": asked}})["hits"]["hits"]
    client.indices.delete(index=index)
    assert [hit["_id"] for hit in found] == ["1"]


@pytest.mark.parametrize(("analyzer", "word"), STOP_WORDS.items())
def test_stop_words_are_left_out(client: Elasticsearch, analyzer: str, word: str) -> None:
    """Words that say nothing don't count, as with the analyzers of a full Elasticsearch."""
    assert tokens(client, word, analyzer=analyzer) == []


@pytest.mark.parametrize("component", ["lowercase", "asciifolding", "trim", "unique", "remove_duplicates"])
def test_token_filters_stand_under_their_built_in_names(client: Elasticsearch, component: str) -> None:
    """The token filters that index templates name are there on the local node too."""
    expected = {"lowercase": "été", "asciifolding": "Ete"}.get(component, "Été")
    assert tokens(client, "Été", tokenizer="keyword", filter=[component]) == [expected]


def test_unique_drops_repeats_anywhere_in_a_text_and_only_there(client: Elasticsearch) -> None:
    """`unique` keeps the first of equal words, and forgets them when the next text comes."""
    for _ in range(2):
        assert tokens(client, "a b a c b", tokenizer="standard", filter=["unique"]) == ["a", "b", "c"]


def test_pattern_capture_takes_its_settings(client: Elasticsearch) -> None:
    """The token filter that Elasticsearch's own index of API keys is defined with works."""
    email = {"type": "pattern_capture", "preserve_original": True, "patterns": ["([^@]+)", "@(.+)"]}
    got = tokens(client, "ann@example.org", tokenizer="uax_url_email", filter=[email, "unique"])
    assert sorted(got) == ["ann", "ann@example.org", "example.org"]


def test_the_plugin_is_built_again_only_when_its_sources_change(
    elasticsearch_distribution: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start compiles nothing it has compiled before, and an upgrade of this package brings its new analyzers."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "lib").symlink_to(elasticsearch_distribution / "9.5.3" / "lib")
    distribution = Distribution(home=tmp_path, version="9.5.3", ours=True)
    jdk = find_jdk()

    def install() -> bool:
        return analysis_plugin.install(distribution, jdk, work=tmp_path, own_cache=tmp_path, say=lambda line: None)

    assert install()
    assert not install()
    changed = tmp_path / "sources"
    shutil.copytree(Path(analysis_plugin.__file__).with_name("plugin"), changed)
    with (changed / "UniqueFilter.java").open("a") as file:
        file.write("// changed\n")
    monkeypatch.setattr(analysis_plugin, "_SOURCES", changed)
    assert install()
    assert not install()


def test_sources_that_do_not_compile_are_told_and_leave_the_old_plugin(
    elasticsearch_distribution: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler that fails ends in a sentence with its first complaint, not in half a plugin."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "lib").symlink_to(elasticsearch_distribution / "9.5.3" / "lib")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "Broken.java").write_text("class Broken { int x = ; }")
    monkeypatch.setattr(analysis_plugin, "_SOURCES", tmp_path / "sources")
    distribution = Distribution(home=tmp_path, version="9.5.3", ours=True)
    with pytest.raises(LocalNodeError, match=r"do not compile .*Broken\.java:1"):
        analysis_plugin.install(distribution, find_jdk(), work=tmp_path, own_cache=tmp_path, say=lambda line: None)
    assert list((tmp_path / "plugins").iterdir()) == []

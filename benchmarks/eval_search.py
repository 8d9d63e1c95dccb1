"""Search quality: nDCG@10, MRR and success@5 of the ranking on a judged set, against a plain ``match`` on the body.

    python -m benchmarks.eval_search            the table of docs/search.md, on the held-out half of the questions
    python -m benchmarks.eval_search --tune     look for better proportions on the other half (minutes)

The set: the samples with questions judged by hand, and a made-up corpus of 2,400 articles in four languages whose
answers are known by construction (search_corpus.py). Questions in words that their answers lack (paraphrase) are kept
apart from the others' mean. It needs an Elasticsearch (ELASTICSEARCH_URL, else the embedded node) and works under an
index prefix of its own, which it deletes at the end.
"""

# ruff: noqa: E501 - questions and their answers

from __future__ import annotations

import argparse
import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from benchmarks.search_corpus import TONGUES, Judged, corpus, embedded, paraphrases, questions
from pipeline import localnode
from pipeline.enrich.embeddings import Embedder, load_embedder
from pipeline.index.writer import write
from pipeline.run import Services, node_settings, run_now
from pipeline.schedule import RunRequest
from pipeline.search import Ranking, SearchRequest, search
from pipeline.settings import ElasticsearchConnection, load_settings, load_sources

PREFIX = "evalsearch"
PER_LANGUAGE = 600

BY_HAND: dict[str, dict[str, int]] = {
    "hamburg": {"night-train-hamburg": 3, "harbour-forum-hamburg": 3, "hafenforum-landstrom": 3, "werft-methanolschiffe": 3},
    "night train": {"night-train-hamburg": 3},
    "sleeper train hamburg": {"night-train-hamburg": 3},
    "shore power ports": {"harbour-forum-hamburg": 3},
    "harbour forum pledge electricity": {"harbour-forum-hamburg": 3},
    "mayor portmere": {"portmere-mayor-elected": 3, "night-train-hamburg": 1},
    "mayoral election": {"portmere-mayor-elected": 3},
    "idris halloway": {"portmere-mayor-elected": 3, "night-train-hamburg": 1},
    "sanctions trawlers": {"trawler-sanctions-brussels": 3},
    "illegal fishing european commission": {"trawler-sanctions-brussels": 3},
    "herring quota": {"herring-quota-talks-bergen": 3, "archive-export#2": 2},
    "herring deal": {"archive-export#2": 3, "herring-quota-talks-bergen": 2},
    "negotiations herring bergen": {"herring-quota-talks-bergen": 3, "archive-export#2": 2},
    "seagrass": {"seagrass-carbon-study": 3, "archive-export#1": 3, "dredging-ruling-high-court": 3},
    "seagrass carbon study": {"seagrass-carbon-study": 3},
    "dredging court ruling": {"dredging-ruling-high-court": 3},
    "court stops dredging portmere": {"dredging-ruling-high-court": 3},
    "storm isolde": {"storm-isolde-coast": 3, "flooded-allotments-rescued": 3, "tempete-isolde-bretagne": 3},
    "storm power cuts": {"storm-isolde-coast": 3},
    "hens rescued flood": {"flooded-allotments-rescued": 3},
    "otters fenmoor": {"otters-return-to-welm": 3},
    "saltby bridge repairs": {"saltby-bridge-v2-corrected": 3},
    "swing bridge cracks": {"saltby-bridge-v2-corrected": 3},
    "pier fire": {"saltby-pier-fire": 3},
    "saltby fire": {"saltby-pier-fire": 3},
    "robot school osaka": {"school-robot-team-osaka": 3},
    "robots dockers rotterdam": {"lumenor-robots-rotterdam": 3},
    "cargo drones": {"ports-cargo-drones-rules": 3, "ports-cargo-drones-rules.wire": 3},
    "methanol ships": {"corvane-orders-methanol-ships": 3},
    "corvane shipping": {"corvane-orders-methanol-ships": 3, "dredging-ruling-high-court": 2, "werft-methanolschiffe": 2,
                         "harbour-forum-hamburg": 1},
    "bank loans profit": {"kestrel-bank-half-year": 3},
    "tidal turbines": {"tidewell-turbine-funding": 3},
    "tide clock museum": {"tide-clock-museum": 3},
    "opera lighthouse": {"lighthouse-opera-review": 3},
    "heatwave schools": {"heatwave-school-hours": 3},
    "cup final header": {"portmere-albion-cup-final": 3},
    "mateus quintela": {"portmere-albion-cup-final": 3, "quintela-regressa-lisboa": 3},
    "ferrándiz": {"ferrandiz-wins-coastal-tour": 3, "ferrandiz-recibimiento-sueca": 3, "ferrandiz-tour-atlantique-brest": 3,
                  "archive-export#3": 3},
    "atlantic tour cyclist": {"ferrandiz-wins-coastal-tour": 3},
    "marathon baker": {"marsh-marathon-won-by-baker": 3},
    "evening bus drivers": {"bus-route-17-saved": 3},
    "two voices foghorn": {"lighthouse-opera-review": 3},
    "niedrigwasser elbe": {"elbe-niedrigwasser": 3},
    "heringsquote verhandeln": {"heringsquoten-verhandlungen": 3},
    "schiffe werft": {"werft-methanolschiffe": 3},
    "strom hafen": {"hafenforum-landstrom": 3},
    "sturm tempête bretagne OR tempêtes bretagne": {"tempete-isolde-bretagne": 3},
    "observatoire sous-marin": {"observatoire-mer-marseille": 3},
    "tour atlantique secondes": {"ferrandiz-tour-atlantique-brest": 3},
    "carta marinero biblioteca": {"biblioteca-cartas-marineros": 3},
    "agua turia acuerdo": {"acuerdo-riego-regantes": 3},
    "recibimiento sueca OR sueca puente": {"ferrandiz-recibimiento-sueca": 3},
    "pradaria carbono": {"lisboa-ervas-marinhas": 3},
    "гамбург порты": {"gamburg-forum-portov": 3},
    "комета школьники": {"kazan-observatoriya-kometa": 3},
    "kirjastolaiva": {"helsinki-kirjasto-jaalla": 3},
    "elektrikli vapur": {"istanbul-elektrikli-vapur": 3},
    "sillkvot förhandlingar": {"goteborg-sillkvoter": 3},
    "ドローン 大阪": {"osaka-drone-port": 3},
    "مرصد الإسكندرية": {"alexandria-sea-monitoring": 3},
}  # fmt: skip
"""Questions on the samples and the files that answer them, judged by reading (3 about it, 2 close, 1 mentions it)."""

PARAPHRASED: dict[str, dict[str, int]] = {
    "marine plants trapping greenhouse gas": {"seagrass-carbon-study": 3},
    "unlawful fishery vessels punished": {"trawler-sanctions-brussels": 3},
    "flying robots transport regulation": {"ports-cargo-drones-rules": 3, "ports-cargo-drones-rules.wire": 3},
    "overnight rail service resumes": {"night-train-hamburg": 3},
    "amusement attraction burned down": {"saltby-pier-fire": 3},
    "wildlife comeback wetland mammals": {"otters-return-to-welm": 3},
    "poultry evacuated in small boats": {"flooded-allotments-rescued": 3},
    "unlikely runner victory": {"marsh-marathon-won-by-baker": 3},
    "volunteers keep rural public transport alive": {"bus-route-17-saved": 3},
    "teenage engineers competition abroad": {"school-robot-team-osaka": 3},
    "credit institution earnings decline": {"kestrel-bank-half-year": 3},
    "ocean energy investment": {"tidewell-turbine-funding": 3},
    "eco-friendly propulsion for freighters": {"corvane-orders-methanol-ships": 3, "werft-methanolschiffe": 1},
    "automation of hazardous longshoreman work": {"lumenor-robots-rotterdam": 3},
    "hot weather classroom timetable": {"heatwave-school-hours": 3},
    "musical theatre critique": {"lighthouse-opera-review": 3},
    "soccer championship decisive goal": {"portmere-albion-cup-final": 3},
    "female bike race champion": {"ferrandiz-wins-coastal-tour": 3, "ferrandiz-tour-atlantique-brest": 2,
                                  "archive-export#3": 2, "ferrandiz-recibimiento-sueca": 1},
    "municipal leader voted in": {"portmere-mayor-elected": 3},
    "antique timepiece exhibition": {"tide-clock-museum": 3},
    "structural fault historic crossing": {"saltby-bridge-v2-corrected": 3},
    "hurricane blackout": {"storm-isolde-coast": 3, "tempete-isolde-bretagne": 2, "flooded-allotments-rescued": 1},
    "legal verdict against excavation of waterway": {"dredging-ruling-high-court": 3},
    "fishing limits diplomacy fails": {"herring-quota-talks-bergen": 3, "archive-export#2": 1},
    "Trockenheit archäologischer Fund": {"elbe-niedrigwasser": 3},
    "Arbeitsplätze Schiffbau": {"werft-methanolschiffe": 3},
    "orage coupures de courant": {"tempete-isolde-bretagne": 3},
    "surveillance acoustique des océans": {"observatoire-mer-marseille": 3},
    "escasez hídrica pacto agricultores": {"acuerdo-riego-regantes": 3},
    "correspondencia antigua hallada": {"biblioteca-cartas-marineros": 3},
}  # fmt: skip
"""Questions on the samples in words that they lack."""

APART = ("paraphrase", "paraphrase, samples")
"""Kinds that don't count in the mean over all kinds."""

FORMER = Ranking(headline=3, description=2, body=1, captions=1, authors=1, keywords=1, entities=1, phrase=0, passage=0,
                 recency=0, one_yardstick=False)  # fmt: skip
"""The proportions before they were measured."""


def main() -> None:
    """Build the corpus, ask everything, print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true", help="look for better proportions")
    arguments = parser.parse_args()
    now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    settings = load_settings()
    settings = replace(settings, index=settings.index.model_copy(update={"prefix": PREFIX, "semantic": True}))
    with tempfile.TemporaryDirectory() as home:
        node = settings.elasticsearch or ElasticsearchConnection(url=localnode.start(node_settings(settings)).url)
        services = Services(settings=replace(settings, home=Path(home), elasticsearch=node), say=print)
        client = services.elasticsearch
        clear(client)
        try:
            samples = ingest_samples(services)
            articles = corpus(PER_LANGUAGE, now=now)
            embedder = load_embedder()
            for start in range(0, len(articles), 400):
                batch = [known.document for known in embedded(articles[start : start + 400], embedder)]
                write(client, batch, settings=services.settings.index, prefix=PREFIX)
            judged = [
                *questions(articles, now=now),
                *on_samples("samples", BY_HAND, samples),
                *paraphrases(articles),
                *on_samples("paraphrase, samples", PARAPHRASED, samples),
            ]
            half = {parity: judged[parity::2] for parity in (0, 1)}
            if arguments.tune:
                tune(client, embedder, half[0])
            report(client, embedder, half[1], len(articles) + len({id_ for id_, _ in samples.values()}))
        finally:
            clear(client)


Samples = Mapping[str, tuple[str, str]]
"""Document id and language by the names used above."""


def ingest_samples(services: Services) -> Samples:
    """Put the samples through the pipeline."""
    sources = [source for source in load_sources(services.settings) if source.id == "samples"]
    run_now(services, RunRequest(source_ids=("samples",)), sources, kind="news run")
    found: dict[str, tuple[str, str]] = {}
    stored = services.elasticsearch.search(index=PREFIX, size=1000, source=["path", "alternate_urls", "language"])
    for hit in stored["hits"]["hits"]:
        for path in [hit["_source"].get("path"), *hit["_source"].get("alternate_urls", [])]:
            if path and "/samples/" in path:
                name = Path(path).name
                stem, _, item = name.partition("#")
                key = stem.partition(".")[0] + (f"#{item}" if item else "")
                key += ".wire" if "northbank-wire/ports" in path else ""
                found[key] = hit["_id"], hit["_source"]["language"]
    return found


def on_samples(kind: str, judged: Mapping[str, Mapping[str, int]], samples: Samples) -> list[Judged]:
    """Questions judged by hand; each counts to the language of the article that answers it best."""
    return [
        Judged(
            query=query,
            kind=kind,
            language=samples[max(grades, key=grades.__getitem__)][1],
            grades={samples[name][0]: grade for name, grade in grades.items()},
        )
        for query, grades in judged.items()
    ]


def clear(client: Elasticsearch) -> None:
    """Delete everything under the prefix."""
    if indices := list(client.indices.get(index=f"{PREFIX}*")):
        client.indices.delete(index=indices)
    lenient = client.options(ignore_status=404)
    lenient.indices.delete_index_template(name=f"{PREFIX}-*")
    lenient.cluster.delete_component_template(name=f"{PREFIX}@*")


# ------------------------------------------------------------------------------------------------ asking

Ask = Callable[[str], list[str]]


def by_ranking(client: Elasticsearch, ranking: Ranking, embedder: Embedder | None = None) -> Ask:
    """The first ten of our search with these proportions; with an ``embedder`` by meaning too."""

    def ask(query: str) -> list[str]:
        request = SearchRequest(query=query, ranking=ranking, prefix=PREFIX)
        return [hit.id for hit in search(client, request, embedder=embedder).hits]

    return ask


def by_match(client: Elasticsearch) -> Ask:
    """The base line: ``match`` on the body alone."""

    def ask(query: str) -> list[str]:
        found = client.search(index=PREFIX, query={"match": {"body": query}}, source=False)
        return [hit["_id"] for hit in found["hits"]["hits"]]

    return ask


# ----------------------------------------------------------------------------------------------- measures


def ndcg(found: Sequence[str], grades: Mapping[str, int], depth: int = 10) -> float:
    """Normalized discounted cumulative gain (Järvelin and Kekäläinen 2002) with gains 2^grade - 1."""

    def gain(values: Sequence[int]) -> float:
        return sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(values[:depth]))

    best = gain(sorted(grades.values(), reverse=True))
    return gain([grades.get(id_, 0) for id_ in found]) / best


def measures(found: Sequence[str], grades: Mapping[str, int]) -> tuple[float, float, float]:
    """nDCG@10, reciprocal rank of the first good answer within ten, and whether one is among the first five."""
    good = max(grades.values())
    places = [place for place, id_ in enumerate(found[:10], start=1) if grades.get(id_, 0) >= good]
    return ndcg(found, grades), 1 / places[0] if places else 0.0, float(bool(places) and places[0] <= 5)


Measures = tuple[float, float, float]


def score(ask: Ask, judged: Sequence[Judged]) -> dict[str, Measures]:
    """The means by kind of question; ``all``: the mean over the kinds, so that none outweighs another, without those
    kept apart; and the means by ``_group``."""
    by_kind: dict[str, list[Measures]] = defaultdict(list)
    for question in judged:
        found = measures(ask(question.query), question.grades)
        by_kind[question.kind].append(found)
        by_kind[_group(question)].append(found)
    means = {kind: _mean(values) for kind, values in by_kind.items()}
    kinds = {question.kind for question in judged if question.kind not in APART}
    return {**means, "all": _mean([means[kind] for kind in kinds])}


def _group(question: Judged) -> str:
    language = question.language if question.language in TONGUES else "others"
    return f"{language}, paraphrase" if question.kind in APART else language


def _mean(values: Sequence[Measures]) -> Measures:
    a, b, c = (sum(value[i] for value in values) / len(values) for i in range(3))
    return a, b, c


# ------------------------------------------------------------------------------------------------ output

CANDIDATES: dict[str, tuple[Any, ...]] = {
    "one_yardstick": (False, True),
    "headline": (1, 2, 3, 4, 6, 8),
    "description": (0.5, 1, 2, 3, 4),
    "entities": (0.25, 0.5, 1, 2),
    "captions": (0.25, 0.5, 1),
    "keywords": (0.5, 1, 2),
    "phrase": (0, 0.25, 0.5, 1, 2),
    "recency": (0, 0.25, 0.5, 1, 2, 4, 8),
    "recency_days": (7, 30, 90, 180),
}

MEANING: dict[str, tuple[Any, ...]] = {
    "meaning": (10, 20, 40, 80, 160),
    "meaning_least": (0.2, 0.3, 0.4, 0.5, 0.6),
    "meaning_articles": (20, 50, 100),
}


def tune(client: Elasticsearch, embedder: Embedder, judged: Sequence[Judged]) -> None:
    """Change one proportion after the other as long as nDCG@10 over the kinds rises; print each step.

    First those of words, from ``FORMER`` on, then those of meaning, for which paraphrases count like other kinds.
    """
    best = climb(FORMER, CANDIDATES, lambda ranking: score(by_ranking(client, ranking), judged)["all"][0])

    def with_meaning(ranking: Ranking) -> float:
        found = score(by_ranking(client, ranking, embedder), judged)
        kinds = {question.kind for question in judged}
        return sum(found[kind][0] for kind in kinds) / len(kinds)

    best = climb(best, MEANING, with_meaning)
    print({item.name: getattr(best, item.name) for item in fields(Ranking)})


def climb(start: Ranking, candidates: Mapping[str, Sequence[Any]], height_of: Callable[[Ranking], float]) -> Ranking:
    """The best found by changing one proportion at a time, twice around."""
    best, height = start, height_of(start)
    for _ in range(2):
        for name, values in candidates.items():
            for value in values:
                tried = replace(best, **{name: value})
                reached = height_of(tried)
                print(f"  {name}={value}: {reached:.4f}")
                if reached > height + 0.0005:
                    best, height = tried, reached
            print(f"{name}: {getattr(best, name)} ({height:.4f})", flush=True)
    return best


def report(client: Elasticsearch, embedder: Embedder, judged: Sequence[Judged], articles: int) -> None:
    """The tables, in Markdown."""
    default = Ranking()
    plain, now, hybrid = "`match` on the body", "now", "now, by meaning too"
    rows: dict[str, Ask] = {
        plain: by_match(client),
        "before (3 : 2 : 1)": by_ranking(client, FORMER),
        now: by_ranking(client, default),
        hybrid: by_ranking(client, default, embedder),
        "now, without headline weight": by_ranking(client, replace(default, headline=1)),
        "now, without lede weight": by_ranking(client, replace(default, description=1)),
        "now, without entity weight": by_ranking(client, replace(default, entities=0.01)),
        "now, with words together preferred": by_ranking(client, replace(default, phrase=0.5)),
        "now, without recency": by_ranking(client, replace(default, recency=0)),
        "now, each index by itself": by_ranking(client, replace(default, one_yardstick=False)),
    }
    kinds = list(dict.fromkeys(question.kind for question in judged))
    numbers = ", ".join(f"{sum(q.kind == kind for q in judged)} {kind}" for kind in kinds)
    print(f"{articles} articles, {len(judged)} questions ({numbers}).\n")
    print("| ranking | nDCG@10 | MRR | success@5 | " + " | ".join(f"nDCG {kind}" for kind in kinds) + " |")
    print("|---|" + "---:|" * (3 + len(kinds)))
    found: dict[str, dict[str, Measures]] = {}
    for name, ask in rows.items():
        found[name] = score(ask, judged)
        values = [*found[name]["all"], *(found[name][kind][0] for kind in kinds)]
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |", flush=True)
    print("\nnDCG@10 / MRR / success@5\n")
    print(f"| language | questions | {plain} | {now} | {hybrid} |\n|---|---:|---:|---:|---:|")
    counts = Counter(_group(question) for question in judged)
    for group, count in sorted(counts.items(), key=lambda item: ("," in item[0], -item[1], item[0])):
        values = [" / ".join(f"{value:.3f}" for value in found[name][group]) for name in (plain, now, hybrid)]
        print(f"| {group} | {count} | " + " | ".join(values) + " |")


if __name__ == "__main__":
    main()

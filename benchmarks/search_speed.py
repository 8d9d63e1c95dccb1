"""How long the search page takes, from request to the last byte, against an index that is there already.

    python -m benchmarks.search_speed http://127.0.0.1:8090

Asks each kind of page many times, one request after the other, with questions that differ, and prints median and 95th
percentile in milliseconds. ``--fill PREFIX`` first writes 100,000 articles (``--articles``) of the made-up corpus under
an index prefix; with NEWS_INDEX__SEMANTIC=true those in English with what they mean, and prints what that costs.
``--pids`` names the processes of the page's server and of Elasticsearch (Linux): then the processor time of each page
stands beside, which says more than the clock on a machine that is busy with other work.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
from elasticsearch import helpers

from benchmarks.search_corpus import ORGANIZATIONS, PEOPLE, PLACES, TONGUES, Known, corpus, embedded
from pipeline.index import templates
from pipeline.index.templates import Names
from pipeline.run import open_services

ROUNDS = 120


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of the search page (`news serve`)")
    parser.add_argument("--fill", metavar="PREFIX", help="write articles there first")
    parser.add_argument("--articles", type=int, default=100_000, help="how many; a quarter in each language")
    parser.add_argument("--pids", metavar="PID", nargs="+", type=int, default=[], help="count their processor time")
    arguments = parser.parse_args()
    if arguments.fill:
        fill(arguments.fill, arguments.articles)
    chance = random.Random(1)
    with httpx2.Client(base_url=arguments.url, timeout=30, trust_env=False) as web:
        everything = web.get("/?q=" + PLACES[0]).text
        articles = re.findall(r'href="(/article/\w+)"', everything)
        kinds: dict[str, Callable[[], str]] = {
            "search, all words": lambda: f"/?q={topic(chance)}",
            "search, English words": lambda: f"/?q={topic(chance, language='en')}",
            "search, other words than the articles'": lambda: f"/?q={topic(chance, language='en', paraphrased=True)}",
            "search, narrowed by two facets": lambda: (
                f"/?q={topic(chance)}&language={chance.choice(list(TONGUES))}&people={chance.choice(PEOPLE)}"
            ),
            "everything, newest first": lambda: f"/?sort=newest&page={chance.randrange(1, 50)}",
            "search, with the map": lambda: f"/?q={topic(chance)}&map=1",
            "everything, with the map": lambda: f"/?sort=newest&page={chance.randrange(1, 50)}&map=1",
            "phrase": lambda: f'/?q="{chance.choice(ORGANIZATIONS)}"',
            "completion of a name": lambda: f"/complete?q={chance.choice(PEOPLE)[: chance.randrange(2, 6)]}",
            "article": lambda: chance.choice(articles),
        }
        print("| page | median ms | p95 ms | processor, median ms | processor, p95 ms |\n|---|---:|---:|---:|---:|")
        for name, address in kinds.items():
            for _ in range(10):
                web.get(address()).raise_for_status()
            took, worked = [], []
            for _ in range(ROUNDS):
                wanted = address()
                start, before = time.perf_counter(), processor_seconds(arguments.pids)
                web.get(wanted).raise_for_status()
                took.append(1000 * (time.perf_counter() - start))
                worked.append(1000 * (processor_seconds(arguments.pids) - before))
            figures = [figure for times in (took, worked) for figure in middle_and_most(times)]
            print(f"| {name} | {' | '.join(f'{figure:.0f}' for figure in figures)} |", flush=True)


def middle_and_most(times: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def processor_seconds(pids: list[int]) -> float:
    """What these processes have used of the processor so far, all their threads together."""
    # The number of a process's own clock, as clock_getcpuclockid(3) gives it on Linux.
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def topic(chance: random.Random, *, language: str | None = None, paraphrased: bool = False) -> str:
    """A question as people ask it."""
    tongue = TONGUES[language or chance.choice(list(TONGUES))]
    place = chance.choice(PLACES) if chance.random() < 0.7 else ""
    subject = chance.choice(tongue.topics)
    return chance.choice(subject.paraphrased if paraphrased else subject.asked).format(place=place).strip()


def fill(prefix: str, number: int) -> None:
    """Write the articles, with what real news have too: rare names, places with coordinates, copies of a story."""
    services, chance = open_services(say=print), random.Random(9)
    client, settings = services.elasticsearch, services.settings.index
    templates.set_up(client, settings, prefix)
    for language in TONGUES:
        templates.ensure_family(client, language, settings, prefix)
    towns = [
        {"name": f"Town {number}", "country": chance.choice(("DE", "FR", "ES", "GB", "US", "IN", "BR", "NG")),
         "location": {"lat": round(chance.uniform(-50, 65), 3), "lon": round(chance.uniform(-170, 175), 3)}}
        for number in range(2_000)
    ]  # fmt: skip
    stories: list[str] = []
    articles = corpus(number // len(TONGUES), now=datetime.now(UTC))
    if services.embedder:
        start = time.process_time()
        articles = embedded(articles, services.embedder)
        spoken = sum("embedding" in known.document.source for known in articles)
        print(f"{spoken / (time.process_time() - start):.0f} articles embedded in a second of one core's time")

    def source(known: Known) -> dict[str, Any]:
        document = dict(known.document.source)
        entities = document.get("entities", {})
        places = chance.sample(towns, chance.randrange(1, 4))
        stories.append(chance.choice(stories) if stories and chance.random() < 0.1 else known.document.id)
        rare = f"Person {chance.randrange(60_000)} Of{chance.randrange(3_000)}son"
        return {
            **document,
            "cluster_id": stories[-1],
            "places": places,
            "countries": sorted({place["country"] for place in places}),
            "locations": [place["location"] for place in places],
            "entities": {
                **entities,
                "person": [*entities.get("person", []), rare],
                "place": [*entities.get("place", []), *(place["name"] for place in places)],
            },
        }

    actions = (
        {"_index": Names(prefix).write_alias(known.language), "_id": known.document.id, "_source": source(known)}
        for known in articles
    )
    helpers.bulk(client, actions, chunk_size=500)
    client.indices.refresh(index=prefix)
    if services.embedder:
        index = Names(prefix).first_index("en")
        client.indices.forcemerge(index=index, max_num_segments=1)
        used = client.indices.disk_usage(index=index, run_expensive_tasks=True)[index]
        vectors, whole = used["fields"]["embedding"]["total_in_bytes"] / spoken, used["store_size_in_bytes"] / spoken
        print(f"{vectors:.0f} bytes of vectors for each of them, of {whole:.0f} bytes of index")


if __name__ == "__main__":
    main()

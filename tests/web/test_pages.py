"""The pages over a real index: what they show, what they explain, and that nothing hostile gets through."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import unquote, urlsplit

import lxml.html
import pytest
from fastapi import Depends, HTTPException
from fastapi.testclient import TestClient
from indexing.forwarder import forwarder
from installation import Installation
from web_site import EVIL, EVIL_ARTICLE

from pipeline.search import SearchRequest, search
from pipeline.web.app import HEADERS, create_app

Page = lxml.html.HtmlElement


def get(pages: TestClient, address: str, status: int = 200) -> Page:
    answer = pages.get(address)
    assert answer.status_code == status, f"{address}: {answer.text[-2000:]}"
    return check(answer.text, address)


def check(html: str, address: str) -> Page:
    """What holds for every page: it is well made for everybody, and nothing in it can run or load but our own files."""
    page = lxml.html.document_fromstring(html)
    for element in page.iter(lxml.html.etree.Element):
        assert element.tag not in ("iframe", "object", "embed", "img", "base", "style"), address
        for name, value in element.attrib.items():
            assert not name.startswith("on"), f"{address}: {name}"
            assert name != "style", address
            if name in ("href", "src", "action"):
                parts = urlsplit(value)
                own = not parts.scheme and not parts.netloc
                assert own or (parts.scheme in ("http", "https") and element.tag == "a"), f"{address}: {value}"
                if not own:
                    assert {"noopener", "noreferrer", "nofollow"} <= set(element.get("rel", "").split()), value
    scripts = page.xpath("//script")
    assert [(script.get("src"), script.text) for script in scripts] == [("/static/page.js", None)], address
    assert page.get("lang")
    assert len(page.xpath("//main")) == len(page.xpath("//main//h1")) == 1, address
    assert page.xpath("//a[@class='skip']/@href") == [f"#{page.xpath('//main')[0].get('id')}"]
    ids = Counter(page.xpath("//@id"))
    assert not [id_ for id_, times in ids.items() if times > 1], address
    referred = {name for names in page.xpath("//@aria-labelledby | //@aria-describedby") for name in names.split()}
    assert referred <= set(ids), address
    for field in page.xpath("//form//input[not(@type='hidden')] | //form//select"):
        assert field.label is not None or field.xpath("ancestor::label"), f"{address}: {field.name} has no label"
    for link in page.xpath("//a[not(@tabindex='-1')]"):
        assert link.text_content().strip(), f"{address}: a link without words to {link.get('href')}"
    return page


def words(page: Page, path: str) -> list[str]:
    return [" ".join(element.text_content().split()) for element in page.xpath(path)]


def article_of(pages: TestClient, query: str) -> str:
    """The address of the first article found."""
    return str(get(pages, f"/?q={query}").xpath("//ol[@class='hits']//h3/a/@href")[0])


def test_a_search_shows_what_was_found(pages: TestClient) -> None:
    """Hits with the words marked in them, counts by facet that match, and the days."""
    page = get(pages, "/?q=hamburg")
    assert words(page, "//h2[@id='found']") == ["10 articles"]
    marked = words(page, "//ol[@class='hits']//mark")
    assert marked
    assert all(mark.startswith("Hamburg") for mark in marked)
    assert len(page.xpath("//ol[@class='hits']/li")) == 10
    german = page.xpath("//section[@aria-labelledby='facet-language']//li[contains(., 'German')]")[0]
    narrowed = get(pages, german.xpath(".//a/@href")[0])
    count = int(re.findall(r"\d+", german.text_content())[-1])
    assert words(narrowed, "//h2[@id='found']") == [f"{count} articles"]
    assert words(narrowed, "//ul[@class='chosen']//bdi") == ["German"]
    assert narrowed.xpath("//form//input[@name='language']/@value") == ["de"]  # a new search stays narrowed
    bars = page.xpath("//figure//ul[@class='dates']/li")
    # One of the 13 articles is a copy: it counts for its day, though it is not listed.
    assert sum(int(bar.text_content().split()[-1]) for bar in bars) == 11
    assert len(page.xpath("//figure//*[local-name()='rect'][@class='bar']")) == len(bars)
    one_bar = get(pages, bars[0].xpath("a/@href")[0])
    assert 0 < len(one_bar.xpath("//ol[@class='hits']/li")) < 10


def test_an_address_is_shareable(pages: TestClient) -> None:
    """The same address gives the same page: words, facets, days, order and page all stand in it."""
    address = "/?q=hamburg&places=Rotterdam&since=2026-01-01&until=2026-12-31&sort=newest"
    assert pages.get(address).text == pages.get(address).text
    page = get(pages, address)
    times = page.xpath("//ol[@class='hits']//time/@datetime")
    assert times == sorted(times, reverse=True)
    assert times
    newest, oldest = (get(pages, f"/?sort={sort}").xpath("//ol[@class='hits']//time/@datetime") for sort in
                      ("newest", "oldest"))  # fmt: skip
    assert oldest == sorted(oldest)
    assert not set(oldest) & set(newest)


def test_pages_go_on(pages: TestClient) -> None:
    """Following "Next" to its end lists every article once."""
    seen: list[str] = []
    address: str | None = "/?copies=1"
    while address:
        page = get(pages, address)
        seen += page.xpath("//ol[@class='hits']//h3/a/@href")
        following = page.xpath("//nav[@class='pages']/a[contains(@rel, 'next')]/@href")
        address = following[0] if following else None
    assert len(seen) == len(set(seen)) == int(words(page, "//h2[@id='found']")[0].split()[0])


def test_places_are_on_a_map(pages: TestClient) -> None:
    """The map, where it is asked for, has a bubble for each region that is named; choosing one leaves the articles that
    name a place there, and looks closer. The same stands beside it as a list, and the map can be skipped."""
    assert not get(pages, "/?q=hamburg&copies=1").xpath("//figure[@class='map']")
    page = get(pages, "/?q=hamburg&copies=1&map=1")
    bubbles = page.xpath("//figure[@class='map']//*[local-name()='svg']/a")
    titles = [bubble.text_content().strip() for bubble in bubbles]
    listed = words(page, "//figure[@class='map']//ul/li")
    assert [re.sub(r": (\d+) articles?$", r" \1", title) for title in titles] == listed
    (hamburg,) = [bubble for bubble in bubbles if bubble.text_content().strip().startswith("Hamburg")]
    count = int(re.findall(r"(\d+) articles?", hamburg.text_content())[0])
    near = get(pages, hamburg.get("href"))
    assert words(near, "//h2[@id='found']") == [f"{count} articles"]
    assert "Area: 52° N to 56° N" in words(near, "//ul[@class='chosen']")[0]
    assert near.xpath("//form//input[@name='area']/@value") == re.findall(r"area=([^&]+)", unquote(hamburg.get("href")))
    assert near.xpath("//figure[@class='map']//*[local-name()='rect'][@class='area']")
    world = get(pages, near.xpath("//figcaption[@id='map-caption']/a/@href")[0])
    assert words(world, "//h2[@id='found']") == words(page, "//h2[@id='found']")
    assert page.xpath("//figure[@class='map']/a[@class='skip over']/@href") == ["#after-map"]
    assert "no part of the map" in words(get(pages, "/?area=3/8/1", status=400), "//p[@role='alert']")[0]


def test_copies_are_folded(pages: TestClient) -> None:
    """An agency story and the paper that carries it are one result that says so; on wish both are listed."""
    page = get(pages, "/?q=cargo+drones")
    assert words(page, "//ol[@class='hits']/li[1]//a[contains(@href, '#same')]") == ["1 more tells this story"]
    both = get(pages, "/?q=cargo+drones&copies=1")
    assert len(both.xpath("//ol[@class='hits']/li")) == len(page.xpath("//ol[@class='hits']/li")) + 1
    article = get(pages, page.xpath("//ol[@class='hits']/li[1]//h3/a/@href")[0])
    assert len(article.xpath("//section[@aria-labelledby='same']//li")) == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/?q=title:", "can't be understood"),
        ("/?q=%22open", "can't be understood"),
        ("/?q=persn:merkel", "no field 'persn'"),
        ("/?q=*x", "begin with"),
        ("/?q=" + "x" * 3000, "2000"),
        ("/?since=yesterday", "'yesterday' is no day"),
        ("/?until=2026-02-30", "is no day"),
        ("/?sort=best", "is no order"),
        ("/?page=0", "is no page"),
        ("/?page=1001", "10000"),
        ("/?q=" + "%3Cscript%3E%22:(", "can't be understood"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_wrong_question_is_explained(pages: TestClient, address: str, said: str) -> None:
    """The page says what is wrong, keeps what was typed, and shows the box again."""
    page = get(pages, address, status=400)
    assert said in words(page, "//*[@role='alert']")[0]
    assert page.xpath("//input[@id='q']/@aria-invalid") == ["true"]


def test_names_are_completed(pages: TestClient) -> None:
    """Names come as one types, whatever accents they have, the frequent first."""
    found = pages.get("/complete?q=ferr").json()
    assert [(item["name"], item["type"]) for item in found] == [("Lucía Ferrándiz", "person")]
    assert pages.get("/complete?q=lucia").json() == found
    assert pages.get("/complete?q=x").json() == []
    assert pages.get("/complete?q=[(.*").json() == []


def test_an_article_is_shown_whole(pages: TestClient, site: Installation) -> None:
    """Text with its names marked where they stand, where each fact came from, what is like it, what happened to it."""
    address = article_of(pages, "title:%22Ports+promise%22")
    page = get(pages, address)
    document = site.documents()[address.rpartition("/")[2]]
    shown = "\n\n".join(element.text_content() for element in page.xpath("//div[@class='body']/p"))
    assert shown == document["body"]
    marked = [(a.text_content(), a.get("title")) for a in page.xpath("//div[@class='body']//a[@title]")]
    assert marked == [(m["text"], f"{m['type']}: {m['name']}") for m in document["mentions"]]
    facts = {row.xpath("th")[0].text_content(): [cell.text_content() for cell in row.xpath("td")] for row in
             page.xpath("//section[@aria-labelledby='facts']//tbody/tr")}  # fmt: skip
    assert facts["Published"] == ["2026-04-15 15:10 UTC", "jsonld.datePublished"]
    assert facts["Authors"][1] == "jsonld"
    assert "Brussels sanctions 14 trawlers" in words(page, "//section[@aria-labelledby='similar']")[0]
    happened = words(page, "//section[@aria-labelledby='happened']/ol/li")
    assert len(happened) == 1
    assert "indexed" in happened[0]


def test_versions_are_compared(pages: TestClient) -> None:
    """An article that was corrected shows both versions, and what changed between them."""
    address = article_of(pages, "title:bridge+saltby")
    page = get(pages, address)
    (link,) = page.xpath("//section[@aria-labelledby='versions']//a[contains(@href, '/changes')]/@href")
    changes = get(pages, link)
    assert changes.xpath("//del")
    assert changes.xpath("//ins")
    assert changes.xpath("//p[@class='same']")


def test_the_original_is_text(pages: TestClient) -> None:
    """The archived page is shown as it came, as text; records of other articles can't be asked for by its address."""
    address = article_of(pages, "title:%22Night+train%22")
    page = get(pages, f"{address}/original")
    raw = page.xpath("//pre")[-1].text_content()
    assert raw.lstrip().lower().startswith("<!doctype html")
    assert "application/ld+json" in raw
    other = get(pages, f"{article_of(pages, 'title:%22Ports+promise%22')}/original")
    digest = re.search(r"sha256:\w+", other.text_content())
    assert digest
    get(pages, f"{address}/original?digest={digest[0]}", status=404)
    get(pages, f"{address}/changes?old={digest[0]}&new={digest[0]}", status=404)


def test_ingestion_shows_health(pages: TestClient) -> None:
    """Sources with their state, runs that lead to their report, and what failed with the command that retries it."""
    page = get(pages, "/ingestion")
    assert any(row.startswith("samples") and " ok " in row for row in words(page, "//section[1]//tbody/tr"))
    failed = words(page, "//section[@aria-labelledby='failed']//tbody/tr")
    assert len(failed) == 1
    assert "bad_json" in failed[0]
    assert re.search(r"news ingest \S+items\.jsonl#1", failed[0])
    assert words(get(pages, "/ingestion?source=samples"), "//section[@aria-labelledby='failed']//tbody/tr") == []
    for link in page.xpath("//section[@aria-labelledby='runs']//tbody//a/@href"):
        report = get(pages, link)
        counts = [
            int(re.findall(r"\d+$", row)[0])
            for row in words(report, "//section[@aria-labelledby='outcomes']//tbody/tr[not(@class)]")
        ]
        discovered = words(report, "//section[@aria-labelledby='outcomes']//tfoot//td")
        assert [str(sum(counts))] == discovered


def test_every_page_is_harmless_and_well_made(pages: TestClient) -> None:
    """All pages that links lead to answer, carry the policy, are labelled for everybody, and run nothing of an
    article's, also those that show an article made of markup."""
    waiting, seen = ["/", "/?q=zeppelins&copies=1", f"/article/{EVIL_ARTICLE.id}", "/explain?name=%3Cscript%3E"], set()
    kinds: Counter[str] = Counter()
    while waiting:
        address = waiting.pop()
        kind = re.sub(r"/article/\w+", "/article", urlsplit(address).path)
        if address in seen or kinds[kind] >= 25:
            continue
        seen.add(address)
        kinds[kind] += 1
        answer = pages.get(address)
        known = answer.status_code == 200 or "id=run-1" in address  # no run of the ledger's wrote the hostile one
        assert known, f"{address}: {answer.text[-500:]}"
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        page = check(answer.text, address)
        for link in page.xpath("//a/@href"):
            if link.startswith("/") and "#" not in link:
                waiting.append(link)
    assert {"/", "/article", "/article/original", "/article/changes", "/ingestion", "/run", "/explain"} <= set(kinds)
    hostile = get(pages, f"/article/{EVIL_ARTICLE.id}")
    assert hostile.xpath("//h1")[0].text_content() == f"Zeppelins {EVIL}"
    assert "{{ 7*7 }}" in hostile.text_content()
    listed = get(pages, "/?q=zeppelins").xpath("//ol[@class='hits']/li")[0]
    assert set(words(listed, ".//mark")) == {"Zeppelins", "zeppelins", "not found"}  # its own marks mark, no more


def test_the_policy_stands_on_every_answer(pages: TestClient, site: Installation) -> None:
    """Style sheet, JSON, refusals and faults carry the same headers as pages; nothing but reading is possible."""
    answers = [pages.get(address) for address in ("/static/page.css", "/complete?q=ham", "/nowhere", "/article/none")]

    def fault() -> None:
        raise RuntimeError("secret detail")

    broken = TestClient(create_app(site.services, may_read=[Depends(fault)]), raise_server_exceptions=False)
    answers.append(broken.get("/"))
    assert [answer.status_code for answer in answers] == [200, 200, 404, 404, 500]
    assert "secret detail" not in answers[-1].text
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert pages.request(method, "/").status_code == 405


def test_elasticsearch_away_is_said(site: Installation) -> None:
    """While Elasticsearch is away the page says so, as a 503 to try again; when it is back, so is the page."""
    away = [True]
    with forwarder(site.elasticsearch_url, lambda *_: "lose request" if away[0] else "pass") as address:
        behind = Installation(root=site.root, elasticsearch_url=address, prefix=site.prefix)
        client = TestClient(create_app(behind.services), raise_server_exceptions=False)
        for path in ("/?q=hamburg", "/article/x", "/ingestion", "/complete?q=ham"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
            assert "Elasticsearch can't be reached" in check(answer.text, path).text_content()
        away[0] = False
        assert client.get("/?q=hamburg").status_code == 200


@pytest.fixture
def guarded(site: Installation) -> Iterator[Callable[[str, str], int]]:
    def readers(who: str = "") -> None:
        if not who:
            raise HTTPException(401)

    def operators(who: str = "") -> None:
        if who != "operator":
            raise HTTPException(403)

    app = create_app(
        site.services,
        base_path="/below",
        may_read=[Depends(readers)],
        may_operate=[Depends(operators)],
        login_url=lambda path: f"/auth/login?next={path}",
    )
    with TestClient(app) as client:
        yield lambda path, who: client.get(path, params={"who": who, "q": "ham", "name": "x"}).status_code
        refused = client.get("/ingestion")
        assert lxml.html.document_fromstring(refused.text).xpath("//main//a/@href") == ["/auth/login?next=/ingestion"]
        assert 'href="/below/static/page.css"' in refused.text


def test_guards_are_asked(guarded: Callable[[str, str], int]) -> None:
    """Reading needs one permission, runs and sources another one too; who isn't known is led to the log-in."""
    for path in ("/", "/complete"):
        assert [guarded(path, who) for who in ("", "reader", "operator")] == [401, 200, 200], path
    for path in ("/ingestion", "/explain"):
        assert [guarded(path, who) for who in ("", "reader", "operator")] == [401, 403, 200], path
    for path in ("/article/x", "/article/x/original", "/article/x/changes", "/run"):
        assert guarded(path, "") == 401, path


def test_an_empty_installation_is_shown(site: Installation) -> None:
    """Before the first article every page is there and says that there is nothing yet."""
    empty = Installation(root=site.root / "empty", elasticsearch_url=site.elasticsearch_url)
    empty.write_config()
    with TestClient(create_app(empty.services)) as client:
        assert words(get(client, "/?q=anything"), "//h2") == ["No article found"]
        assert "No run yet." in get(client, "/ingestion").text_content()
        get(client, "/explain?name=nothing")


def test_the_search_behind_it_agrees(pages: TestClient, site: Installation) -> None:
    """The page finds what `news search` finds."""
    found = search(site.services().elasticsearch, SearchRequest(query="hamburg", limit=50, prefix=site.prefix))
    assert words(get(pages, "/?q=hamburg&copies=1"), "//h2[@id='found']") == [f"{found.total} articles"]

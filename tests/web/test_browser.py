"""News search inside a real Airflow, in a real browser: log-in, search, articles, colours, phone."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect, sync_playwright
from web_site import AirflowSite

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def session(browser: Browser, airflow_site: AirflowSite) -> Iterator[BrowserContext]:
    """A browser session that has logged in to Airflow by its own form."""
    context = browser.new_context(viewport={"width": 1120, "height": 720}, color_scheme="light")
    context.set_default_timeout(30_000)
    page = context.new_page()
    # Being sent to the log-in and back is part of the promise.
    page.goto(f"{airflow_site.url}/news/")
    expect(page.get_by_role("alert")).to_contain_text("log in")
    page.get_by_role("link", name="Log in").click()
    address = airflow_site.airflow.address
    page.get_by_label("Username").fill(address.username)
    page.get_by_label("Password").fill(address.password)
    page.get_by_role("button", name=re.compile("sign in|log in", re.IGNORECASE)).click()
    expect(page.get_by_role("searchbox").or_(page.get_by_role("combobox")).first).to_be_visible()
    assert page.url.startswith(f"{airflow_site.url}/news/"), page.url
    yield context
    context.close()


@pytest.fixture
def page(session: BrowserContext) -> Iterator[Page]:
    page = session.new_page()
    page.emulate_media(color_scheme="light")
    yield page
    page.close()


def framed(page: Page) -> FrameLocator:
    return page.frame_locator('iframe[title="News search"]')


def test_nobody_reads_without_logging_in(airflow_site: AirflowSite) -> None:
    """Without Airflow's log-in every page is refused, with a wrong token too; with the token of somebody who may only
    look it is there, runs and sources too, and nothing can be changed."""
    with httpx2.Client(base_url=airflow_site.url, timeout=60, trust_env=False) as web:
        for path in ("/news/", "/news/complete?q=ham", "/news/article/x", "/news/article/x/original", "/news/ingestion",
                     "/news/run?id=x", "/news/explain?name=x"):  # fmt: skip
            assert web.get(path).status_code == 401, path
            assert web.get(path, headers={"Authorization": "Bearer nonsense"}).status_code in (401, 403), path
        assert web.get("/news/static/page.css").status_code == 200
        for user in ("admin", "reader"):
            token = airflow_site.token(user)
            answer = web.get("/news/?q=hamburg", headers=token)
            assert answer.status_code == 200
            assert "Night train" in answer.text
            assert web.get("/news/ingestion", headers=token).status_code == 200
            assert web.post("/news/", headers=token).status_code == 405


def test_search_in_airflow(page: Page, airflow_site: AirflowSite, output: Path) -> None:
    """The navigation has News search; there one searches with completion, narrows by a facet, reads an article and goes
    on to a similar one. The outer address follows, so that it can be shared."""
    page.goto(airflow_site.url)
    page.get_by_role("link", name="News search").first.click()
    frame = framed(page)
    box = frame.get_by_label("Search the articles")
    box.press_sequentially("harbour ferr")
    option = frame.get_by_role("option", name=re.compile("Lucía Ferrándiz"))
    expect(option).to_be_visible()
    box.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(box).to_have_value('harbour person:"Lucía Ferrándiz" ')
    box.fill("hamburg")
    box.press("Enter")
    expect(frame.get_by_role("heading", name=re.compile(r"\d+ articles"))).to_be_visible()
    expect(frame.locator(".hits mark").first).to_have_text(re.compile("hamburg", re.IGNORECASE))
    frame.get_by_role("link", name="Show on a map").click()
    expect(frame.locator(".map svg a").first).to_be_visible()
    page.set_viewport_size({"width": 1120, "height": 900})
    page.screenshot(path=output / "search.png")
    frame.get_by_role("link", name="Hide the map").click()
    expect(frame.locator(".map")).to_have_count(0)
    before = frame.locator(".hits > li").count()
    frame.get_by_role("complementary", name="Narrow down").get_by_role("link", name="German", exact=True).click()
    expect(frame.get_by_role("link", name=re.compile("Remove Language: German"))).to_be_visible()
    expect(frame.locator(".hits > li").first.locator(".meta")).to_contain_text("German")
    assert frame.locator(".hits > li").count() < before
    expect(page).to_have_url(re.compile(r"/plugin/news/.*language=de"))
    shared = page.url
    page.goto(shared)
    expect(frame.get_by_role("link", name=re.compile("Remove Language: German"))).to_be_visible()
    frame.get_by_role("link", name=re.compile("Remove Language: German")).click()
    frame.get_by_role("link", name="Ports promise shore power").click()
    expect(frame.get_by_role("heading", level=1)).to_contain_text("Ports promise shore power")
    expect(frame.locator("a.entity.place").first).to_be_visible()
    page.screenshot(path=output / "article.png", clip={"x": 0, "y": 0, "width": 1120, "height": 620})
    frame.get_by_role("region", name="Similar articles").get_by_role("link").first.click()
    expect(frame.get_by_role("heading", level=1)).not_to_contain_text("Ports promise shore power")


def test_links_open_beside_airflow(page: Page, airflow_site: AirflowSite) -> None:
    """The frame's sandbox opens no windows; an article's own address opens in a tab of its own all the same."""
    page.goto(f"{airflow_site.url}/plugin/news")
    frame = framed(page)
    frame.get_by_label("Search the articles").fill("title:night")
    frame.get_by_label("Search the articles").press("Enter")
    with page.context.expect_page() as opened:
        frame.locator("a.outside").first.click()
    # It can't be reached from here; that it was tried in a new tab, without a word of where from, is the promise.
    assert opened.value is not page
    assert opened.value.evaluate("window.opener") is None
    opened.value.close()
    expect(frame.locator(".hits > li").first).to_be_visible()


def test_a_hostile_article_is_only_text(page: Page, airflow_site: AirflowSite, output: Path) -> None:
    """Markup and addresses that an article brings do nothing, neither in the list nor in the article."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    page.goto(f"{airflow_site.url}/news/?q=zeppelins")
    expect(page.locator(".hits h3")).to_contain_text("<script>window.evil=1</script>")
    page.locator(".hits h3 a").click()
    expect(page.locator("h1")).to_contain_text("<script>window.evil=1</script>")
    page.screenshot(path=output / "hostile.png", full_page=True)
    assert page.evaluate("window.evil") is None
    assert page.locator("main img, main script, main iframe").count() == 0
    assert page.locator('a[href^="javascript"]').count() == 0
    assert said == []  # not even a refusal by the content security policy


def test_colours_follow_the_reader(page: Page, airflow_site: AirflowSite, output: Path) -> None:
    """Dark where the reader's system is dark, with readable text; in Airflow's frame as Airflow is."""
    background = "getComputedStyle(document.body).backgroundColor"
    page.goto(f"{airflow_site.url}/news/?q=hamburg")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(background)
    assert max(map(int, re.findall(r"\d+", dark))) < 60
    page.screenshot(path=output / "dark.png")
    page.emulate_media(color_scheme="light")
    page.goto(f"{airflow_site.url}/plugin/news")
    expect(framed(page).locator("h2.count")).to_be_visible()
    page.evaluate("document.documentElement.classList.replace('light', 'dark') || "
                  "document.documentElement.classList.add('dark')")  # fmt: skip
    expect(framed(page).locator("html")).to_have_attribute("data-theme", "dark")


def test_phone(page: Page, airflow_site: AirflowSite, output: Path) -> None:
    """On a phone nothing sticks out to the side, on any kind of page."""
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(f"{airflow_site.url}/news/?q=hamburg")
    page.screenshot(path=output / "phone.png")
    addresses = [page.url, page.locator(".hits h3 a").first.evaluate("link => link.href")]
    paths = ("ingestion", "?q=zeppelins", "?q=title:", "?map=1", "explain")
    addresses += [f"{airflow_site.url}/news/{path}" for path in paths]
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address


def test_keyboard_alone(page: Page, airflow_site: AirflowSite) -> None:
    """Tab reaches the skip link first, then navigation and search box; what has the focus shows it."""
    page.goto(f"{airflow_site.url}/news/?q=hamburg")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("id", "q")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_map_by_keyboard(page: Page, airflow_site: AirflowSite, output: Path) -> None:
    """The map can be skipped; its bubbles can be reached by Tab, say what they are, and narrow it with Enter."""
    page.goto(f"{airflow_site.url}/news/?q=hamburg&map=1")
    page.screenshot(path=output / "map.png")
    page.get_by_role("link", name="Skip the map").focus()
    page.keyboard.press("Tab")
    bubble = page.locator(".map svg a:focus")
    expect(bubble).to_have_accessible_name(re.compile(r": \d+ articles?$"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Narrowed to")).to_contain_text("Area:")
    expect(page.locator(".map .area")).to_be_visible()
    page.get_by_role("link", name="The whole world").click()
    expect(page.get_by_role("list", name="Narrowed to")).to_have_count(0)


def test_runs_lead_to_their_report(page: Page, airflow_site: AirflowSite, output: Path) -> None:
    """A DAG run's page has a tab with the run's report, its tasks a button that leads there; from the report
    and from the navigation one gets to Kibana."""
    deadline = time.monotonic() + 180
    while airflow_site.airflow.run_state("news_ingest", airflow_site.run_id) not in ("success", "failed"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(500)
    page.goto(f"{airflow_site.url}/dags/news_ingest/runs/{airflow_site.run_id}/plugin/news-report")
    frame = page.frame_locator('iframe[title="News report"]')
    expect(frame.get_by_role("heading", level=1)).to_contain_text(f"news_ingest/{airflow_site.run_id}")
    expect(frame.get_by_role("row", name=re.compile("^indexed 2"))).to_be_visible()
    kibana = frame.get_by_role("link", name="This run in Kibana")
    expect(kibana).to_have_attribute(
        "href", re.compile(r"https://kibana\.example/app/dashboards#/view/\S+-ingestion\?_g=.*_a=.*run\.id")
    )
    page.screenshot(path=output / "run.png")
    views = airflow_site.airflow._request("GET", "/api/v2/plugins").json()["plugins"]
    (news,) = [plugin["external_views"] for plugin in views if plugin["name"] == "news_search"]
    assert [view["href"] for view in news if view["name"] == "Kibana"] == ["https://kibana.example/app/dashboards"]
    links = airflow_site.airflow._request(
        "GET", f"/api/v2/dags/news_ingest/dagRuns/{airflow_site.run_id}/taskInstances/plan/links"
    ).json()
    assert links["extra_links"]["Run report"].startswith("/news/run?dag_id=news_ingest&run_id=")
    page.goto(airflow_site.url + links["extra_links"]["Run report"])
    expect(page.get_by_role("heading", level=1)).to_contain_text(airflow_site.run_id)

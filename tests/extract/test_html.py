"""HTML pages: facts with their origins, the body without furniture, and pages that are no articles."""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from island_pages import PROSE

from pipeline.errors import ArticleFailed, ArticleRejected, Reason
from pipeline.extract import extract
from pipeline.models import Precision, RawPage, StatedFacts
from pipeline.settings import ExtractSettings

SETTINGS = ExtractSettings()
MakePage = Callable[..., RawPage]
MakeHtml = Callable[..., str]
BODY = "\n\n".join(PROSE)


def jsonld(node: object) -> str:
    """A JSON-LD block."""
    return f'<script type="application/ld+json">{json.dumps(node)}</script>'


def test_facts_with_their_origins(make_page: MakePage, article_html: MakeHtml) -> None:
    """Every fact that the page states is in the article, and ``origins`` says where it was found."""
    node = {
        "@type": "NewsArticle", "headline": "Ferry runs again after nine days", "datePublished": "2026-05-04T09:30:00+02:00",
        "dateModified": "2026-05-05T10:00:00+02:00", "author": [{"@type": "Person", "name": "Ansa Tollund"}, {"name": "Per Skog"}],
        "articleSection": "Islands", "keywords": ["ferry", "ice"], "publisher": {"@type": "Organization", "name": "Island Herald"},
        "image": {"url": "https://islandherald.example/ferry.jpg"}, "isAccessibleForFree": False, "inLanguage": "en-GB",
    }  # fmt: skip
    head = jsonld(node) + '<meta property="og:description" content="Divers freed the rudder of the ferry.">'
    head += '<link rel="canonical" href="https://islandherald.example/news/ferry-runs-again-after-nine-days">'
    article = extract(
        make_page(
            article_html(head=head),
            url="https://islandherald.example/news/ferry-runs-again-after-nine-days?utm_source=x",
        ),
        settings=SETTINGS,
    )
    assert article.headline == "Ferry runs again after nine days"
    assert article.body == BODY
    assert article.authors == ("Ansa Tollund", "Per Skog")
    assert (article.section, article.keywords, article.publisher) == ("Islands", ("ferry", "ice"), "Island Herald")
    assert article.image == "https://islandherald.example/ferry.jpg"
    assert article.description == "Divers freed the rudder of the ferry."
    assert article.canonical_url == "https://islandherald.example/news/ferry-runs-again-after-nine-days"
    assert article.is_accessible_for_free is False
    assert article.stated_language == "en-gb"
    assert article.published is not None
    assert (article.published.value, article.published.precision) == (
        datetime(2026, 5, 4, 7, 30, tzinfo=UTC),
        Precision.SECOND,
    )
    assert article.modified is not None
    assert article.modified.value == datetime(2026, 5, 5, 8, tzinfo=UTC)
    origins = dict(article.origins)
    assert (origins["authors"], origins["description"], origins["section"]) == ("jsonld", "opengraph", "jsonld")


@pytest.mark.parametrize(
    ("title", "site"),
    [
        ("Ferry runs again after nine days | Island Herald", "Island Herald"),
        ("Ferry runs again after nine days - Island Herald", "Island Herald"),
        ("Island Herald: Ferry runs again after nine days", ""),
        ("Ferry runs again after nine days", "Island Herald"),
    ],
)
def test_the_site_is_no_part_of_the_headline(
    make_page: MakePage, article_html: MakeHtml, title: str, site: str
) -> None:
    """The headline is what stands over the article, without the paper's name."""
    html = article_html(
        head=f'<meta property="og:title" content="{title}"><meta property="og:site_name" content="{site}">'
    )
    assert extract(make_page(html), settings=SETTINGS).headline == "Ferry runs again after nine days"


def test_what_the_source_said_never_overrules_the_page(make_page: MakePage, article_html: MakeHtml) -> None:
    """The feed's title, author and date are used where the page has none, and are kept as candidates where it has one."""
    facts = StatedFacts(title="Feed title", authors=("Feed Author",), published_at=datetime(2026, 5, 30, 8, tzinfo=UTC))
    silent = extract(make_page(article_html(), facts=facts), settings=SETTINGS)
    assert silent.headline == "Ferry runs again after nine days"
    assert silent.authors == ("Feed Author",)
    assert silent.published is not None
    assert silent.published.source == "source"
    head = '<meta property="article:published_time" content="2026-05-04T09:30:00Z"><meta name="author" content="Ansa Tollund">'
    stating = extract(make_page(article_html(head=head), facts=facts), settings=SETTINGS)
    assert stating.authors == ("Ansa Tollund",)
    assert stating.published is not None
    assert stating.published.source == "meta.article:published_time"
    assert stating.published.conflict
    assert "source" in {candidate.source for candidate in stating.published.candidates}


def test_the_date_line_beside_the_headline(make_page: MakePage, article_html: MakeHtml) -> None:
    """Where machines are told nothing, the date that readers see is taken; an update's date is not a publication's."""
    before = "<p class='meta'>By Ansa Tollund | Published 4 May 2026</p><p>Updated on 6 May 2026</p>"
    article = extract(make_page(article_html(before=before)), settings=SETTINGS)
    assert article.published is not None
    assert (article.published.value.date().isoformat(), article.published.source) == ("2026-05-04", "text.published")
    assert article.modified is not None
    assert article.modified.value.date().isoformat() == "2026-05-06"
    assert article.authors == ("Ansa Tollund",)
    assert article.body == BODY


def test_dates_in_the_story_are_not_the_articles(make_page: MakePage, article_html: MakeHtml) -> None:
    """A date in a sentence is what the story is about."""
    after = "<p>The last time that the ferry had lain in port for so long was in the cold winter that began on 4 December 1995, as the older islanders remember well.</p>"
    assert extract(make_page(article_html(after=after)), settings=SETTINGS).published is None


def test_furniture_stays_out_of_the_body(make_page: MakePage, article_html: MakeHtml) -> None:
    """Share bars, sign-up boxes, captions, related links, comments and cookie notices are no part of the body."""
    before = '<div class="share-bar"><a href="#">Share on Facebook</a></div><figure><img src="f.jpg"><figcaption>The ferry in the ice of the harbour</figcaption></figure>'
    after = (
        '<div class="newsletter-signup"><p>Sign up for our newsletter and never miss a ferry again, whatever the weather may bring to us.</p></div>'
        '<aside class="related"><h3>Related stories</h3><ul><li><a href="/a">Piano found on the beach after the storm of the year</a></li></ul></aside>'
        '<section class="comments" id="comments"><p>First comment: I have always said that the rudder was made of cheese and not of oak at all.</p></section>'
        '<div id="cookie-banner"><p>We use cookies to improve your experience on this site and to show you advertisements that fit.</p></div>'
    )
    assert extract(make_page(article_html(before=before, after=after)), settings=SETTINGS).body == BODY


def test_a_story_cut_into_many_boxes_is_whole(make_page: MakePage) -> None:
    """A page whose template cuts the story into sections of its own making keeps all of them, in their order."""
    boxes = "".join(
        f'<div class="x{n}"><div><div class="y"><p>{PROSE[n % 4]} ({n})</p></div></div></div>' for n in range(12)
    )
    html = f'<html><body><h1>Ferry runs again after nine days</h1><div class="story-body"><p>Teaser</p></div><div>{boxes}</div></body></html>'
    body = extract(make_page(html), settings=SETTINGS).body
    assert [n for n in range(12) if f"({n})" in body] == list(range(12))


REJECTED = [
    ("error page", "https://a.example/news/x-y-z-w", "<h1>404 Page not found</h1><p>{}</p>", Reason.ERROR_PAGE),
    ("login", "https://a.example/members/area", "<h1>Log in</h1><p>{}</p>", Reason.LOGIN_PAGE),
    ("login by address", "https://a.example/login", "<h1>Island Herald</h1><p>{}</p>", Reason.LOGIN_PAGE),
    ("home", "https://a.example/", "<h1>Island Herald</h1><p>{}</p>", Reason.HOME_PAGE),
    ("section", "https://a.example/tag/ferry", "<h1>Ferry</h1>" + "<p><a href='/x'>A teaser of a story about ferries</a></p>" * 30, Reason.SECTION_PAGE),
    ("no text", "https://a.example/news/x-y-z-w", "<h1>Ferry</h1><div></div>", Reason.NO_TEXT),
    ("too short", "https://a.example/news/x-y-z-w", "<h1>Ferry</h1><p>The ferry runs again.</p>", Reason.TOO_SHORT),
    (
        "consent", "https://a.example/news/x-y-z-w",
        "<h1>Before you continue</h1><p>We and our partners store cookies on your device and process personal data such as identifiers.</p>"
        "<p>Your consent is voluntary; with a click you accept all cookies. You can change your privacy settings at any time.</p>"
        "<p>Some partners rely on legitimate interest. See our privacy policy for the list of cookies and partners.</p>", Reason.CONSENT_PAGE,
    ),
    (
        "paywall", "https://a.example/news/x-y-z-w",
        "<h1>Ferry runs again</h1><p>The ferry between the two islands will run again from Monday, the harbour office said on Sunday evening.</p>"
        "<p>To continue reading this article you need a subscription. Subscribe now for one crown a week. Already a subscriber? Log in to read the rest.</p>"
        "<p>Our journalists work for you, seven days a week and in every weather that the islands have to offer.</p>", Reason.PAYWALL_STUB,
    ),
    (
        "video", "https://a.example/news/x-y-z-w",
        '<script type="application/ld+json">{"@type": "VideoObject", "name": "Ferry"}</script><h1>Ferry</h1><p>See the divers free the rudder of the ferry in the '
        "ice of the harbour, after nine days in which the islanders rowed. It was filmed by the crew of the second boat, which lay at the other side of the pier.</p>",
        Reason.VIDEO_ONLY,
    ),
    (
        "shop", "https://shop.a.example/ferry-model", "<h1>Model ferry made of oak</h1><p>{}</p><button>Add to cart</button>", Reason.SECTION_PAGE,
    ),
    ("product", "https://a.example/x", '<script type="application/ld+json">{"@type": "Product", "name": "Ferry"}</script><h1>Ferry</h1><p>{}</p>', Reason.NOT_AN_ARTICLE),
    ("forum", "https://a.example/threads/ferry.123/", "<h1>Ferry anyone?</h1><p>{}</p>", Reason.NOT_AN_ARTICLE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "content", "reason"), [case[1:] for case in REJECTED], ids=[case[0] for case in REJECTED]
)
def test_pages_that_are_no_articles(make_page: MakePage, url: str, content: str, reason: Reason) -> None:
    """What is no article is rejected with the reason, so that it is counted and not indexed."""
    page = make_page(f"<html><body>{content.replace('{}', ' '.join(PROSE[:3]))}</body></html>", url=url)
    with pytest.raises(ArticleRejected) as caught:
        extract(page, settings=SETTINGS)
    assert caught.value.reason is reason, caught.value


def test_broken_and_huge_json_ld_costs_nothing(make_page: MakePage, article_html: MakeHtml) -> None:
    """400 KB of broken JSON-LD neither hides the article nor takes minutes."""
    head = (
        '<script type="application/ld+json">{"@type":"NewsArticle","headline":"x",'
        + '"a":"b\\", "@type": [' * 20_000
        + "</script>"
    )
    assert extract(make_page(article_html(head=head)), settings=SETTINGS).body == BODY


SLOW = {
    "nested": lambda html: html.replace("<article>", "<div>" * 20_000).replace("</article>", "</div>" * 20_000),
    "nested unknown elements": lambda html: html.replace("<article>", "<x-box>" * 20_000),
    "digits": lambda html: html.replace("</article>", f"<p>{'1234567890' * 30_000}</p></article>"),
    "times": lambda html: html.replace("</article>", '<time datetime="2026-05-01">x</time>' * 20_000 + "</article>"),
    "data URI": lambda html: html.replace(
        "</article>", f'<img src="data:image/png;base64,{"A1b2" * 2_000_000}"></article>'
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_hostile_pages_keep_their_story(make_page: MakePage, article_html: MakeHtml, name: str) -> None:
    """20,000 nested elements, 300 KB of digits, 20,000 dates or 8 MB of data URI hide nothing of the story."""
    started = time.process_time()
    body = extract(make_page(SLOW[name](article_html())), settings=SETTINGS).body
    assert all(paragraph in body for paragraph in PROSE)
    assert time.process_time() - started < 60  # quadratic behaviour would take many minutes


@pytest.mark.parametrize(
    "content",
    [
        "<" * 5000,
        "<html><!--",
        "\x00<p>\x01",
        "<![CDATA[" * 100,
        "</" * 999,
        "<html><head></head></html>",
        "<?xml version='1.0'?><a/>",
    ],
)
def test_nonsense_is_rejected_not_raised(make_page: MakePage, content: str) -> None:
    """Whatever comes in place of a page, the article ends in a counted outcome."""
    with pytest.raises(ArticleRejected):
        extract(make_page(content), settings=SETTINGS)


@pytest.mark.parametrize(
    ("markup", "section", "origin"),
    [
        ('<div itemscope itemtype="https://schema.org/NewsArticle"><span itemprop="articleSection">Shipping</span></div>', "Shipping", "microdata"),
        ('<p class="breadcrumbs"><a href="/">Home</a> › <a href="/islands">Islands</a> › Ferries</p>', "Islands", "page"),
        ('<p><a href="/">Start</a> | <a href="/local">Local</a></p><p>Monday, 4 May 2026 - Local</p>', "Local", "page"),
        ('<p><a href="/">Start</a> | <a href="/sport">Sport</a></p><p>Monday, 4 May 2026 - Local</p>', None, None),
        ('<p><a href="/p">Ansa Tollund</a></p><p class="byline">By Ansa Tollund</p><p>4 May 2026 | Ansa Tollund</p>', None, None),
    ],
    ids=["microdata", "breadcrumb", "beside the date", "not in the menu", "an author beside the date"],
)  # fmt: skip
def test_section_as_readers_see_it(
    make_page: MakePage, article_html: MakeHtml, markup: str, section: str | None, origin: str | None
) -> None:
    """The section is found where only microdata, a breadcrumb or the date line names it; no author is taken for one."""
    html = article_html().replace("<article>", f"{markup}<article>")
    article = extract(make_page(html), settings=SETTINGS)
    assert (article.section, dict(article.origins).get("section")) == (section, origin)
    assert article.body == BODY


@pytest.mark.parametrize(
    "markup",
    [
        "<figure><img src='f.jpg'><figcaption>{}</figcaption></figure>",
        "<div class='media'><img src='f.jpg'><div class='x-caption'>{}</div></div>",
        "<table align='right'><tr><td><img src='f.jpg'></td></tr><tr><td><font size='1'>{}</font></td></tr></table>",
    ],
    ids=["figure", "class", "table"],
)
def test_captions_are_kept_apart(make_page: MakePage, article_html: MakeHtml, markup: str) -> None:
    """A caption under a picture is in ``captions`` and not in the body, in whatever way the page lays pictures out."""
    caption = "The ferry in the ice of the harbour on its ninth day, seen from the roof of the old customs house."
    html = article_html().replace(f"<p>{PROSE[2]}</p>", markup.format(caption) + f"<p>{PROSE[2]}</p>")
    article = extract(make_page(html), settings=SETTINGS)
    assert article.captions == (caption,)
    assert article.body == BODY


def test_a_table_of_facts_is_no_caption(make_page: MakePage, article_html: MakeHtml) -> None:
    """A table that tells something stays in the body, also if there is a picture in it."""
    table = "<table><tr><td><img src='f.jpg'>Ferry</td><td>19 knots</td></tr><tr><td>Rowing boat</td><td>2 knots</td></tr></table>"
    article = extract(make_page(article_html(after=table)), settings=SETTINGS)
    assert "Ferry | 19 knots" in article.body
    assert article.captions == ()


@pytest.mark.parametrize(
    "markup",
    [
        "<div class='x'><b>Lesen Sie auch:</b> <a href='/a'>Klavier nach Sturm am Strand gefunden</a></div>",
        "<div class='x'><p>À lire aussi</p><p><a href='/a'>Un piano retrouvé sur la plage après la tempête</a></p></div>",
        "<p>Read more: <a href='/a'>Piano found on the beach</a></p>",
        "<p>Lea también <a href='/a'>Hallan un piano en la playa tras el temporal</a></p>",
        "<p>Leia também: <a href='/a'>Piano encontrado na praia</a></p>",
        "<p><b>Читайте также:</b> <a href='/a'>После шторма на пляже нашли пианино</a></p>",
    ],
)
def test_pointers_to_other_stories_are_taken_out(make_page: MakePage, article_html: MakeHtml, markup: str) -> None:
    """A line in mid-story that leads to another story is in ``removed``; the paragraphs around it stay."""
    html = article_html().replace(f"<p>{PROSE[3]}</p>", markup + f"<p>{PROSE[3]}</p>")
    article = extract(make_page(html), settings=SETTINGS)
    assert article.body == BODY
    assert article.removed


def test_sentences_that_begin_like_pointers_stay(make_page: MakePage, article_html: MakeHtml) -> None:
    """A sentence is no pointer because of its first words."""
    sentence = "Read more slowly, the captain told the boy, and the ice will have gone before you reach the end of it."
    article = extract(make_page(article_html(after=f"<p>{sentence}</p>")), settings=SETTINGS)
    assert article.body.endswith(sentence)


def test_the_authors_line_is_no_part_of_the_body(make_page: MakePage, article_html: MakeHtml) -> None:
    """A line that holds nothing but the authors' names is a byline, also after the standfirst."""
    head = '<meta name="author" content="Ansa Tollund">'
    html = article_html(head=head).replace(f"<p>{PROSE[1]}</p>", f"<p>Ansa Tollund</p><p>{PROSE[1]}</p>")
    article = extract(make_page(html), settings=SETTINGS)
    assert article.body == BODY
    assert "Ansa Tollund" in [item.text for item in article.removed]


def test_teasers_around_a_stub_are_not_its_text(make_page: MakePage) -> None:
    """A piece of news of one line is too short, however many other stories are introduced beside it."""
    teasers = "".join(
        f"<li><a href='/{n}'><h4>A story about ferry number {n}</h4></a><p>{text}</p></li>"
        for n, text in enumerate(PROSE)
    )
    html = (
        "<html><head><title>Ferry stopped</title></head><body><article><h1>Ferry stopped</h1><p>By <b>Ansa Tollund</b></p>"
        f"<p>The ferry has stopped. More follows.</p></article><section><ul>{teasers}</ul></section></body></html>"
    )
    with pytest.raises(ArticleRejected) as caught:
        extract(make_page(html), settings=SETTINGS)
    assert caught.value.reason is Reason.TOO_SHORT


def test_a_menu_is_no_article(make_page: MakePage) -> None:
    """A page of nothing but links is rejected, also a saved one without an address."""
    links = "".join(f'<a href="/s/{n}">Item {n}</a> ' for n in range(60))
    with pytest.raises(ArticleRejected) as caught:
        extract(
            make_page(f"<html><head><title>Sport</title></head><body><nav>{links}</nav></body></html>", url=None),
            settings=SETTINGS,
        )
    assert caught.value.reason in (Reason.SECTION_PAGE, Reason.NO_TEXT)


def test_what_nobody_foresaw_is_a_failure_with_its_name(
    make_page: MakePage, article_html: MakeHtml, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error inside a library fails this article with the error's type and message, and no other."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("of the rudder")

    monkeypatch.setattr("pipeline.extract.html.read_structured", broken)
    with pytest.raises(ArticleFailed, match="ZeroDivisionError: of the rudder") as caught:
        extract(make_page(article_html()), settings=SETTINGS)
    assert caught.value.reason is Reason.EXTRACT_ERROR


def test_a_saved_page_knows_its_address(make_page: MakePage, article_html: MakeHtml) -> None:
    """A saved HTML file without a known address is filed under the address that it states."""
    head = '<link rel="canonical" href="https://islandherald.example/news/ferry-runs-again">'
    article = extract(make_page(article_html(head=head), url=None), settings=SETTINGS)
    assert (article.url, article.canonical_url) == (None, "https://islandherald.example/news/ferry-runs-again")


def test_media_types(make_page: MakePage) -> None:
    """A type that is no text is rejected by its name."""
    with pytest.raises(ArticleRejected) as caught:
        extract(make_page("x", media_type="image/png"), settings=SETTINGS)
    assert caught.value.reason is Reason.NOT_HTML

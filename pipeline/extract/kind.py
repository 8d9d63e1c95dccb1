"""Whether a page is an article at all, and what it is instead. Pure.

Every rule asks for a mark that pages of that kind bear and articles don't. Where a page calls itself an article in JSON-LD
(not only in OpenGraph, where templates say so of everything), rules that go by its address or its looks give way.
"""

# ruff: noqa: E501, SIM905 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from lxml.html import HtmlElement

from pipeline.errors import ArticleRejected, Reason
from pipeline.extract.density import PROSE_LENGTH, columns, teaser_share
from pipeline.extract.structured import Structured, types_of
from pipeline.settings import ExtractSettings
from pipeline.urls import looks_like_article

_STRONG_TYPES = frozenset(
    "Article NewsArticle BlogPosting ReportageNewsArticle AnalysisNewsArticle OpinionNewsArticle ReviewNewsArticle "
    "BackgroundNewsArticle ScholarlyArticle MedicalScholarlyArticle TechArticle Report LiveBlogPosting".split()
)
_FORUM_TYPES = frozenset({"QAPage", "DiscussionForumPosting"})
_SHOP_TYPES = frozenset(
    {"Product", "ProductGroup", "ProductCollection", "OfferCatalog", "IndividualProduct", "ProductModel"}
)
_LIST_TYPES = frozenset({"CollectionPage", "SearchResultsPage", "ItemList"})
_BUSINESS_TYPES = frozenset({"LocalBusiness", "ProfessionalService", "Store", "Restaurant", "Hotel", "JobPosting"})

_ARTICLE_PATH = re.compile(
    r"/(?:blogs?|news|articles?|story|stories|posts?|(?:19|20)\d\d|guides?|insights?|resources?|learn|features?|opinion|magazine|reviews?|culture|recipes|tips"
    r"|how-to|publications?|press|politics|world|business|sports?|science|health|advice|essays?|columns?|notes)(?:/|-)",
    re.IGNORECASE,
)
_FORUM_PATH = re.compile(
    r"/(?:forums?|message-?boards?|viewforum|threads?|topics?/\d|showthread|showtopic|viewtopic|discussions?/\d|t/[^/]+/\d+|comments/\w{5,}|questions?/\d+)",
    re.IGNORECASE,
)
_FORUM_HOST = re.compile(r"(?:forums?|community|discuss(?:ions?)?|answers)\.")
_SHOP_PATH = re.compile(
    r"/(?:products?|sku|deals|cart|basket|checkout|wishlist|dp|shop|store|buy|catalogs?|catalogue|collections?|categor(?:y|ies)|sub-?categor(?:y|ies)|browse|cat|cp|market|catpage[^/]*)(?:/|$)|/p/[^/]*\d{4,}",
    re.IGNORECASE,
)
_SHOP_HOST = re.compile(r"(?:shop|store|buy)\.")
_MANUAL_PATH = re.compile(
    r"/(?:docs?|documentation|reference|manuals?|handbook|api|apidocs|javadoc|sdk|kb|knowledge-?base|faqs?|wiki|support|tutorial|help)(?:/|$)",
    re.IGNORECASE,
)
_MANUAL_HOST = re.compile(r"(?:docs?|developers?|api|help|support)[.-]")
_OFFER_PATH = re.compile(
    r"/(?:services?|our-services|what-we-do|our-work|solutions?|pricing|plans|quote|demo|contact(?:-us)?|locations?|careers|testimonials|directory|movers|application-services|coupons[^/]*|features|platform|courses?)(?:/|$)",
    re.IGNORECASE,
)
_SECTION_END = re.compile(
    r"/(?:news|blog|articles|in-the-news|press|reviews|stories|schedule|listings?|categories)/?$", re.IGNORECASE
)
_CART = re.compile(
    r"\b(?:add to (?:cart|bag|basket)|add to my (?:cart|bag)|in den warenkorb|ajouter au panier|añadir al carrito|aggiungi al carrello)\b",
    re.IGNORECASE,
)

_ERROR_TITLE = re.compile(
    r"(?:error\s*)?(?:40[0134]|410|50[0234])\b.*|.{0,40}\b(?:page|article|story|content|site) (?:was |is |can ?not be |could ?n[o']t be )?(?:not found|unavailable|missing|no longer available)\b.*"
    r"|(?:page |file )?not found\b.*|access denied\b.*|forbidden\b.*|just a moment\.*|attention required.*|are you (?:a )?(?:human|robot).*|oops[!.,]?.*|(?:(?:we.re\s+)?sorry\W+)?(?:we\s+)?(?:can.?t|cannot|could\s?n.t|were unable to)\s+find\s+(?:that|this|the|your)\s+(?:page|article|story|content)\b.*|bad gateway.*|service unavailable.*"
    r"|(?:seite|artikel) nicht gefunden.*|page introuvable.*|página no encontrada.*|pagina non trovata.*",
    re.IGNORECASE,
)
_LOGIN_TITLE = re.compile(
    r"(?:log ?in|sign ?in|sign ?up|register|anmelden|einloggen|connexion|iniciar sesión|accedi|my account)\b.{0,40}",
    re.IGNORECASE,
)
_CONSENT = re.compile(
    r"\b(?:cookies?|consent|einwilligung|datenschutz|privacy (?:policy|preferences|settings|choices)|personal data|our partners|legitimate interest|gdpr|vie privée|personenbezogene)\b",
    re.IGNORECASE,
)
_PAYWALL = re.compile(
    r"\b(?:subscribe (?:now|today|to (?:continue|read|keep))|subscribers? only|already a subscriber|to (?:continue|keep) reading|(?:this|the) (?:article|content|story) is (?:for|only|reserved|exclusive)"
    r"|exclusive to subscribers|become a (?:member|subscriber)|start your (?:free )?trial|unlock this|log in to (?:read|continue)|(?:register|create (?:a|an|your) (?:free )?account) to (?:read|continue|keep)|create a free account|already have an account|jetzt (?:weiterlesen|abonnieren)|nur für abonnenten|réservé aux abonnés|solo para suscriptores)\b",
    re.IGNORECASE,
)
_SCRIPT_WANTED = re.compile(
    r"\b(?:enable|activate|turn on|requires?|without) javascript\b|\bjavascript (?:is )?(?:disabled|required)\b",
    re.IGNORECASE,
)
_PRICE = re.compile(r"[$€£]\s?\d|\d\s?[€£]")
_MOST_PRICES = 10
_TRADEMARK = re.compile("[®™]")
_PHONE = re.compile(r"\(\d{3}\)\s?\d{3}|\b\d{3}[-.]\d{3}[-.]\d{4}\b")
_EXPLAINS = re.compile(
    r"\?$|(?:^|[:|–—-]\s*)(?:how|what|why|when|who|where)\b|\b(?:how to|what is|what are|guide to|tips for|explained)\b",
    re.IGNORECASE,
)
_OUTSIDE_LINKS = 0.2
_MOST_TEASERS = 0.7
_STUB = 1_500  # characters below which a text may be nothing but a notice


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a page's being an article, gathered on the way."""

    has_date: bool
    has_authors: bool
    dated_by_address: bool = False
    link_share: float = 0.0


def refuse_by_statements(stated: Structured, url: str | None, headline: str, evidence: Evidence) -> None:
    """Raise ArticleRejected for a page that is no article by its address and by what it says of itself."""
    # The address keeps its date when the story is gone.
    dated = evidence.has_date and not (evidence.dated_by_address and not evidence.has_authors)
    if _ERROR_TITLE.fullmatch(headline.strip()) and not dated:
        raise ArticleRejected(Reason.ERROR_PAGE, f"its title is {headline[:80]!r}")
    own_article = calls_itself_article(stated)
    types = stated.types
    kind = (stated.first_meta("og:type") or "").lower()
    if not own_article and types & _FORUM_TYPES:
        raise ArticleRejected(
            Reason.NOT_AN_ARTICLE, f"a forum thread (JSON-LD {', '.join(sorted(types & _FORUM_TYPES))})"
        )
    if not own_article and (types & _SHOP_TYPES or kind.startswith("product")):
        raise ArticleRejected(Reason.NOT_AN_ARTICLE, "a shop's page (it describes a product)")
    if not own_article and kind in ("video.other", "video.movie", "video.episode") and not evidence.has_authors:
        raise ArticleRejected(Reason.VIDEO_ONLY, f"og:type is {kind}")
    if url is None:
        return
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path
    if not own_article and not evidence.has_authors:
        if _LOGIN_TITLE.fullmatch(headline.strip()) and not evidence.has_date:
            raise ArticleRejected(Reason.LOGIN_PAGE, f"its title is {headline[:80]!r}")
        looks = looks_like_article(url)
        if looks in (Reason.HOME_PAGE, Reason.LOGIN_PAGE):
            raise ArticleRejected(looks, f"by its address {path or '/'}")
    if looks_like_article(url) is Reason.HOME_PAGE and not own_article and kind != "article":
        raise ArticleRejected(Reason.HOME_PAGE, f"by its address {path or '/'}")
    if _FORUM_PATH.search(path) or (_FORUM_HOST.match(host) and not own_article):
        raise ArticleRejected(Reason.NOT_AN_ARTICLE, "a forum thread, by its address")
    if own_article:
        return
    # A dated page whose address spells out a headline is a story, in whatever part of the site it lies ("/market/…").
    sure = evidence.has_date and (evidence.has_authors or _spells_headline(path))
    if _SHOP_HOST.match(host) or (_SHOP_PATH.search(path) and not sure):
        raise ArticleRejected(Reason.SECTION_PAGE, "a shop's or catalogue's page, by its address")
    manual = _MANUAL_HOST.match(host) or _MANUAL_PATH.search(path)
    if manual and not sure and not re.search(r"/(?:blog|story|news)", path):
        raise ArticleRejected(Reason.NOT_AN_ARTICLE, "a page of a manual")
    if _OFFER_PATH.search(path) and not sure and not _ARTICLE_PATH.search(path):
        raise ArticleRejected(Reason.NOT_AN_ARTICLE, "a page about an offer, by its address")
    if _SECTION_END.search(path) and not evidence.has_authors:
        raise ArticleRejected(Reason.SECTION_PAGE, "a list of articles, by its address")
    if types & _LIST_TYPES and not (evidence.has_authors or evidence.has_date):
        raise ArticleRejected(Reason.SECTION_PAGE, f"a list (JSON-LD {', '.join(sorted(types & _LIST_TYPES))})")
    if types & _BUSINESS_TYPES and not evidence.has_authors:
        raise ArticleRejected(Reason.NOT_AN_ARTICLE, "a page about a business")


def refuse_by_text(
    tree: HtmlElement,
    stated: Structured,
    url: str | None,
    headline: str,
    text: str,
    settings: ExtractSettings,
    evidence: Evidence,
) -> None:
    """Raise ArticleRejected for a page whose text is no article's."""
    length = columns(text)
    own_article = calls_itself_article(stated)
    if length < _STUB:
        visible = " ".join(" ".join(tree.itertext()).split())[:5_000]
        if length < settings.min_characters and _SCRIPT_WANTED.search(visible):
            raise ArticleRejected(Reason.NO_TEXT, "the page wants JavaScript to show its text")
        words = max(1, len(text.split()))
        about_consent = len(_CONSENT.findall(text)) > max(2, words // 25)
        if about_consent and not (evidence.has_authors or (own_article and evidence.has_date)):
            raise ArticleRejected(Reason.CONSENT_PAGE, "the text is about cookies and consent")
        if (len(_PAYWALL.findall(visible)) >= 1 and length < 600 and _says_paid(stated)) or len(
            _PAYWALL.findall(text)
        ) >= 2:
            raise ArticleRejected(Reason.PAYWALL_STUB, f"{length} characters in front of a paywall")
        if length < 600 and (stated.types & {"VideoObject"}) and not own_article and not evidence.has_authors:
            raise ArticleRejected(Reason.VIDEO_ONLY, "a video with a short description")
    if not text:
        raise ArticleRejected(Reason.NO_TEXT, "the page holds no text of an article")
    if length < settings.min_characters:
        raise ArticleRejected(
            Reason.TOO_SHORT,
            f"{length} characters, the setting extract.min_characters asks for {settings.min_characters}",
        )
    if length < _STUB and _all_links(tree, text):
        raise ArticleRejected(Reason.SECTION_PAGE, "its text is nothing but links")
    if own_article:
        return
    looks = looks_like_article(url) if url is not None else None
    if url is not None and looks is Reason.SECTION_PAGE and not evidence.has_authors and not _reads_like_article(text):
        raise ArticleRejected(looks, f"a list of articles, by its address {urlsplit(url).path}")
    if (
        evidence.link_share > 0.4
        and length < 3_000
        and not (evidence.has_authors and evidence.has_date)
        and not _reads_like_article(text)
    ):
        raise ArticleRejected(Reason.SECTION_PAGE, f"{evidence.link_share:.0%} of its text are links")
    slug = url is not None and _spells_headline(urlsplit(url).path)
    if not slug and (share := teaser_share(tree, text)) >= _MOST_TEASERS:
        raise ArticleRejected(Reason.SECTION_PAGE, f"{share:.0%} of its text are teasers of other stories")
    if url is None:
        return
    if not evidence.has_authors and _CART.search(tree.text_content()):
        raise ArticleRejected(Reason.NOT_AN_ARTICLE, "a shop's page (something can be put in a cart)")
    if evidence.has_authors or evidence.has_date:
        return
    if _TRADEMARK.search(headline) or _PHONE.search(headline):
        raise ArticleRejected(Reason.NOT_AN_ARTICLE, f"an offer: its title is {headline[:80]!r}")
    # Articles about prices name them in their text; shops beside it.
    if len(_PRICE.findall(tree.text_content())) - len(_PRICE.findall(text)) >= _MOST_PRICES:
        raise ArticleRejected(Reason.NOT_AN_ARTICLE, "a shop's page (it lists prices)")
    if not _sounds_like_article(url, headline, tree.findtext(".//title") or "", text):
        raise ArticleRejected(
            Reason.NOT_AN_ARTICLE, "nothing says that it is one: no date, no author, no headline in its address"
        )


def calls_itself_article(stated: Structured) -> bool:
    """Whether the page's JSON-LD calls it an article of some kind, with a date or an author."""
    node = stated.article
    return bool(_STRONG_TYPES & set(types_of(node))) and any(
        node.get(key) for key in ("datePublished", "author", "dateCreated")
    )


def _all_links(tree: HtmlElement, text: str) -> bool:
    """Whether hardly a word of a text stands outside the page's links."""
    links = {" ".join(link.text_content().split()) for link in tree.iter("a")}
    left = " ".join(text.split())
    for link in sorted(links, key=lambda link: (-len(link), link)):
        if len(link) >= 2:
            left = left.replace(link, "")
    return len(re.sub(r"[\W_]+", "", left)) < _OUTSIDE_LINKS * len(re.sub(r"[\W_]+", "", text))


def _says_paid(stated: Structured) -> bool:
    value = stated.article.get("isAccessibleForFree")
    return value is not None and str(value).lower().endswith("false")


@dataclass(frozen=True, slots=True)
class _Prose:
    """How much of a text is in paragraphs, and how long these are on average."""

    share: float
    average: float
    paragraphs: int


def _prose(text: str) -> _Prose:
    lengths = [length for block in text.split("\n\n") if (length := columns(block)) >= PROSE_LENGTH]
    return _Prose(sum(lengths) / max(1, columns(text)), sum(lengths) / max(1, len(lengths)), len(lengths))


def _spells_headline(path: str) -> bool:
    return path.rstrip("/").rpartition("/")[2].count("-") >= 4


def _reads_like_article(text: str) -> bool:
    """Whether a text is nearly all long paragraphs; pages that sell or list something are cut small."""
    prose = _prose(text)
    return prose.share >= 0.9 and prose.average >= 220 and prose.paragraphs >= 3


def _sounds_like_article(url: str, headline: str, page_title: str, text: str) -> bool:
    if _reads_like_article(text):
        return True
    share = _prose(text).share
    path = urlsplit(url).path
    slug = max((segment.count("-") for segment in path.split("/")), default=0) >= 3 or _ARTICLE_PATH.search(f"{path}/")
    if slug or any(_EXPLAINS.search(title.strip()) for title in (headline, page_title)):
        return share >= 0.72
    return len(headline.split()) >= 6 and share >= 0.88

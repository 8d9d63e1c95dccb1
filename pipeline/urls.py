"""Canonical URLs, registered domains and document ids. Pure: no network, no clock.

Two levels of sameness are kept apart. ``canonicalize`` changes only what leaves an address that still opens in
a browser. ``document_id`` goes one step further and also ignores ``www.`` and a closing slash, which sites
treat alike but which a link should keep as the site writes it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
from functools import cache
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urljoin

import idna
import tldextract

from pipeline.errors import Reason

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Parameters that say how a reader came, never what is shown. Prefixes end in "_" or "-".
_TRACKING_PREFIXES = (
    "utm_",
    "utm-",
    "pk_",
    "mtm_",
    "piwik_",
    "matomo_",
    "hsa_",
    "at_",
    "wt_",
    "sc_",
    "ns_",
    "oly_",
    "vero_",
    "trk_",
)
_TRACKING = frozenset(
    [
        "_ga",
        "_gac",
        "_gl",
        "_hsenc",
        "_hsmi",
        "_openstat",
        "action_object_map",
        "action_ref_map",
        "action_type_map",
        "campaign_id",
        "cmpid",
        "cmp",
        "cid_source",
        "dclid",
        "dm_i",
        "ef_id",
        "epik",
        "fb_action_ids",
        "fb_action_types",
        "fb_ref",
        "fb_source",
        "fbclid",
        "gbraid",
        "gclid",
        "gclsrc",
        "gs_l",
        "guce_referrer",
        "guce_referrer_sig",
        "guccounter",
        "icid",
        "igshid",
        "igsh",
        "int_cmp",
        "intcmp",
        "ito",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "msclkid",
        "mbid",
        "ncid",
        "ocid",
        "partner_source",
        "rb_clickid",
        "ref_src",
        "ref_url",
        "referer",
        "referrer",
        "s_cid",
        "s_kwcid",
        "share_id",
        "smid",
        "smtyp",
        "spm",
        "srnd",
        "taid",
        "tblci",
        "traffic_source",
        "twclid",
        "ttclid",
        "twitter_impression",
        "wbraid",
        "wickedid",
        "xtor",
        "yclid",
        "ysclid",
        "zanpid",
        "cmpid",
        "rss_id",
        "sref",
        "soc_src",
        "soc_trk",
        "smi",
        "at_medium",
        "at_campaign",
        "amp_js_v",
        "amp_gsa",
        "usqp",
        "srsltid",
    ]
)
# Ambiguous names: dropped only where the value says that they are about the way here.
_TRACKING_VALUES = {
    "ref": re.compile(
        r"(rss|feed|home(page)?|hp|front(page)?|tw(itter)?|fb|facebook|nl|newsletter|google|share|social|app|mail)",
        re.IGNORECASE,
    ),
    "source": re.compile(
        r"(rss|feed|twitter|facebook|newsletter|google|share|social|app|mail|flipboard)", re.IGNORECASE
    ),
    "from": re.compile(r"(rss|feed|home(page)?|twitter|facebook|newsletter|google|share|social)", re.IGNORECASE),
    "amp": re.compile(r"(1|true|yes)?", re.IGNORECASE),
    "outputtype": re.compile(r"amp", re.IGNORECASE),
    "output": re.compile(r"amp", re.IGNORECASE),
    "m": re.compile(r"1"),
    "sid": re.compile(r"[0-9a-f]{16,}", re.IGNORECASE),
    "s": re.compile(r"[0-9a-f]{32}", re.IGNORECASE),
}
_SESSION = frozenset(
    [
        "phpsessid",
        "jsessionid",
        "aspsessionid",
        "asp.net_sessionid",
        "sessionid",
        "session_id",
        "cfid",
        "cftoken",
        "zenid",
        "oscsid",
    ]
)
_SESSION_IN_PATH = re.compile(r";(jsessionid|phpsessid|sid)=[^/;?]*", re.IGNORECASE)

_MOBILE_LABELS = frozenset({"m", "mobile", "mobil", "amp", "touch"})
_AMP_CACHE_PATH = re.compile(r"^/(?:amp|[a-z])/(s/)?([^/]+\.[^/]+)(/.*)?$", re.IGNORECASE)

_MEDIA_FILE = re.compile(
    r"\.(jpe?g|png|gif|webp|avif|svg|ico|bmp|tiff?|mp3|m4a|ogg|wav|mp4|m4v|webm|mov|avi|m3u8|pdf|zip|gz|rar|7z|exe|dmg|apk"
    r"|css|js|json|xml|rss|atom|ics|epub|docx?|xlsx?|pptx?|woff2?|ttf)$",
    re.IGNORECASE,
)
_SECTION_WORDS = frozenset(
    [
        "tag",
        "tags",
        "tagged",
        "topic",
        "topics",
        "category",
        "categories",
        "author",
        "authors",
        "autor",
        "autoren",
        "auteur",
        "section",
        "sections",
        "rubrik",
        "rubriken",
        "thema",
        "themen",
        "schlagwort",
        "archive",
        "archives",
        "archiv",
        "search",
        "suche",
        "recherche",
        "keyword",
        "keywords",
    ]
)
_VIDEO_WORDS = frozenset({"video", "videos", "watch", "livetv", "live-tv", "mediathek"})
_VIDEO_HOSTS = frozenset({"youtube.com", "youtu.be", "vimeo.com", "dailymotion.com", "tiktok.com"})
_LOGIN_WORDS = frozenset(
    [
        "login",
        "log-in",
        "signin",
        "sign-in",
        "logout",
        "signup",
        "sign-up",
        "register",
        "registration",
        "subscribe",
        "anmelden",
        "anmeldung",
        "connexion",
        "wp-login.php",
        "password-reset",
        "forgot-password",
    ]
)
_FEED_WORDS = frozenset({"feed", "feeds", "rss", "rss2", "atom"})
_HOME_WORDS = re.compile(r"(index|home|default|homepage|startseite|start|accueil)(\.[a-z]{3,5})?", re.IGNORECASE)
_LANGUAGE_WORD = re.compile(r"[a-z]{2}([-_][a-z]{2})?", re.IGNORECASE)
_BAD_IN_HOST = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^`{|}\"']")


def canonicalize(url: str) -> str:
    """The one form of ``url`` that all its common spellings share, still good to open in a browser.

    Lower-case scheme and host, IDNA host, no credentials, no default port, no fragment, dot segments resolved, percent
    escapes in their plainest form (RFC 3986 section 6.2), sorted query without tracking and session parameters, the
    publisher's page in place of its AMP or mobile twin; ``http`` on the default port becomes ``https``.

    Raises ValueError for anything but an absolute http(s) URL with a usable host.

    >>> canonicalize("HTTP://User:pw@M.Example.com:80/a/../Story?utm_source=x&b=2&a=1#top")
    'https://example.com/Story?a=1&b=2'
    """
    parts = split(url)
    scheme, host, port, path = parts.scheme, parts.hostname or "", parts.port, parts.path or "/"
    query = parts.query
    if inner := _behind_amp_cache(host, path):
        return canonicalize(f"{inner}?{query}" if query else inner)
    if port == _DEFAULT_PORTS[scheme]:
        port = None
    if scheme == "http" and port is None:
        scheme = "https"
    host = _without_mobile_label(host)
    path = _canonical_path(path)
    query = _canonical_query(query)
    # A hash-bang fragment is the address of a page on sites of that fashion; other fragments are places in a page.
    fragment = f"#{parts.fragment}" if parts.fragment.startswith("!") else ""
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}{f':{port}' if port is not None else ''}{path}{f'?{query}' if query else ''}{fragment}"


def split(url: str) -> SplitResult:
    """Split an absolute http(s) URL as browsers do (WHATWG URL: backslashes, tabs, odd IPv4, IDNA); drops credentials.

    Raises ValueError, with a message that never repeats credentials.
    """
    text = re.sub(r"[\t\r\n]", "", url.strip("".join(map(chr, range(0x21)))))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("not a URL: it holds broken characters") from None
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise ValueError("not an absolute URL: it has no scheme such as https:")
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"the scheme {scheme!r} is not http or https")
    head, mark, tail = re.match(r"([^?#]*)([?#]?)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    head = head.replace("\\", "/")
    if not head.startswith("//"):
        raise ValueError("not an absolute URL: it has no host")
    authority, slash, path = head[2:].partition("/")
    authority = authority.rpartition("@")[2]
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?", authority)
    if match is None:
        raise ValueError("the host or port of the URL is malformed")
    host = _canonical_host(match[1])
    port = int(match[2]) if match[2] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"port {port} is out of range")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc += f":{port}"
    query, _, fragment = tail.partition("#") if mark == "?" else ("", "", tail)
    return SplitResult(scheme, netloc, f"{slash}{path}", query, fragment)


def request_url(url: str) -> str:
    """``url`` as it is to be asked for: host spelled plainly, no credentials, no fragment, odd characters escaped.

    Unlike ``canonicalize`` it asks for the same thing. Raises ValueError like ``split``.
    """
    parts = split(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~[]|")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=-._~[]|?{}^`")
    return f"{parts.scheme}://{parts.netloc}{path}{f'?{query}' if query else ''}"


def without_credentials(url: str) -> str:
    """``url`` without user and password, otherwise untouched; safe on anything, for logs and messages."""
    return re.sub(r"^(\s*[A-Za-z][A-Za-z0-9+.-]*:[\\/]{2,})[^\\/?#]*@", r"\1", url)


def host_of(url: str) -> str:
    """The host of an http(s) URL, lower-case, IDNA. Raises ValueError like ``split``."""
    return split(url).hostname or ""


def registered_domain(url: str) -> str | None:
    """The part of the host that its owner registered (``bbc.co.uk``), by the public suffix list within tldextract.

    None for IP addresses, single names such as ``localhost``, and what is no URL. Private suffixes count
    (``a.blogspot.com`` and ``b.blogspot.com`` have two owners). A top-level domain that the list doesn't know is taken
    to be a suffix of one label, as the list's own default rule says.
    """
    try:
        host = host_of(url)
    except ValueError:
        return None
    return registered_domain_of_host(host)


@cache
def _extractor() -> tldextract.TLDExtract:
    # Without URLs and without a cache folder it reads the snapshot in its own package and nothing else.
    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True)


def registered_domain_of_host(host: str) -> str | None:
    """``registered_domain`` for a bare host name."""
    if _is_address(host) or "." not in host:
        return None
    found = _extractor().extract_str(host)
    if not found.suffix or not found.domain:
        found = _extractor().extract_str(host, include_psl_private_domains=False)
    if found.suffix and found.domain:
        return found.top_domain_under_public_suffix
    if found.suffix:
        return None
    return ".".join(host.split(".")[-2:])


def document_id(canonical_url: str) -> str:
    """The id of the article at a canonical URL: 32 hex digits of a SHA-256.

    ``www.``, a closing slash and http or https make no difference.
    """
    key = re.sub(r"^https?://(www\.)?", "", canonical_url)
    base, mark, query = key.partition("?")
    return hashlib.sha256(f"url:{base.rstrip('/')}{mark}{query}".encode()).hexdigest()[:32]


def content_id(content_hash: str) -> str:
    """The id of an article without an address, from the hash of its content; never equal to a URL's id."""
    return hashlib.sha256(f"content:{content_hash}".encode()).hexdigest()[:32]


def looks_like_article(url: str) -> Reason | None:
    """Why ``url`` can't be an article, judged by its looks alone, or None where it may be one.

    Only what is sure by convention is turned away (home pages, tag and author lists, video and login pages, media
    files): a page fetched in vain costs less than an article lost.
    """
    try:
        parts = split(url)
    except ValueError:
        return Reason.BAD_URL
    segments = [part for part in unquote(parts.path).lower().split("/") if part]
    parameters = parse_qsl(_canonical_query(parts.query), keep_blank_values=True)
    query = [key for key, _ in parameters if key.lower() not in ("lang", "page")]
    domain = registered_domain_of_host(parts.hostname or "")
    if domain in _VIDEO_HOSTS:
        return Reason.VIDEO_ONLY
    if parts.fragment.startswith("!"):
        return None
    # /en/… and /de-at/… : the site in one language.
    inner = segments[1:] if segments and _LANGUAGE_WORD.fullmatch(segments[0]) else segments
    if not inner or (len(inner) == 1 and _HOME_WORDS.fullmatch(inner[0])):
        # "/?p=123" and "/index.php?id=7" are how many small sites address their articles.
        return None if query else Reason.HOME_PAGE
    first, last = inner[0], inner[-1]
    if last in _LOGIN_WORDS or (first in _LOGIN_WORDS and len(inner) <= 2):
        return Reason.LOGIN_PAGE
    if last in _FEED_WORDS or _MEDIA_FILE.search(last):
        return Reason.NOT_AN_ARTICLE_URL
    if len(inner) >= 2 and inner[-2] == "page" and last.isdigit():
        return Reason.SECTION_PAGE
    if first in _VIDEO_WORDS:
        return Reason.VIDEO_ONLY
    if first in _SECTION_WORDS and len(inner) <= 3 and not _names_a_story(last):
        return Reason.SECTION_PAGE
    return None


def believable_canonical(page_url: str | None, stated: str) -> str | None:
    """The canonical form of the address a page states as its own, or None where it is not to be believed.

    It is believed if it is on the page's own registered domain and no home or section page (templates often
    state those on every page by mistake), unless the page itself is one. Without ``page_url`` (a file) any
    address of an article is believed.
    """
    try:
        own = canonicalize(page_url) if page_url else None
        found = canonicalize(urljoin(own, stated.strip()) if own else stated)
    except ValueError:
        return None
    if own is not None:
        own_host, found_host = host_of(own), host_of(found)
        own_domain = registered_domain_of_host(own_host) or own_host
        if own_domain != (registered_domain_of_host(found_host) or found_host):
            return None
        if document_id(own) == document_id(found):
            return found
    return found if looks_like_article(found) is None else None


def _names_a_story(segment: str) -> bool:
    return (
        segment.count("-") >= 4 or re.search(r"\d{4,}", segment) is not None or bool(re.search(r"\.s?html?$", segment))
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _canonical_host(host: str) -> str:
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise ValueError("the IPv6 address of the URL is malformed") from None
    host = unquote(host).rstrip(".").lower()
    if not host:
        raise ValueError("not an absolute URL: it has no host")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii").lower()
        except idna.IDNAError:
            raise ValueError("the host name of the URL is not valid") from None
    if _BAD_IN_HOST.search(host) or ".." in host or host.startswith(".") or len(host) > 253:
        raise ValueError("the host name of the URL is not valid")
    last = host.rpartition(".")[2]
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        # WHATWG: a host that ends in a number is an IPv4 address in some spelling (0x7f.1, 2130706433), or nothing.
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            raise ValueError("the IPv4 address of the URL is malformed") from None
    if any(len(label) > 63 for label in host.split(".")):
        raise ValueError("the host name of the URL is not valid")
    return host


def _without_mobile_label(host: str) -> str:
    domain = registered_domain_of_host(host)
    if domain is None or host == domain:
        return host
    labels = [label for label in host.removesuffix(domain).rstrip(".").split(".") if label not in _MOBILE_LABELS]
    return ".".join([*labels, domain])


def _behind_amp_cache(host: str, path: str) -> str | None:
    google = host in ("www.google.com", "google.com") and path.startswith("/amp/")
    if not google and not host.endswith(".cdn.ampproject.org"):
        return None
    match = _AMP_CACHE_PATH.match(path)
    if match is None:
        return None
    return f"{'https' if match[1] else 'http'}://{match[2]}{match[3] or '/'}"


def _canonical_path(path: str) -> str:
    path = _SESSION_IN_PATH.sub("", path)
    # Decode what needs no escape, encode what does; "%2F" stays, as it is not the same as "/".
    path = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", path)
    path = re.sub(r"%([0-9A-Fa-f]{2})", _plainest_escape, path)
    path = quote(path, safe="/%:@!$&'()*+,;=-._~")
    kept: list[str] = []
    segments = path.split("/")[1:]
    for number, segment in enumerate(segments):
        if segment in (".", ".."):
            if segment == ".." and kept:
                kept.pop()
            if number == len(segments) - 1:
                kept.append("")
        elif segment or number == len(segments) - 1:
            kept.append(segment)
    path = "/" + "/".join(kept)
    return _without_amp(path)


def _plainest_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if re.fullmatch(r"[A-Za-z0-9._~-]", character) else match[0].upper()


def _without_amp(path: str) -> str:
    if path.startswith("/amp/") and len(path) > 6:
        return path[4:]
    if match := re.fullmatch(r"(.+?)(?:/amp/?|\.amp(?:\.html)?)", path):
        # Only after something that can be a story: "/technology/amp" may be the section on loudspeakers.
        story = match[1].rpartition("/")[2]
        if path.endswith((".html", ".amp")) or _names_a_story(story) or len(story) >= 16:
            return match[1] + (".html" if path.endswith(".amp.html") else "")
    return path


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    kept = []
    for key, value in parse_qsl(query, keep_blank_values=True, errors="surrogateescape"):
        name = key.lower().removeprefix("amp;")
        if name in _TRACKING or name in _SESSION or name.startswith(_TRACKING_PREFIXES):
            continue
        pattern = _TRACKING_VALUES.get(name)
        if pattern is not None and pattern.fullmatch(value):
            continue
        kept.append((key.removeprefix("amp;"), value))
    bare = "=" not in query
    encoded = urlencode(sorted(kept), errors="surrogateescape", safe="/:,@!~*'()", quote_via=quote)
    # "?123456" is not "?123456=" to every server.
    return encoded.removesuffix("=") if bare and encoded.endswith("=") else encoded

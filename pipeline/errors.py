"""What can go wrong, named by what happens next.

::

    NewsError                       base of every error this project raises on purpose
    ├── FatalError                  the command or run can't go on; a person must change something
    │   ├── ConfigurationError      a settings or sources file, an environment variable, an argument
    │   ├── NodeError               the embedded Elasticsearch node can't be had (see pipeline.localnode)
    │   └── UnbalancedRunError      a run's outcomes don't add up to what it discovered
    ├── RetriableError              the work is kept and tried again, by this run or the next
    │   ├── IndexUnavailableError   Elasticsearch does not answer, or answers 429/502/503/504 for too long
    │   ├── ArchiveUnavailableError the archive's storage can't be written or read
    │   └── SourceUnavailableError  a feed, sitemap, list or folder can't be read this time
    └── ArticleError                one article ends here, the run goes on
        ├── ArticleRejected         looked at and not wanted: outcome ``rejected(reason)``
        └── ArticleFailed           could not be worked on: outcome ``failed(reason)``
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an article was rejected or failed: the one vocabulary for events, reports, facets and alerts."""

    # What the source pointed at is not something to fetch.
    NOT_AN_ARTICLE_URL = "not_an_article_url"
    BAD_URL = "bad_url"
    SCHEME_NOT_ALLOWED = "scheme_not_allowed"
    PRIVATE_ADDRESS = "private_address"
    ROBOTS_DENIED = "robots_denied"
    ROBOTS_UNREACHABLE = "robots_unreachable"
    EXCLUDED = "excluded"
    FORGOTTEN = "forgotten"
    SOURCE_ITEM_BROKEN = "source_item_broken"
    # Fetching or loading it did not work.
    DNS = "dns"
    CONNECTION = "connection"
    TLS = "tls"
    TIMEOUT = "timeout"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    TOO_LARGE = "too_large"
    NOT_MODIFIED = "not_modified"
    HTTP_4XX = "http_4xx"
    HTTP_401 = "http_401"
    HTTP_403 = "http_403"
    HTTP_404 = "http_404"
    HTTP_410 = "http_410"
    HTTP_429 = "http_429"
    HTTP_5XX = "http_5xx"
    HTTP_OTHER = "http_other"
    HOST_RESTING = "host_resting"
    UNREADABLE = "unreadable"
    BROKEN_COMPRESSION = "broken_compression"
    BROKEN_RECORD = "broken_record"
    FILE_MISSING = "file_missing"
    PERMISSION = "permission"
    # What came back holds no article.
    EMPTY = "empty"
    NOT_HTML = "not_html"
    BINARY = "binary"
    NO_TEXT = "no_text"
    TOO_SHORT = "too_short"
    NOT_AN_ARTICLE = "not_an_article"
    HOME_PAGE = "home_page"
    SECTION_PAGE = "section_page"
    VIDEO_ONLY = "video_only"
    LOGIN_PAGE = "login_page"
    ERROR_PAGE = "error_page"
    CONSENT_PAGE = "consent_page"
    PAYWALL_STUB = "paywall_stub"
    BAD_JSON = "bad_json"
    # Working on it did not succeed.
    EXTRACT_ERROR = "extract_error"
    EXTRACT_TIMEOUT = "extract_timeout"
    ENRICH_ERROR = "enrich_error"
    INDEX_REFUSED = "index_refused"
    INDEX_UNAVAILABLE = "index_unavailable"
    ARCHIVE_UNAVAILABLE = "archive_unavailable"
    BATCH_INCOMPLETE = "batch_incomplete"


class NewsError(Exception):
    """Base of every error raised on purpose. ``hint`` says what the reader can do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class FatalError(NewsError):
    """The command or run can't go on; a person must change something first."""


class ConfigurationError(FatalError):
    """A settings or sources file, an environment variable or an argument is wrong."""


class NodeError(FatalError):
    """The embedded Elasticsearch node can't be had."""


class UnbalancedRunError(FatalError):
    """A run's outcomes don't add up to what it discovered."""


class RetriableError(NewsError):
    """The work is kept and tried again, by this run or the next."""


class IndexUnavailableError(RetriableError):
    """Elasticsearch does not answer, or keeps answering 429, 502, 503 or 504."""


class ArchiveUnavailableError(RetriableError):
    """The archive's storage can't be written or read."""


class SourceUnavailableError(RetriableError):
    """A source's own feed, sitemap, list or folder can't be read this time."""

    def __init__(self, message: str, *, reason: Reason, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class ArticleError(NewsError):
    """One article ends here; the run goes on."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[ArticleError], tuple[Reason, str]]:
        return type(self), (self.reason, self.detail)  # crosses process borders whole


class ArticleRejected(ArticleError):
    """The article was looked at and is not wanted."""


class ArticleFailed(ArticleError):
    """The article could not be worked on."""

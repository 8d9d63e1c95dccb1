"""The connection to Elasticsearch, and what its errors mean to this project.

Every request of ``pipeline.index`` and ``pipeline.search`` goes through ``call`` (or ``write``'s own rounds), so that
there is one place that waits and one that names errors. The client's own retries are off: they come without a pause
between them, and a bulk request that is sent twice behind our back would report conflicts with itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import elastic_transport
import stamina
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

from pipeline.errors import ConfigurationError, FatalError, IndexUnavailableError, NewsError
from pipeline.settings import ElasticsearchConnection

T = TypeVar("T")

BUSY = frozenset({429, 502, 503, 504})
"""HTTP statuses that pass by themselves: too many requests, and a node or proxy that is not there right now."""

TRANSPORT_ERRORS: Mapping[type[Exception], type[NewsError]] = {
    elastic_transport.ConnectionError: IndexUnavailableError,
    elastic_transport.ConnectionTimeout: IndexUnavailableError,
    elastic_transport.SniffingError: IndexUnavailableError,
    elastic_transport.TransportError: IndexUnavailableError,
    # Waiting mends no certificate.
    elastic_transport.TlsError: ConfigurationError,
    # A reply that is no JSON is not Elasticsearch's.
    elastic_transport.SerializationError: ConfigurationError,
    # The status decides, see ``translated``.
    elastic_transport.ApiError: FatalError,
}
"""What each error class of the client's transport becomes; the nearest base class counts."""


def connect(connection: ElasticsearchConnection | str, *, timeout_seconds: float = 60) -> Elasticsearch:
    """A client for ``connection`` (a URL stands for one without credentials). Sends nothing yet.

    With https the certificate is verified, against ``ca_certs`` where given. ``timeout_seconds`` is per request.
    Raises ConfigurationError where the address or the CA file is unusable.
    """
    if isinstance(connection, str):
        connection = ElasticsearchConnection(url=connection)
    options: dict[str, Any] = {}
    if connection.api_key:
        options["api_key"] = connection.api_key
    elif connection.username:
        options["basic_auth"] = (connection.username, connection.password or "")
    if connection.url.startswith("https://"):
        options["verify_certs"] = True
        if connection.ca_certs:
            if not Path(connection.ca_certs).exists():
                raise ConfigurationError(f"ELASTICSEARCH_CA_CERTS={connection.ca_certs!r}: there is no such file.")
            options["ca_certs"] = connection.ca_certs
    try:
        return Elasticsearch(
            _with_port(connection.url),
            request_timeout=timeout_seconds,
            max_retries=0,
            retry_on_timeout=False,
            **options,
        )
    except ValueError as error:
        raise ConfigurationError(
            f"{connection.url}: can't be used: {error}.",
            hint="Check ELASTICSEARCH_URL.",
        ) from error


def call(request: Callable[[], T], *, wait_seconds: float = 5) -> T:
    """Send one request, again with growing pauses while Elasticsearch is away or busy, for ``wait_seconds`` at most.

    Raises IndexUnavailableError after that, and what ``translated`` says for other errors of the client.
    """
    for attempt in retries(wait_seconds):
        with attempt:
            try:
                return request()
            except (elastic_transport.TransportError, elastic_transport.ApiError) as error:
                raise translated(error) from error
    raise AssertionError("unreachable")  # the last attempt returns or raises


def retries(wait_seconds: float) -> Any:
    """Attempts, by stamina, as long as IndexUnavailableError is raised and ``wait_seconds`` are not over."""
    return stamina.retry_context(
        on=IndexUnavailableError,
        attempts=None if wait_seconds > 0 else 1,
        timeout=wait_seconds if wait_seconds > 0 else None,
        wait_initial=0.2,
        wait_jitter=0.3,
        wait_max=10,
    )


def wait_until_ready(client: Elasticsearch, seconds: float) -> None:
    """Return as soon as the cluster answers and isn't red. Raises IndexUnavailableError after ``seconds``."""

    def health() -> None:
        status = client.cluster.health(filter_path="status")["status"]
        if status == "red":
            raise IndexUnavailableError(
                f"The cluster at {address(client)} is red: some index can't be read.",
                hint="See GET /_cluster/allocation/explain.",
            )

    call(health, wait_seconds=seconds)


def version(client: Elasticsearch) -> str:
    """The lowest version among the cluster's nodes. (``GET /`` doesn't exist on the embedded node.)"""
    nodes = call(lambda: client.nodes.info(filter_path="nodes.*.version"))["nodes"].values()
    return min(
        (str(node["version"]) for node in nodes), key=lambda text: [int(p) for p in text.split("-")[0].split(".")]
    )


def address(client: Elasticsearch) -> str:
    """Where the client connects to, without credentials."""
    return ", ".join(node.base_url for node in client.transport.node_pool.all())


def translated(error: Exception) -> NewsError:
    """What an error of the client means here: retry, or something that a person must change."""
    if isinstance(error, UnsupportedProductError):
        return ConfigurationError("What answers is not Elasticsearch.", hint="Check ELASTICSEARCH_URL.")
    if isinstance(error, elastic_transport.ApiError):
        status = error.meta.status
        if status in BUSY:
            return IndexUnavailableError(f"Elasticsearch answers {status}: {reason_of(error)}.")
        if status in (401, 403):
            return ConfigurationError(
                f"Elasticsearch answers {status}: {reason_of(error)}.",
                hint="Check ELASTICSEARCH_API_KEY (or ELASTICSEARCH_USER and …_PASSWORD) and its privileges.",
            )
        return FatalError(f"Elasticsearch refused a request ({status}): {reason_of(error)}.")
    for base in type(error).__mro__:
        if kind := TRANSPORT_ERRORS.get(base):
            hint = "Check ELASTICSEARCH_URL and ELASTICSEARCH_CA_CERTS." if kind is ConfigurationError else ""
            return kind(f"Elasticsearch can't be reached: {error}.", hint=hint)
    raise TypeError(f"{type(error).__name__} is no error of the Elasticsearch client") from error


def reason_of(error: elastic_transport.ApiError) -> str:
    """The innermost reason that Elasticsearch gives, in one line."""
    body = error.body
    if isinstance(error, ApiError) and isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        return describe(body["error"])
    return str(error.message).rstrip(".")


def describe(problem: Any) -> str:
    """An error object of Elasticsearch in one line: type and reason, with the innermost cause."""
    if not isinstance(problem, Mapping):
        return str(problem)
    roots = problem.get("root_cause") or []
    failed = [
        shard["reason"] for shard in problem.get("failed_shards") or [] if isinstance(shard.get("reason"), Mapping)
    ]
    start = failed[0] if failed else roots[0] if roots else problem
    said = [f"{start.get('type')}: {start.get('reason')}"]
    cause = start.get("caused_by") or problem.get("caused_by")
    while isinstance(cause, Mapping):
        reason = cause.get("reason")
        if reason and reason not in said[-1]:
            said.append(reason)
        cause = cause.get("caused_by")
    return "; ".join(said).rstrip(".")


def _with_port(url: str) -> str:
    # The client insists on a port; browsers, curl and people leave out the usual one.
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    if ":" not in host.rpartition("]")[2]:
        authority += ":443" if scheme == "https" else ":80"
    return f"{scheme}://{authority}{slash}{path}"

"""The connection, and what its errors become."""

from __future__ import annotations

import inspect
import socket

import elastic_transport
import pytest
from elasticsearch import ApiError, BadRequestError, Elasticsearch
from elasticsearch import exceptions as client_errors

from pipeline.errors import ConfigurationError, FatalError, IndexUnavailableError, NewsError
from pipeline.index.client import TRANSPORT_ERRORS, address, call, connect, translated, version, wait_until_ready
from pipeline.settings import ElasticsearchConnection


def _errors_of(module: object) -> list[type[Exception]]:
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and not issubclass(kind, Warning)
    ]


@pytest.mark.parametrize("kind", _errors_of(elastic_transport), ids=lambda kind: kind.__name__)
def test_each_transport_error_has_a_meaning(kind: type[Exception]) -> None:
    """No error of the transport reaches a user as a bare stack trace: a new class must be given a meaning here."""
    assert kind in TRANSPORT_ERRORS


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, FatalError),
        (401, ConfigurationError),
        (403, ConfigurationError),
        (404, FatalError),
        (409, FatalError),
        (429, IndexUnavailableError),
        (500, FatalError),
        (502, IndexUnavailableError),
        (503, IndexUnavailableError),
        (504, IndexUnavailableError),
    ],
)
def test_statuses_have_meanings(status: int, expected: type[NewsError]) -> None:
    """What passes by itself is tried again; what doesn't names what to change."""
    kind = client_errors.HTTP_EXCEPTIONS.get(status, ApiError)
    meta = elastic_transport.ApiResponseMeta(
        status=status,
        http_version="1.1",
        headers=elastic_transport.HttpHeaders(),
        duration=0,
        node=elastic_transport.NodeConfig("http", "localhost", 9200),
    )
    body = {"error": {"type": "some_exception", "reason": "it rains"}}
    error = translated(kind("some_exception", meta, body))
    assert type(error) is expected
    assert "it rains" in str(error)


def test_nobody_there_is_said_after_the_wait() -> None:
    """When nothing listens, the error says which address and that Elasticsearch is away, and it is retriable."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        client = connect(f"http://127.0.0.1:{port}")
        with pytest.raises(IndexUnavailableError, match="can't be reached"):
            wait_until_ready(client, 0.3)


def test_a_cluster_that_answers_is_ready(client: Elasticsearch) -> None:
    """The embedded node, which lacks ``GET /``, is found ready and tells its version."""
    wait_until_ready(client, 5)
    assert int(version(client).split(".")[0]) >= 9


def test_the_innermost_reason_is_told(client: Elasticsearch) -> None:
    """An error of Elasticsearch says what was wrong, not only that something was."""
    with pytest.raises(FatalError, match="unknown query \\[nonsense\\]"):
        call(lambda: client.search(query={"nonsense": {}}))


def test_errors_of_our_own_pass_through(client: Elasticsearch) -> None:
    """Only the client's errors are translated; anything else is somebody's mistake and stays visible."""

    def mistaken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        call(mistaken)
    with pytest.raises(TypeError):
        translated(KeyError("x"))
    assert issubclass(BadRequestError, elastic_transport.ApiError)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://search.example.com", "https://search.example.com:443"),
        ("http://search.example.com/es", "http://search.example.com:80/es"),
        ("http://[::1]", "http://[::1]:80"),
        ("http://127.0.0.1:9200", "http://127.0.0.1:9200"),
    ],
)
def test_the_usual_port_may_be_left_out(url: str, expected: str) -> None:
    """An address works the way one writes it in a browser."""
    assert address(connect(url)) == expected


def test_certificates_are_verified() -> None:
    """With https the certificate is checked, and a CA file that isn't there is named."""
    secure = connect("https://127.0.0.1:9")
    (node,) = secure.transport.node_pool.all()
    assert node.config.verify_certs is True
    with pytest.raises(ConfigurationError, match="ELASTICSEARCH_CA_CERTS"):
        connect(ElasticsearchConnection(url="https://127.0.0.1:9", ca_certs="/nowhere/ca.pem"))

"""Fixtures of the tests of index and search: a connection, and indices of their own in the session's Elasticsearch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import stamina
from elasticsearch import Elasticsearch

from pipeline.index import client as connection
from pipeline.index import templates
from pipeline.settings import IndexSettings

Dump = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture(scope="session")
def settings() -> IndexSettings:
    return IndexSettings()


@pytest.fixture(scope="session")
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    with connection.connect(elasticsearch_url) as client:
        connection.wait_until_ready(client, 60)
        yield client


@pytest.fixture(scope="session")
def installation(client: Elasticsearch, settings: IndexSettings) -> Iterator[str]:
    """A prefix with all templates in place."""
    prefix = f"t{uuid4().hex[:10]}"
    templates.set_up(client, settings, prefix)
    yield prefix
    remove(client, prefix)


@pytest.fixture
def prefix(client: Elasticsearch, installation: str) -> Iterator[str]:
    """The installation, empty of articles again after the test."""
    yield installation
    if indices := list(client.indices.get(index=installation, ignore_unavailable=True)):
        client.indices.delete(index=indices)


@pytest.fixture(autouse=True)
def with_retries() -> Iterator[None]:
    # Retrying is part of what these tests are about; it is bounded by each call's own wait_seconds.
    was = stamina.is_active()
    stamina.set_active(True)
    yield
    stamina.set_active(was)


@pytest.fixture
def dump(client: Elasticsearch, prefix: str) -> Dump:
    """All articles by id, each in one index only, with ``_index``."""

    def articles() -> dict[str, dict[str, Any]]:
        client.indices.refresh(index=prefix, ignore_unavailable=True)
        response = client.search(index=prefix, ignore_unavailable=True, size=10_000)
        found: dict[str, dict[str, Any]] = {}
        for hit in response["hits"]["hits"]:
            assert hit["_id"] not in found, f"{hit['_id']} stands in two indices"
            found[hit["_id"]] = {"_index": hit["_index"], **hit["_source"]}
        return found

    return articles


def remove(client: Elasticsearch, prefix: str) -> None:
    """Delete everything that an installation consists of."""
    indices = [name for name in client.indices.get(index=f"{prefix}*") if re.match(rf"{prefix}\b", name)]
    if indices:
        client.indices.delete(index=indices)
    client.indices.delete_index_template(name=f"{prefix}-*")
    client.cluster.delete_component_template(name=f"{prefix}@*")

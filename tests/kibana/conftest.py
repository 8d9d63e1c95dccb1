"""What the tests of the Kibana package share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import stamina
from kibana_standin import KibanaStandIn


@pytest.fixture(autouse=True)
def _no_kibana_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("KIBANA_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _with_retries() -> Iterator[None]:
    was = stamina.is_active()
    stamina.set_active(True)
    yield
    stamina.set_active(was)


@pytest.fixture
def kibana() -> Iterator[KibanaStandIn]:
    with KibanaStandIn() as standin:
        yield standin

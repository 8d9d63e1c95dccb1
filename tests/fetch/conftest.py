from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina
from newsworld.server import NewsServer, Reply

from pipeline.fetch import PoliteWeb
from pipeline.settings import FetchSettings


@pytest.fixture(autouse=True)
def _no_retries() -> Iterator[None]:
    """Retries are tried where a test asks for them, without their pauses."""
    stamina.set_testing(True, attempts=1)
    yield
    stamina.set_testing(False)


@pytest.fixture
def server() -> Iterator[NewsServer]:
    with NewsServer() as running:
        running.on("/robots.txt", Reply(status=404))
        yield running


@pytest.fixture
def fetch_settings() -> FetchSettings:
    return FetchSettings(
        contact="https://operator.example/bot",
        allow_loopback=True,
        delay_seconds=0,
        connect_timeout_seconds=2,
        timeout_seconds=2,
        total_timeout_seconds=4,
        max_bytes=200_000,
    )


@pytest.fixture
def make_web(tmp_path: Path, fetch_settings: FetchSettings) -> Iterator[Callable[..., PoliteWeb]]:
    opened: list[PoliteWeb] = []

    def make(**changes: object) -> PoliteWeb:
        settings = {k: changes.pop(k) for k in list(changes) if k in FetchSettings.model_fields}
        web = PoliteWeb(fetch_settings.model_copy(update=settings), tmp_path / "politeness", **changes)  # type: ignore[arg-type]
        opened.append(web)
        return web

    yield make
    for web in opened:
        web.close()


@pytest.fixture
def web(make_web: Callable[..., PoliteWeb]) -> PoliteWeb:
    return make_web()

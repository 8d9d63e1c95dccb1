"""What the tests of the search page share: an installation with the samples, a hostile article and something failed."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy
from fastapi.testclient import TestClient
from installation import REPOSITORY, Installation, installation_in, write_texts
from web_site import EVIL_ARTICLE, NAMES, SOURCES, AirflowSite

from pipeline.index.writer import write
from pipeline.localairflow import running
from pipeline.run import run_now
from pipeline.settings import load_settings
from pipeline.web.app import create_app


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives Chromium through a real Airflow")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, elasticsearch_url: str) -> Iterator[Installation]:
    """The samples with names found in them, an article that means harm, and a file that can't be read."""
    root = tmp_path_factory.mktemp("site")
    nlp = spacy.blank("xx", meta={"name": "names", "version": "1.0.0"})
    patterns = [{"label": label, "pattern": name} for label, names in NAMES.items() for name in names]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)  # type: ignore[attr-defined]
    nlp.to_disk(root / "model")
    with installation_in(root, elasticsearch_url, NEWS_ENTITIES__MODEL=str(root / "model")) as installation:
        installation.write_config(SOURCES)
        (installation.project / "plugins").symlink_to(REPOSITORY / "plugins")
        shutil.copytree(REPOSITORY / "config" / "samples", installation.project / "samples")
        (installation.project / "broken").mkdir()
        (installation.project / "broken" / "items.jsonl").write_text('{"headline": "cut off', encoding="utf-8")
        services = installation.services()
        for source in ("samples", "broken"):
            run_now(services, installation.request(source), installation.sources(), kind="news run")
        write(services.elasticsearch, [EVIL_ARTICLE], settings=services.settings.index, prefix=installation.prefix)
        yield installation


@pytest.fixture(scope="session")
def pages(site: Installation) -> Iterator[TestClient]:
    """The pages, as `news serve` has them."""
    with TestClient(create_app(site.services), raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


@pytest.fixture(scope="session")
def airflow_site(site: Installation) -> Iterator[AirflowSite]:
    """The one Airflow of these tests: standalone, with the plugin in its plugins folder."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    write_texts(site.project / "small", range(2))
    variables = {
        **site.environment,
        "NEWS_AIRFLOW__PORT": str(port),
        "KIBANA_URL": "https://kibana.example",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,reader:viewer",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("NEWS_", "ELASTICSEARCH_", "AIRFLOW_")):
                patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        with running(load_settings(variables), scheduled=False, say=print) as airflow:
            patch.undo()
            airflow.wait_for_dag("news_ingest")
            yield AirflowSite(airflow, site, airflow.trigger("news_ingest", {"sources": ["small"]}))


@pytest.fixture(scope="session")
def output() -> Path:
    """Where screenshots go; git ignores it."""
    folder = REPOSITORY / "test-output"
    folder.mkdir(exist_ok=True)
    return folder

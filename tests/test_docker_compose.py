"""docker-compose.yml, as far as it can be checked without an engine: by docker-compose's own reading of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The whole configuration with the secrets that `make env` writes, as docker-compose understands it."""
    tool = shutil.which("docker-compose")
    if tool is None:
        pytest.skip("docker-compose is not installed")
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(PROJECT / "docker-compose.yml", folder)
    shutil.copytree(PROJECT / "docker", folder / "docker")
    subprocess.run(["bash", folder / "docker" / "make-env.sh"], check=True, capture_output=True)
    assert (folder / ".env").stat().st_mode & 0o077 == 0, "others may read the secrets"
    answer = subprocess.run(
        [tool, "--profile", "workers", "config"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "COMPOSE_PROFILES": "workers"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    import yaml

    return yaml.safe_load(answer.stdout)


def test_every_secret_comes_from_the_generated_file(compose: dict) -> None:
    """No password stands in docker-compose.yml, and none is left empty but the keys of an object store of one's own."""
    for name, service in compose["services"].items():
        for key, value in (service.get("environment") or {}).items():
            if key.startswith("AWS_") and "KEY" in key:
                assert not value, f"{name}: {key}"
            elif "PASSWORD" in key or "SECRET" in key or key.endswith("KEY"):
                assert len(str(value)) >= 32, f"{name}: {key}"


def test_all_ports_are_bound_to_this_machine(compose: dict) -> None:
    """Nothing that compose starts is reachable from other machines."""
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(published) == 3
    for port in published:
        assert str(port).startswith("127.0.0.1:"), port


def test_every_image_is_pinned_and_every_service_limited(compose: dict) -> None:
    """No service follows a moving tag; those that stay running have a memory limit."""
    for name, service in compose["services"].items():
        tag = service["image"].partition(":")[2]
        assert tag, name
        assert tag != "latest", name
        if service.get("restart") == "unless-stopped":
            assert "mem_limit" in service, name


def test_airflow_writes_with_a_user_of_its_own_over_tls(compose: dict) -> None:
    """Airflow reaches Elasticsearch over TLS, verified, and never as the superuser."""
    environment = compose["services"]["airflow-scheduler"]["environment"]
    assert environment["ELASTICSEARCH_URL"].startswith("https://")
    assert environment["ELASTICSEARCH_CA_CERTS"]
    assert environment["ELASTICSEARCH_USER"] == "news_writer"
    assert json.dumps(environment).count(compose["services"]["elasticsearch"]["environment"]["ELASTIC_PASSWORD"]) == 0


def test_workers_on_celery_share_state_broker_and_secrets_with_the_rest(compose: dict) -> None:
    """With the profile "workers" there are a worker and a Redis with a password; the worker has what others have."""
    services = compose["services"]
    worker, scheduler = services["airflow-worker"], services["airflow-scheduler"]
    assert worker["environment"] == scheduler["environment"]
    assert worker["volumes"] == scheduler["volumes"]
    assert "redis" in worker["depends_on"]
    password = services["redis"]["environment"]["REDISCLI_AUTH"]
    assert len(password) >= 32
    assert f":{password}@redis:" in worker["environment"]["AIRFLOW__CELERY__BROKER_URL"]
    assert "container_name" not in worker  # so that --scale works
    assert "ports" not in services["redis"]


def test_the_dockerfile_makes_an_account_that_debian_does_not_have() -> None:
    """Debian has a user and a group named news: an image that makes them again is never built."""
    dockerfile = (PROJECT / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (\S+)$", dockerfile, re.M)
    assert f"groupadd --gid 50000 {user} " in dockerfile
    assert re.search(rf"useradd [^&]*--uid 50000 [^&]*{user} ", dockerfile)
    assert user != "news"

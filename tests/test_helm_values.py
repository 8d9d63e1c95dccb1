"""The values for the official Airflow chart, as far as they can be checked without it: every key is one that the chart
has, what Airflow is told is what docker-compose.yml tells it, and no secret stands there.

The keys are written down here by hand from the chart's parameter reference (1.21); the chart's own schema checks the
rest when it is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.schedule import BACKFILL_POOL, POOL
from pipeline.settings import load_settings

PROJECT = Path(__file__).resolve().parent.parent
RESOURCES = {"requests": {"cpu", "memory"}, "limits": {"cpu", "memory"}}
PART = {"enabled": ..., "replicas": ..., "resources": RESOURCES, "persistence": {"enabled", "size", "existingClaim"}}
ENABLED = {"enabled": ...}
CHART: dict[str, Any] = {
    "executor": ..., "airflowVersion": ..., "uid": ..., "gid": ..., "airflowHome": ...,
    "images": {"airflow": {"repository", "tag", "digest", "pullPolicy"}},
    "data": {"metadataSecretName", "resultBackendSecretName", "brokerUrlSecretName"},
    "fernetKeySecretName": ..., "apiSecretKeySecretName": ..., "jwtSecretName": ...,
    "secret": [{"envName", "secretName", "secretKey"}],
    "env": [{"name", "value"}],
    "volumes": [{"name": ..., "persistentVolumeClaim": {"claimName"}, "secret": {"secretName"}}],
    "volumeMounts": [{"name", "mountPath", "readOnly"}],
    "securityContexts": {
        "pod": {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup"}, "container": {"allowPrivilegeEscalation"},
    },
    "config": ...,
    "workers": {"kubernetes": {"resources": RESOURCES}, "celery": PART},
    "scheduler": PART, "apiServer": PART, "dagProcessor": PART, "triggerer": PART,
    "migrateDatabaseJob": {"enabled", "useHelmHooks", "command", "args"},
    "createUserJob": {"defaultUser": ENABLED},
    "postgresql": ENABLED, "redis": ENABLED, "statsd": ENABLED,
    "dags": {"persistence": ENABLED, "gitSync": ENABLED}, "logs": {"persistence": ENABLED},
}  # fmt: skip


def values(name: str) -> dict[str, Any]:
    loaded = yaml.safe_load((PROJECT / "deploy" / "helm" / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def unknown(given: Any, allowed: Any, path: str = "") -> Iterator[str]:
    """The paths in ``given`` that the chart does not have."""
    if allowed is ...:
        return
    if isinstance(allowed, list):
        for number, item in enumerate(given):
            yield from unknown(item, allowed[0], f"{path}[{number}]")
        return
    for key, value in given.items():
        if key not in allowed:
            yield f"{path}.{key}"
        elif isinstance(allowed, Mapping):
            yield from unknown(value, allowed[key], f"{path}.{key}")


@pytest.mark.parametrize("name", ["values.yaml", "celery.yaml"])
def test_every_key_is_one_of_the_chart(name: str) -> None:
    """A misspelled key would be passed over in silence, or refused by the chart's schema."""
    assert list(unknown(values(name), CHART)) == []


def test_airflow_is_told_what_compose_tells_it() -> None:
    """DAGs, plugins and pools are those of the image, wherever it runs."""
    helm, compose = values("values.yaml"), yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
    environment = compose["x-airflow"]["environment"]
    assert helm["config"]["core"]["plugins_folder"] == environment["AIRFLOW__CORE__PLUGINS_FOLDER"]
    bundles = yaml.safe_load(helm["config"]["dag_processor"]["dag_bundle_config_list"])
    assert bundles == yaml.safe_load(environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    migrate = " ".join(helm["migrateDatabaseJob"]["command"])
    for pool in (POOL, BACKFILL_POOL):
        assert f"airflow pools set {pool} " in migrate
    assert f"airflow=={helm['airflowVersion']}" in (PROJECT / "uv.lock").read_text().replace(
        'name = "apache-airflow"\nversion = "', "airflow=="
    )


def test_the_environment_is_one_that_the_pipeline_understands() -> None:
    """Each NEWS_ variable is a setting; archive and ledger are where all machines reach them."""
    helm = values("values.yaml")
    environment = {item["name"]: item["value"] for item in helm["env"]}
    settings = load_settings({**environment, "NEWS_LEDGER_URL": "postgresql+psycopg2://x"})
    assert settings.archive_url.startswith("s3://")
    assert settings.index.replicas == 1
    assert {item["envName"] for item in helm["secret"]} >= {"NEWS_LEDGER_URL", "ELASTICSEARCH_PASSWORD"}
    mounted = {mount["mountPath"] for mount in helm["volumeMounts"]}
    assert environment["NEWS_HOME"] in mounted
    assert str(Path(environment["ELASTICSEARCH_CA_CERTS"]).parent) in mounted
    assert {volume["name"] for volume in helm["volumes"]} == {mount["name"] for mount in helm["volumeMounts"]}


@pytest.mark.parametrize("name", ["values.yaml", "celery.yaml"])
def test_no_secret_stands_in_the_values(name: str) -> None:
    """Passwords and keys are named, never written down; the image is pinned, and nothing runs as root."""
    helm = values(name)
    for item in helm.get("env", []):
        assert not any(word in item["name"] for word in ("PASSWORD", "SECRET", "KEY", "TOKEN")), item
    assert not {"fernetKey", "apiSecretKey", "jwtSecret"} & set(helm)
    if name == "values.yaml":
        assert helm["images"]["airflow"]["tag"] != "latest"
        assert helm["securityContexts"]["pod"]["runAsNonRoot"] is True
        assert helm["uid"] == helm["securityContexts"]["pod"]["runAsUser"]

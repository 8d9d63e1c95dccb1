"""News search in Airflow's own pages: the search page behind Airflow's log-in, links from runs to their reports.

Only wiring: the pages are made by pipeline.web. Airflow shows them in a frame below the entry "News search" of its
navigation; /news/ leads to them without the frame. Who may open Airflow's pages may search; runs, sources and failures
need the permission to read DAG runs of the ingestion DAG. Where KIBANA_URL is set, the navigation has an entry for
Kibana, and reports lead to its dashboard of that run.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseOperatorLink

from pipeline.kibana.links import dashboards
from pipeline.schedule import DAG_ID

PREFIX = "/news"


def address(path: str) -> str:
    """The address of one of our pages, also where Airflow itself lives below a path."""
    return f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PREFIX}{path}"


def is_ours(dag_id: str) -> bool:
    """Whether a DAG ingests news: that of the default schedule, and those of schedules of their own."""
    return dag_id == DAG_ID or dag_id.startswith(f"{DAG_ID}.")


class RunReportLink(BaseOperatorLink):
    """A button on the tasks of an ingestion run that leads to the run's report."""

    name = "Run report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow calls it so
        """The report's address; nothing for other DAGs, whose tasks then show no such button."""
        if not is_ours(ti_key.dag_id):
            return ""
        return f"{address('/run')}?{urlencode({'dag_id': ti_key.dag_id, 'run_id': ti_key.run_id})}"


def kibana_views() -> list[dict[str, Any]]:
    """The entry for Kibana's dashboards, where the address of a Kibana is set; it opens in a tab of its own."""
    kibana = os.environ.get("KIBANA_URL", "")
    if not kibana.startswith(("http://", "https://")):
        return []
    return [{"name": "Kibana", "href": dashboards(kibana), "destination": "nav", "category": "browse"}]


def guarded_app() -> Any:
    """The pages behind Airflow's log-in and permissions."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag, requires_access_view
    from fastapi import Depends

    from pipeline.web.app import create_app

    return create_app(
        may_read=[Depends(requires_access_view(AccessView.WEBSITE))],
        may_operate=[Depends(requires_access_dag("GET", DagAccessEntity.RUN, param_dag_id=DAG_ID))],
        login_url=lambda path: get_auth_manager().get_url_login(next_url=path),
    )


class NewsSearchPlugin(AirflowPlugin):
    """Registers the pages, their entry in the navigation, a tab on DAG runs and a button on tasks."""

    name = "news_search"
    global_operator_extra_links = [RunReportLink()]  # noqa: RUF012 - Airflow reads these off the class
    external_views = [  # noqa: RUF012
        {
            "name": "News search",
            "href": address("/"),
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "news",
            "icon": address("/static/icon.svg"),
        },
        {
            "name": "News report",
            "href": f"{address('/run')}?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "news-report",
            "icon": address("/static/icon.svg"),
        },
        *kibana_views(),
    ]

    @cached_property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]
        """Made when the API server asks; schedulers and workers, which load plugins too, never do."""
        return [{"app": guarded_app(), "url_prefix": PREFIX, "name": "News search"}]

"""What the tested pages show: names, an article that means harm, sources; and a real Airflow over it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

import httpx2
from indexing.articles import NOON, document
from installation import Installation

from pipeline.localairflow import LocalAirflow

NAMES = {
    "PERSON": ["Helena Marquardt", "Lucía Ferrándiz", "Amara Okonjo-Reyes", "Idris Halloway"],
    "GPE": ["Hamburg", "Rotterdam", "Valencia", "Osaka", "Portmere", "Bergen", "Lisbon"],
    "ORG": ["European Commission", "Corvane Shipping", "Northbank Wire"],
}

EVIL = '<script>window.evil=1</script>"\'><img src=x onerror="window.evil=1">'
EVIL_URL = "javascript:window.evil=1//https://hostile.example/"
EVIL_ARTICLE = document(
    EVIL_URL,
    f"Hostile words about zeppelins. {EVIL} \ue000not found\ue001 </mark></p></main><em>zeppelins</em> \u202egnil.\n\n"
    f"{{{{ 7*7 }}}} {{% raw %}} &lt;script&gt; and {EVIL} again.",
    headline=f"Zeppelins {EVIL}",
    people=(EVIL,),
    authors=(EVIL,),
    keywords=(EVIL, "javascript:window.evil=1"),
    description=f"Lede {EVIL}",
    section=EVIL,
    publisher=EVIL,
    image=EVIL_URL,
    captions=(EVIL,),
    origins=(("headline", EVIL),),
    source="samples",
    published_at=NOON - timedelta(days=1),
)

SOURCES = """
[[source]]
id = "samples"
kind = "folder"
location = "samples"
schedule = "manual"

[[source]]
id = "broken"
kind = "folder"
location = "broken"
schedule = "manual"

[[source]]
id = "small"
kind = "folder"
location = "small"
schedule = "manual"
"""


@dataclass(frozen=True)
class AirflowSite:
    """A real Airflow over the installation, and one run of the source ``small`` that it has done."""

    airflow: LocalAirflow
    installation: Installation
    run_id: str

    @property
    def url(self) -> str:
        return self.airflow.url

    def token(self, username: str) -> dict[str, str]:
        """The header that logs a user of this Airflow in."""
        file = self.installation.home / "airflow" / "simple_auth_manager_passwords.json.generated"
        login = {"username": username, "password": json.loads(file.read_text())[username]}
        answer = httpx2.post(f"{self.url}/auth/token", json=login, trust_env=False, timeout=60)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

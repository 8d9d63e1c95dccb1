"""The connection to Kibana: where it is, how to log in, and a small client of the four APIs that setup needs.

Paths, headers and bodies are those of Kibana's published OpenAPI description: saved objects (``_export``,
``_import``), dashboards (stable since 9.5), spaces and status. Requests carry ``kbn-xsrf``; the Dashboards API is
versioned, so its requests say which version they mean.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import stamina

from pipeline.errors import ConfigurationError, FatalError, RetriableError

API_VERSION = "2023-10-31"
"""The one version that Kibana's public versioned APIs have."""

LOWEST_VERSION = (9, 5)
"""The Dashboards API is stable from here on."""

_BUSY = frozenset({429, 502, 503, 504})


class KibanaUnavailableError(RetriableError):
    """Kibana does not answer, or is not ready yet."""


class KibanaError(FatalError):
    """Kibana refuses what it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KibanaConnection:
    """How to reach a Kibana. Secrets are kept out of ``repr``."""

    url: str
    api_key: str | None = None
    username: str | None = None
    password: str | None = None
    ca_certs: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> KibanaConnection:
        """Read KIBANA_URL, KIBANA_API_KEY, KIBANA_USER, KIBANA_PASSWORD and KIBANA_CA_CERTS.

        Raises ConfigurationError where KIBANA_URL is missing or one of them can't be.
        """
        environment = os.environ if environment is None else environment
        url = environment.get("KIBANA_URL", "").strip().rstrip("/")
        if not url:
            raise ConfigurationError(
                "environment: KIBANA_URL is missing.",
                hint="For the Kibana of docker compose: KIBANA_URL=http://127.0.0.1:5601. "
                "Without a Kibana at hand, `news kibana export` writes a file to import.",
            )
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"environment: KIBANA_URL={url!r} must start with http:// or https://")
        user, password = environment.get("KIBANA_USER") or None, environment.get("KIBANA_PASSWORD") or None
        if (user is None) != (password is None):
            missing = "KIBANA_PASSWORD" if password is None else "KIBANA_USER"
            raise ConfigurationError(f"environment: {missing} is missing; a user and a password go together.")
        return cls(
            url=url,
            api_key=environment.get("KIBANA_API_KEY") or None,
            username=user,
            password=password,
            ca_certs=environment.get("KIBANA_CA_CERTS") or None,
        )

    def __repr__(self) -> str:
        how = "API key" if self.api_key else "user and password" if self.username else "no credentials"
        return f"KibanaConnection({self.url}, {how})"


class KibanaClient:
    """A client for one space. Use it as a context manager."""

    def __init__(self, connection: KibanaConnection, space: str, *, timeout_seconds: float = 60) -> None:
        self._base = connection.url if space == "default" else f"{connection.url}/s/{quote(space, safe='')}"
        self._connection = connection
        self._space = space
        headers = {"kbn-xsrf": "true"}
        if connection.api_key:
            headers["authorization"] = f"ApiKey {connection.api_key}"
        self._client = httpx2.Client(
            auth=(connection.username, connection.password or "")
            if connection.username and not connection.api_key
            else None,
            headers=headers,
            timeout=timeout_seconds,
            verify=_verification(connection),
            trust_env=False,
        )

    def __enter__(self) -> KibanaClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def version(self, *, wait_seconds: float = 0) -> str:
        """Kibana's version, as soon as it is available. Raises KibanaUnavailableError after ``wait_seconds``."""

        def ask() -> str:
            answer = self._send("GET", f"{self._connection.url}/api/status")
            if answer["status"]["overall"]["level"] in ("critical", "unavailable"):
                raise KibanaUnavailableError(f"The Kibana at {self._connection.url} is not ready yet.")
            return str(answer["version"]["number"])

        return _waiting(ask, wait_seconds)

    def require_space(self) -> None:
        """Raise ConfigurationError unless the space exists. (Setup makes no spaces: who sees what is yours to say.)"""
        if self._space == "default":
            return
        space = quote(self._space, safe="")
        if self._send("GET", f"{self._connection.url}/api/spaces/space/{space}", missing=None) is None:
            raise ConfigurationError(
                f"The Kibana at {self._connection.url} has no space {self._space!r}.",
                hint="Create it in Stack Management, Spaces.",
            )

    def saved_objects(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        """Those of the objects (type and id) that exist, with attributes and references."""
        left = list(wanted)
        for _ in range(2):
            if not left:
                return {}
            answer = self._request(
                "POST",
                f"{self._base}/api/saved_objects/_export",
                json={
                    "objects": [{"type": type_, "id": id_} for type_, id_ in left],
                    "excludeExportDetails": True,
                    "includeReferencesDeep": False,
                },
            )
            if answer.status_code == 200:
                found = [json.loads(line) for line in answer.text.splitlines() if line.strip()]
                return {(one["type"], one["id"]): one for one in found}
            # One object that isn't there fails the whole export; the answer names all that aren't.
            missing = _missing_objects(answer)
            if not missing:
                break
            left = [one for one in left if one not in missing]
        raise self._refusal(answer, "export")

    def import_objects(self, ndjson: bytes) -> None:
        """Create objects, or put them in the place of those with the same ids. Raises KibanaError if any is refused."""
        answer = self._request(
            "POST",
            f"{self._base}/api/saved_objects/_import",
            params={"overwrite": "true"},
            files={"file": ("news.ndjson", ndjson, "application/ndjson")},
        )
        if answer.status_code != 200:
            raise self._refusal(answer, "import")
        result = answer.json()
        problems = [
            f"{one.get('type')} {one.get('id')}: {one.get('error', {}).get('type')}" for one in result.get("errors", ())
        ]
        problems += [
            f"{one.get('type')} {one.get('id')}: Kibana gave it the id {one['destinationId']}, for another space has it"
            for one in result.get("successResults", ())
            if one.get("destinationId") not in (None, one.get("id"))
        ]
        if problems or not result["success"]:
            raise KibanaError(f"Kibana could not import everything: {'; '.join(problems) or 'it does not say why'}.")

    def dashboard(self, id_: str) -> dict[str, Any] | None:
        """The state of a dashboard (``data`` of the answer), or None where there is none.

        Where Kibana leaves out panels that its API doesn't know (a map that somebody added), it says so in
        ``warnings``, which come along: they tell the dashboard from what setup wrote.
        """
        path = f"{self._base}/api/dashboards/{quote(id_, safe='')}"
        answer = self._send("GET", path, versioned=True, missing=None)
        if answer is None:
            return None
        data: dict[str, Any] = answer["data"]
        if answer.get("warnings"):
            data = {**data, "warnings": answer["warnings"]}
        return data

    def put_dashboard(self, id_: str, body: Mapping[str, Any]) -> None:
        """Create a dashboard, or replace it wholly."""
        self._send("PUT", f"{self._base}/api/dashboards/{quote(id_, safe='')}", versioned=True, json=dict(body))

    def _send(self, method: str, url: str, *, versioned: bool = False, missing: Any = ..., **kwargs: Any) -> Any:
        headers = {"elastic-api-version": API_VERSION} if versioned else {}
        answer = self._request(method, url, headers=headers, **kwargs)
        if answer.status_code == 404 and missing is not ...:
            return missing
        if answer.status_code not in (200, 201):
            raise self._refusal(answer, f"{method} {answer.request.url.path}")
        try:
            return answer.json()
        except ValueError as error:
            raise ConfigurationError(
                f"{self._connection.url} answers with something that is no JSON.",
                hint="Check KIBANA_URL: it must be Kibana's address, not Elasticsearch's or a log-in page's.",
            ) from error

    def _request(self, method: str, url: str, **kwargs: Any) -> httpx2.Response:
        try:
            return self._client.request(method, url, **kwargs)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise ConfigurationError(f"KIBANA_URL={self._connection.url!r}: {error}") from error
        except httpx2.TransportError as error:
            if isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ConfigurationError(
                    f"The certificate of {self._connection.url} can't be verified: {error}",
                    hint="Name the file with its CA in KIBANA_CA_CERTS.",
                ) from error
            raise KibanaUnavailableError(
                f"The Kibana at {self._connection.url} does not answer: {error}.", hint="Is it running? See KIBANA_URL."
            ) from error

    def _refusal(self, answer: httpx2.Response, what: str) -> FatalError | RetriableError:
        said = _message(answer)
        where = f"The Kibana at {self._connection.url}"
        if answer.status_code in _BUSY:
            return KibanaUnavailableError(f"{where} is not ready ({answer.status_code}): {said}")
        if answer.status_code == 401:
            return ConfigurationError(
                f"{where} does not accept the log-in ({self._connection!r}).",
                hint="Set KIBANA_API_KEY, or KIBANA_USER and KIBANA_PASSWORD.",
            )
        if answer.status_code == 403:
            return ConfigurationError(
                f"{where} forbids this user: {what} ({said}).",
                hint="The user needs 'all' on Dashboard, Discover, Maps, Data View Management, Tag Management and "
                "Saved Objects Management in the space.",
            )
        return KibanaError(f"{where} refuses {what} ({answer.status_code}): {said}")


def _missing_objects(answer: httpx2.Response) -> set[tuple[str, str]]:
    try:
        named = answer.json().get("attributes", {}).get("objects", ())
    except ValueError:
        return set()
    return {(one["type"], one["id"]) for one in named if one.get("error", {}).get("statusCode") == 404}


def _message(answer: httpx2.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        return " ".join(answer.text.split())[:200] or answer.reason_phrase
    return str(content.get("message") or content) if isinstance(content, dict) else str(content)


def _verification(connection: KibanaConnection) -> ssl.SSLContext | bool:
    if connection.ca_certs is None:
        return True
    if not Path(connection.ca_certs).exists():
        raise ConfigurationError(f"KIBANA_CA_CERTS={connection.ca_certs!r}: there is no such file.")
    return ssl.create_default_context(cafile=connection.ca_certs)


def _waiting(ask: Callable[[], str], seconds: float) -> str:
    for attempt in stamina.retry_context(
        on=KibanaUnavailableError,
        attempts=None if seconds > 0 else 1,
        timeout=seconds if seconds > 0 else None,
        wait_initial=0.5,
        wait_max=5,
    ):
        with attempt:
            return ask()
    raise AssertionError("unreachable")  # the last attempt returns or raises

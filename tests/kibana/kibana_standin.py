"""KibanaStandIn: a loopback server that stands in for Kibana, which can't run where these tests run.

It is not Kibana. It enforces what Kibana's OpenAPI description and sources say about the requests that setup makes:
the kbn-xsrf header, the API version, log-in and rights, spaces, multipart imports of ``.ndjson`` files, conflicts,
missing references, ids that are unique across spaces, and the schemas in tests/data/kibana. Like Kibana it completes
dashboards with defaults before it stores them. It renders nothing.
"""

from __future__ import annotations

import base64
import copy
import json
import re
import threading
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from kibana_schemas import problems_of_dashboard, problems_of_saved_object

VERSION = "2023-10-31"
_DEFAULT_OPTIONS = {"auto_apply_filters": True, "hide_panel_titles": False, "use_margins": True, "sync_cursor": True}


class KibanaStandIn:
    """The server and what it holds: ``objects`` and ``dashboards`` by space, ``requests`` as (method, path)."""

    def __init__(self) -> None:
        self.version = "9.5.3"
        self.spaces = {"default"}
        self.api_key: str | None = None
        self.login: tuple[str, str] | None = None
        self.read_only = False
        self.not_ready_times = 0
        self.fail_dashboard_writes_after: int | None = None
        self.objects: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
        self.dashboards: dict[str, dict[str, dict[str, Any]]] = {}
        self.requests: list[tuple[str, str]] = []

    def __enter__(self) -> KibanaStandIn:
        standin = self

        class Handler(_Handler):
            kibana = standin

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Requests that change something."""
        return [(method, path) for method, path in self.requests if method == "PUT" or path.endswith("/_import")]

    def in_space(self, space: str = "default") -> dict[tuple[str, str], dict[str, Any]]:
        return self.objects.setdefault(space, {})

    def dashboards_in(self, space: str = "default") -> dict[str, dict[str, Any]]:
        return self.dashboards.setdefault(space, {})


class _Refused(Exception):
    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.message, self.more = status, message, more


class _Handler(BaseHTTPRequestHandler):
    kibana: KibanaStandIn

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.kibana.requests.append((self.command, path))
        try:
            status, answer = 200, self._answer(path, body)
        except _Refused as error:
            status, answer = error.status, {"statusCode": error.status, "message": error.message, **error.more}
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/ndjson" if isinstance(answer, bytes) else "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _answer(self, path: str, body: bytes) -> Any:
        self._check_login()
        if path == "/api/status":
            return self._status()
        if self.command != "GET" and not self.headers.get("kbn-xsrf"):
            raise _Refused(400, "Request must contain a kbn-xsrf header.")
        if found := re.fullmatch(r"/api/spaces/space/([^/]+)", path):
            if found[1] not in self.kibana.spaces:
                raise _Refused(404, "Not Found")
            return {"id": found[1], "name": found[1], "disabledFeatures": []}
        space, rest = "default", path
        if found := re.fullmatch(r"/s/([a-z0-9_-]+)(/.*)", path):
            space, rest = found[1], found[2]
        if space not in self.kibana.spaces:
            raise _Refused(404, "Not Found")
        if rest == "/api/saved_objects/_export" and self.command == "POST":
            self._check_version(None)
            return self._export(space, json.loads(body))
        if rest == "/api/saved_objects/_import" and self.command == "POST":
            self._check_version(None)
            self._check_rights()
            return self._import(space, body)
        if found := re.fullmatch(r"/api/dashboards/([^/]+)", rest):
            self._check_version(VERSION)
            if self.command == "GET":
                return self._get_dashboard(space, found[1])
            self._check_rights()
            return self._put_dashboard(space, found[1], json.loads(body))
        raise _Refused(404, "Not Found")

    def _check_login(self) -> None:
        given = self.headers.get("authorization")
        wanted = []
        if self.kibana.api_key:
            wanted.append(f"ApiKey {self.kibana.api_key}")
        if self.kibana.login:
            wanted.append("Basic " + base64.b64encode(":".join(self.kibana.login).encode()).decode())
        if wanted and given not in wanted:
            raise _Refused(401, "Unauthorized")

    def _check_rights(self) -> None:
        if self.kibana.read_only:
            raise _Refused(403, "Unable to bulk_create dashboard,index-pattern")

    def _check_version(self, wanted: str | None) -> None:
        # Kibana takes a request without a version, too; setup is held to saying it.
        given = self.headers.get("elastic-api-version")
        if given != wanted:
            raise _Refused(400, f"No version {given!r} available; available versions are: [{wanted}]")

    def _status(self) -> Any:
        if self.kibana.not_ready_times > 0:
            self.kibana.not_ready_times -= 1
            raise _Refused(503, "Kibana server is not ready yet")
        return {"version": {"number": self.kibana.version}, "status": {"overall": {"level": "available"}}}

    # ------------------------------------------------------------------------------------- saved objects

    def _export(self, space: str, request: dict[str, Any]) -> bytes:
        wanted = [(one["type"], one["id"]) for one in request["objects"]]
        held = self.kibana.in_space(space)
        missing = [
            {"type": type_, "id": id_, "error": {"statusCode": 404, "error": "Not Found"}}
            for type_, id_ in wanted
            if (type_, id_) not in held
        ]
        if missing:
            raise _Refused(400, "Error fetching objects to export", attributes={"objects": missing})
        return "\n".join(json.dumps(held[key]) for key in wanted).encode()

    def _import(self, space: str, body: bytes) -> Any:
        options = parse_qs(urlsplit(self.path).query)
        if set(options) - {"overwrite", "createNewCopies", "compatibilityMode"}:
            raise _Refused(400, f"[request query]: unknown {sorted(options)}")
        lines = self._uploaded(body)
        held = self.kibana.in_space(space)
        arriving = {(one["type"], one["id"]) for one in lines}
        errors, results = [], []
        for one in lines:
            key = (one["type"], one["id"])
            if problems := problems_of_saved_object(one):
                raise _Refused(400, f"{key}: {problems}")
            lost = [
                reference
                for reference in one["references"]
                if reference["type"] in ("index-pattern", "search")
                and (reference["type"], reference["id"]) not in arriving | set(held)
            ]
            if lost:
                errors.append({**_named(one), "error": {"type": "missing_references", "references": lost}})
            elif key in held and options.get("overwrite") != ["true"]:
                errors.append({**_named(one), "error": {"type": "conflict"}})
            elif key not in held and any(key in others for others in self.kibana.objects.values()):
                results.append({**_named(one), "destinationId": f"new-{one['id']}"})
            else:
                results.append(_named(one))
        if not errors:
            for one in lines:
                stored = {**copy.deepcopy(one), "typeMigrationVersion": "10.3.0"}
                held[one["type"], one["id"]] = stored
        return {
            "success": not errors,
            "successCount": 0 if errors else len(lines),
            "errors": errors,
            "successResults": results,
        }

    def _uploaded(self, body: bytes) -> list[dict[str, Any]]:
        kind = self.headers.get("content-type") or ""
        if not kind.startswith("multipart/form-data"):
            raise _Refused(415, "Unsupported Media Type")
        message = BytesParser(policy=HTTP).parsebytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + body)
        for part in message.iter_parts():
            if part.get_param("name", header="content-disposition") == "file":
                if not (part.get_filename() or "").endswith(".ndjson"):
                    raise _Refused(400, "Invalid file extension")
                content = part.get_payload(decode=True)
                return [json.loads(line) for line in content.decode().splitlines() if line.strip()]
        raise _Refused(400, "[request body.file]: expected value of type [Stream]")

    # ---------------------------------------------------------------------------------------- dashboards

    def _get_dashboard(self, space: str, id_: str) -> Any:
        held = self.kibana.dashboards_in(space)
        if id_ not in held:
            raise _Refused(404, f"A dashboard with ID [{id_}] was not found.")
        return {"id": id_, "data": copy.deepcopy(held[id_]), "meta": {"managed": False, "version": "WzEsMV0="}}

    def _put_dashboard(self, space: str, id_: str, body: dict[str, Any]) -> Any:
        kibana = self.kibana
        if kibana.fail_dashboard_writes_after is not None:
            kibana.fail_dashboard_writes_after -= 1
            if kibana.fail_dashboard_writes_after < 0:
                raise _Refused(503, "upstream connect error")
        if problems := problems_of_dashboard(body):
            raise _Refused(400, f"[request body]: {problems}")
        if any(id_ in held for name, held in kibana.dashboards.items() if name != space):
            raise _Refused(409, f"Saved object [dashboard/{id_}] conflict")
        kibana.dashboards_in(space)[id_] = _completed(body)
        return self._get_dashboard(space, id_)


def _named(one: dict[str, Any]) -> dict[str, Any]:
    return {"type": one["type"], "id": one["id"], "meta": {}}


def _completed(body: dict[str, Any]) -> dict[str, Any]:
    """The body with defaults, as the API gives it back."""
    full = copy.deepcopy(body)
    full["options"] = {**_DEFAULT_OPTIONS, **full.get("options", {})}
    for pinned in full.get("pinned_panels", []):
        if pinned["type"] == "options_list_control":
            pinned["config"] = {"search_technique": "wildcard", "single_select": False, **pinned["config"]}
    for panel in full.get("panels", []):
        config = panel["config"]
        for layer in config.get("layers", [config] if panel["type"] == "vis" else []):
            layer.setdefault("sampling", 1)
            layer.setdefault("ignore_global_filters", False)
    return full

"""FullClusterStandIn: what a full cluster has beyond the embedded node, in front of that real node.

It is not index lifecycle management and takes no snapshots. It answers the requests for these two as their reference
says, refuses what the reference forbids, and keeps what it was told; everything else goes on to the real Elasticsearch.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_ROLLOVER = {
    *("max_age", "max_docs", "max_size", "max_primary_shard_size", "max_primary_shard_docs"),
    *("min_age", "min_docs", "min_size", "min_primary_shard_size", "min_primary_shard_docs"),
}


class FullClusterStandIn:
    """Policies by name, the lifecycle settings of each index, the snapshots in each repository."""

    def __init__(self, elasticsearch_url: str, *, repositories: tuple[str, ...] = ()) -> None:
        parts = urlsplit(elasticsearch_url)
        self.target = (parts.hostname or "", parts.port)
        self.policies: dict[str, dict[str, Any]] = {}
        self.managed: dict[str, dict[str, str]] = {}
        self.snapshots: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in repositories}
        self.without_rights: set[str] = set()

    def __enter__(self) -> Self:
        standin = self

        class Handler(_Handler):
            cluster = standin

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any] | None:
        """The answer to a request for lifecycles or snapshots; None for all others."""
        for part in self.without_rights:
            if path.startswith(part):
                return _error(403, "security_exception", f"action on [{path}] is unauthorized for user [news_writer]")
        if path == "/_ilm/status" and method == "GET":
            return 200, {"operation_mode": "RUNNING"}
        if match := re.fullmatch(r"/_ilm/policy/([^/]+)", path):
            return self._policy(match[1], method, body)
        if (match := re.fullmatch(r"/([^/]+)/_settings", path)) and method == "PUT" and "lifecycle" in json.dumps(body):
            return self._manage(match[1], body)
        if match := re.fullmatch(r"/_snapshot/([^/]+)/([^/]+)", path):
            return self._snapshot(match[1], match[2], method, query, body)
        return None

    def _policy(self, name: str, method: str, body: Any) -> tuple[int, Any]:
        if method != "PUT":
            return _error(405, "method_not_allowed", method)
        if not isinstance(body, dict) or set(body) != {"policy"} or set(body["policy"]) - {"phases", "_meta"}:
            return _error(400, "x_content_parse_exception", f"[put_lifecycle_request] unknown field in {body}")
        for phase, content in body["policy"]["phases"].items():
            if phase not in ("hot", "warm", "cold", "frozen", "delete") or set(content) - {"min_age", "actions"}:
                return _error(400, "illegal_argument_exception", f"lifecycle does not support phase [{phase}]")
            rollover = content["actions"].get("rollover")
            if rollover is not None and (not rollover or set(rollover) - _ROLLOVER):
                return _error(400, "x_content_parse_exception", f"[rollover_action] unknown field in {rollover}")
        self.policies[name] = body["policy"]
        return 200, {"acknowledged": True}

    def _manage(self, index: str, body: Any) -> tuple[int, Any]:
        settings = {key.removeprefix("index."): value for key, value in body.items()}
        if set(settings) != {"lifecycle.name", "lifecycle.rollover_alias"}:
            return _error(400, "illegal_argument_exception", f"unknown setting in {sorted(body)}")
        if settings["lifecycle.name"] not in self.policies:
            return _error(400, "illegal_argument_exception", f"policy [{settings['lifecycle.name']}] does not exist")
        self.managed[index] = settings
        return 200, {"acknowledged": True}

    def _snapshot(
        self, repository: str, name: str, method: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        if method != "PUT":
            return _error(405, "method_not_allowed", method)
        if repository not in self.snapshots:
            return _error(404, "repository_missing_exception", f"[{repository}] missing")
        if name != name.lower() or re.search(r"[\s,\\/*?\"<>|#]", name):
            return _error(400, "invalid_snapshot_name_exception", f"[{repository}:{name}] Invalid snapshot name")
        if name in self.snapshots[repository]:
            reason = f"[{repository}:{name}] Invalid snapshot name [{name}], snapshot with the same name already exists"
            return _error(400, "invalid_snapshot_name_exception", reason)
        if query.get("wait_for_completion") != ["false"]:
            return _error(400, "test", "nobody waits for a snapshot of a large index")
        self.snapshots[repository][name] = body
        return 200, {"accepted": True}


def _error(status: int, kind: str, reason: str) -> tuple[int, Any]:
    return status, {"error": {"type": kind, "reason": reason, "root_cause": []}, "status": status}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: FullClusterStandIn

    def handle_any(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        body = json.loads(raw) if raw and b"\n" not in raw.strip() else None
        answer = self.cluster.answer(self.command, parts.path, parse_qs(parts.query), body)
        if answer is not None:
            self._send(
                answer[0], json.dumps(answer[1]).encode(), "application/vnd.elasticsearch+json;compatible-with=9"
            )
            return
        connection = http.client.HTTPConnection(*self.cluster.target, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        connection.request(self.command, self.path, raw, headers)
        response = connection.getresponse()
        self._send(response.status, response.read(), response.getheader("content-type", ""))
        connection.close()

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

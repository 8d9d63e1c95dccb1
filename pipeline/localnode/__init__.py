"""The embedded Elasticsearch node: a real single-node Elasticsearch on loopback, without Docker.

``start`` it, ask for its ``status``, ``stop`` it; every failure is a LocalNodeError that says what to do.
"""

from __future__ import annotations

from pipeline.localnode.errors import (
    DiskFullError,
    JdkNotFoundError,
    LocalNodeError,
    NodeDownloadError,
    NodeStartError,
    PortBusyError,
)
from pipeline.localnode.jdk import Jdk, find_jdk
from pipeline.localnode.node import (
    NodeAddress,
    NodeSettings,
    NodeStatus,
    log_path,
    prepare,
    start,
    status,
    stop,
    tail,
    usual_port,
)

__all__ = [
    "DiskFullError",
    "Jdk",
    "JdkNotFoundError",
    "LocalNodeError",
    "NodeAddress",
    "NodeDownloadError",
    "NodeSettings",
    "NodeStartError",
    "NodeStatus",
    "PortBusyError",
    "find_jdk",
    "log_path",
    "prepare",
    "start",
    "status",
    "stop",
    "tail",
    "usual_port",
]

"""What can stop the embedded node. Each says in one sentence what and where, and in its hint what to do."""

from __future__ import annotations

from pipeline.errors import NodeError


class LocalNodeError(NodeError):
    """The embedded Elasticsearch node can't do what was asked of it."""


class JdkNotFoundError(LocalNodeError):
    """No Java that Elasticsearch can run on was found."""


class NodeDownloadError(LocalNodeError):
    """A part of the node could not be downloaded whole."""


class DiskFullError(LocalNodeError):
    """Too little room on the disk that holds the node."""


class PortBusyError(LocalNodeError):
    """Another program listens on the node's port."""


class NodeStartError(LocalNodeError):
    """Elasticsearch was started and did not come up."""


#: The way out that is the same for every one of them.
OTHER_WAYS = "or set ELASTICSEARCH_URL to a cluster of your own"
